// A training picture as a network sees it: cropped, flipped and changed at random, then normalised.
//
// Everything is a pure function of the picture and of the random stream that is handed in (data/stream.h).
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "base/random.h"
#include "base/result.h"
#include "base/shape.h"
#include "data/rand_augment.h"
#include "graph/preprocessing.h"
#include "image/image.h"
#include "image/preprocess.h"

namespace linnet::data {

/// What a picture shows where it has ended.
enum class Border { kBlack, kReflect };

/// A part of random place, area and proportions, resized to the input (Szegedy et al., "Going deeper with
/// convolutions", 2014; ranges as torchvision has them).
struct ResizedCrop {
  double smallest_area = 0.08;  ///< share of the picture, at most 1
  double largest_area = 1.0;
  double widest = 4.0 / 3.0;  ///< width over height, and its inverse; at least 1
};

/// In this order; what is not asked for does not happen.
struct Augmentation {
  /// Else the whole picture is resized to the input, whatever its proportions.
  std::optional<ResizedCrop> resized_crop = {};
  std::optional<RandAugment> rand_augment = {};
  /// Pixels that are added on every side before a crop of the input's size.
  int crop_padding = 0;
  Border border = Border::kBlack;
  bool flip = false;  ///< left to right, every other picture
  /// The edge of a square that is set to zero, after normalising, around a random pixel (DeVries and Taylor,
  /// "Improved regularization of convolutional neural networks with cutout", 2017).
  int cutout = 0;
};

/// Thread-safe.
class Augmenter {
 public:
  /// For inputs of `input` pixels, 3 channels or 1 (luma), normalised as `preprocessing` says; of its resize
  /// only the filter counts. Errors: as image::preprocess; numbers that make no sense for this input.
  static Result<Augmenter> make(const Augmentation& augmentation, const Preprocessing& preprocessing,
                                Shape input);

  /// Fills `output`, input().size() floats, HWC. The picture is RGB.
  void operator()(const image::Image& picture, Random random, std::span<float> output) const;
  /// The same of the picture of Item::planes, without unpacking it where nothing needs that.
  void operator()(std::span<const std::byte> planes, Random random, std::span<float> output) const;

  Shape input() const { return input_; }
  /// Every picture is shown at this many pixels at most on its shorter edge: a larger one may be shrunk
  /// before.
  int useful_edge() const;

 private:
  Augmenter(const Augmentation& augmentation, const Preprocessing& preprocessing, Shape input);

  Augmentation augmentation_;
  Filter filter_;
  Shape input_;
  image::PixelValues values_;
};

/// The part that ResizedCrop takes of a picture.
struct CropPart {
  int y, x, height, width;
};
CropPart draw_part(const ResizedCrop& crop, int height, int width, Random& random);

}  // namespace linnet::data
