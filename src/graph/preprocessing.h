// How a photograph becomes the input of a model, as plain data. It travels inside the model file; image/
// applies it.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace linnet {

enum class Filter { kNearest, kBilinear, kBicubic };

/// Whose resize: the same filter gives other pixels in each.
enum class Resampler {
  kPillow,      ///< two passes in fixed point, the filter widened when it shrinks (Hugging Face, torchvision,
                ///< timm)
  kTensorflow,  ///< half-pixel centres, the filter never widened (tf.image.resize without antialias)
};

/// Where an odd margin goes when the centre is cut out.
enum class CropRounding {
  kDown,    ///< (height - crop) / 2 rounded down (Hugging Face)
  kToEven,  ///< rounded to the nearest, ties to even (torchvision, timm)
};

/// In this order: central_fraction, resize, crop, rescale, mean and deviation.
struct Preprocessing {
  /// Keeps this share of height and width around the centre, before anything else (TensorFlow's 0.875).
  std::optional<double> central_fraction;
  /// Resize so that the shorter edge has this many pixels; the longer edge is rounded down.
  std::optional<int> shortest_edge;
  /// Resize to the model's own height and width, whatever the picture's proportions. Excludes shortest_edge.
  bool resize_to_input = false;
  Filter filter = Filter::kBilinear;
  Resampler resampler = Resampler::kPillow;
  /// The centre crop is always the model's input size; a picture that is smaller is padded with zeros.
  CropRounding crop_rounding = CropRounding::kDown;
  /// value = (pixel * rescale - mean) / deviation, a channel in RGB order; pixel is 0 … 255.
  double rescale = 1.0 / 255.0;  ///< a double, because Hugging Face multiplies in double and rounds once
  std::array<float, 3> mean = {0.0f, 0.0f, 0.0f};
  std::array<float, 3> deviation = {1.0f, 1.0f, 1.0f};

  bool operator==(const Preprocessing&) const = default;
};

/// torchvision's ImageNet models: shorter edge to 256, bilinear, crop, the ImageNet mean and deviation.
Preprocessing torchvision_preprocessing(int resolution);
/// timm's MobileNets: shorter edge to resolution / 0.875 bicubic, crop, the ImageNet mean and deviation.
Preprocessing timm_preprocessing(int resolution);
/// TensorFlow's MobileNets: the central 87.5 %, resized bilinear to the input, values in [-1, 1].
Preprocessing tensorflow_preprocessing();
/// Hugging Face's MobileNets: shorter edge to 256 bilinear, crop, values in [-1, 1].
Preprocessing huggingface_preprocessing(int resolution);

/// Whose conventions a file follows: what was done to the photographs that its weights were trained on, where
/// the file itself does not say.
enum class Dialect { kUnknown, kHuggingFace, kTorchvision, kTimm, kTensorflow };

/// "unknown", "huggingface", "torchvision", "timm", "tensorflow"
std::string_view to_string(Dialect dialect);
/// The dialect's usual ImageNet preprocessing; nothing for kUnknown.
std::optional<Preprocessing> dialect_preprocessing(Dialect dialect, int resolution);

}  // namespace linnet
