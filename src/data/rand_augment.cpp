// Ranges as in torchvision's transforms/autoaugment.py.
#include "data/rand_augment.h"

#include <cmath>

#include "image/adjust.h"
#include "image/warp.h"

namespace linnet::data {

double strength(Operation operation, int magnitude, int height, int width) {
  const double share = static_cast<double>(magnitude) / (RandAugment::kMagnitudes - 1);
  switch (operation) {
    case Operation::kShearX:
    case Operation::kShearY: return 0.3 * share;
    case Operation::kTranslateX: return 150.0 / 331.0 * width * share;
    case Operation::kTranslateY: return 150.0 / 331.0 * height * share;
    case Operation::kRotate: return 30.0 * share;
    case Operation::kBrightness:
    case Operation::kColor:
    case Operation::kContrast:
    case Operation::kSharpness: return 0.9 * share;
    case Operation::kPosterize: return 8.0 - std::nearbyint(4.0 * share);
    case Operation::kSolarize: return 255.0 * (1.0 - share);
    case Operation::kIdentity:
    case Operation::kAutocontrast:
    case Operation::kEqualize: break;
  }
  return 0.0;
}

bool has_direction(Operation operation) {
  return operation >= Operation::kShearX && operation <= Operation::kSharpness;
}

image::Image apply(const image::Image& image, Operation operation, double strength) {
  const auto factor = static_cast<float>(1.0 + strength);
  switch (operation) {
    case Operation::kIdentity: break;
    case Operation::kShearX: return image::warp(image, {1, strength, 0, 0, 1, 0});
    case Operation::kShearY: return image::warp(image, {1, 0, 0, strength, 1, 0});
    case Operation::kTranslateX: return image::warp(image, {1, 0, -std::trunc(strength), 0, 1, 0});
    case Operation::kTranslateY: return image::warp(image, {1, 0, 0, 0, 1, -std::trunc(strength)});
    case Operation::kRotate: return image::rotate(image, strength);
    case Operation::kBrightness: return image::adjust_brightness(image, factor);
    case Operation::kColor: return image::adjust_color(image, factor);
    case Operation::kContrast: return image::adjust_contrast(image, factor);
    case Operation::kSharpness: return image::adjust_sharpness(image, factor);
    case Operation::kPosterize: return image::posterize(image, static_cast<int>(strength));
    case Operation::kSolarize: return image::solarize(image, strength);
    case Operation::kAutocontrast: return image::autocontrast(image);
    case Operation::kEqualize: return image::equalize(image);
  }
  return image;
}

image::Image rand_augment(image::Image image, const RandAugment& options, Random& random) {
  for (int i = 0; i < options.operations; ++i) {
    const auto operation = static_cast<Operation>(random.below(kOperations));
    double by = strength(operation, options.magnitude, image.height, image.width);
    if (has_direction(operation) && random.below(2) == 1) by = -by;
    image = apply(image, operation, by);
  }
  return image;
}

Result<void> check(const RandAugment& options) {
  if (options.operations < 0) return usage("RandAugment: {} operations make no sense", options.operations);
  if (options.magnitude < 0 || options.magnitude >= RandAugment::kMagnitudes)
    return usage("RandAugment: the magnitude {} is not one of 0 to {}", options.magnitude,
                 RandAugment::kMagnitudes - 1);
  return {};
}

}  // namespace linnet::data
