// RandAugment (Cubuk et al., "RandAugment: practical automated data augmentation with a reduced search
// space", 2019): a few operations drawn out of fourteen, all at one strength, on 8-bit pictures.
#pragma once

#include "base/random.h"
#include "base/result.h"
#include "image/image.h"

namespace linnet::data {

enum class Operation {
  kIdentity,
  kShearX,
  kShearY,
  kTranslateX,
  kTranslateY,
  kRotate,
  kBrightness,
  kColor,
  kContrast,
  kSharpness,
  kPosterize,
  kSolarize,
  kAutocontrast,
  kEqualize,
};
inline constexpr int kOperations = 14;

struct RandAugment {
  static constexpr int kMagnitudes = 31;
  int operations = 2;  ///< drawn for each picture, with replacement
  int magnitude = 9;   ///< 0 … kMagnitudes - 1
};

/// What torchvision's RandAugment makes of a magnitude for a picture of this size: a slope, pixels, degrees,
/// a factor's distance from 1, bits, a threshold; 0 where the operation knows none. Those that have a
/// direction (all that can go two ways) are drawn with either sign.
double strength(Operation operation, int magnitude, int height, int width);
bool has_direction(Operation operation);

/// One operation, pixels as Pillow computes them: nearest, black where the picture ends.
image::Image apply(const image::Image& image, Operation operation, double strength);

/// `options.operations` of them one after the other. Needs a valid magnitude (check()).
image::Image rand_augment(image::Image image, const RandAugment& options, Random& random);

/// Errors: numbers that make no sense.
Result<void> check(const RandAugment& options);

}  // namespace linnet::data
