#include "graph/preprocessing.h"

namespace linnet {
namespace {

constexpr std::array<float, 3> kImagenetMean = {0.485f, 0.456f, 0.406f};
constexpr std::array<float, 3> kImagenetDeviation = {0.229f, 0.224f, 0.225f};

}  // namespace

Preprocessing torchvision_preprocessing(int resolution) {
  Preprocessing p;
  p.shortest_edge = resolution * 256 / 224;
  p.crop_rounding = CropRounding::kToEven;
  p.mean = kImagenetMean;
  p.deviation = kImagenetDeviation;
  return p;
}

Preprocessing timm_preprocessing(int resolution) {
  Preprocessing p = torchvision_preprocessing(resolution);
  p.shortest_edge = static_cast<int>(resolution / 0.875);
  p.filter = Filter::kBicubic;
  return p;
}

Preprocessing tensorflow_preprocessing() {
  Preprocessing p;
  p.central_fraction = 0.875;
  p.resize_to_input = true;
  p.resampler = Resampler::kTensorflow;
  p.mean = {0.5f, 0.5f, 0.5f};
  p.deviation = {0.5f, 0.5f, 0.5f};
  return p;
}

Preprocessing huggingface_preprocessing(int resolution) {
  Preprocessing p;
  p.shortest_edge = resolution * 256 / 224;
  p.mean = {0.5f, 0.5f, 0.5f};
  p.deviation = {0.5f, 0.5f, 0.5f};
  return p;
}

std::string_view to_string(Dialect dialect) {
  static constexpr std::array<std::string_view, 5> kNames = {"unknown", "huggingface", "torchvision", "timm",
                                                             "tensorflow"};
  return kNames[static_cast<std::size_t>(dialect)];
}

std::optional<Preprocessing> dialect_preprocessing(Dialect dialect, int resolution) {
  switch (dialect) {
    case Dialect::kUnknown: break;
    case Dialect::kHuggingFace: return huggingface_preprocessing(resolution);
    case Dialect::kTorchvision: return torchvision_preprocessing(resolution);
    case Dialect::kTimm: return timm_preprocessing(resolution);
    case Dialect::kTensorflow: return tensorflow_preprocessing();
  }
  return std::nullopt;
}

}  // namespace linnet
