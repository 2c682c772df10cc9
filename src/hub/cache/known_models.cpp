#include "hub/cache/known_models.h"

#include <array>

namespace linnet::hub {
namespace {

constexpr std::string_view kCard = "other (see its model card)";
constexpr std::string_view kApache = "Apache-2.0";
constexpr std::string_view kBsd = "BSD-3-Clause";

// Accuracy: the tables of TensorFlow's MobileNetV1 and V2 checkpoints, timm's model cards at the resolution
// given here, and torchvision's table of weights.
constexpr std::array kModels = {
    KnownModel{"mobilenet_v1_0.75_192", "google/mobilenet_v1_0.75_192", "",
               "mobilenet_v1:width=0.75,resolution=192,classes=1001", kCard, 67.2},
    KnownModel{"mobilenet_v1_1.0_224", "google/mobilenet_v1_1.0_224", "",
               "mobilenet_v1:width=1.0,resolution=224,classes=1001", kCard, 70.9},
    KnownModel{"mobilenet_v2_0.35_96", "google/mobilenet_v2_0.35_96", "",
               "mobilenet_v2:width=0.35,resolution=96,classes=1001", kCard, 45.5},
    KnownModel{"mobilenet_v2_0.75_160", "google/mobilenet_v2_0.75_160", "",
               "mobilenet_v2:width=0.75,resolution=160,classes=1001", kCard, 66.4},
    KnownModel{"mobilenet_v2_1.0_224", "google/mobilenet_v2_1.0_224", "",
               "mobilenet_v2:width=1.0,resolution=224,classes=1001", kCard, 71.8},
    KnownModel{"mobilenet_v2_1.4_224", "google/mobilenet_v2_1.4_224", "",
               "mobilenet_v2:width=1.4,resolution=224,classes=1001", kCard, 75.0},
    KnownModel{"mobilenetv3_large_100.ra_in1k", "timm/mobilenetv3_large_100.ra_in1k", "",
               "mobilenet_v3_large:resolution=224,classes=1000", kApache},
    KnownModel{"mobilenetv3_small_100.lamb_in1k", "timm/mobilenetv3_small_100.lamb_in1k", "",
               "mobilenet_v3_small:resolution=224,classes=1000", kApache},
    KnownModel{"mobilenetv4_conv_small.e2400_r224_in1k", "timm/mobilenetv4_conv_small.e2400_r224_in1k", "",
               "mobilenet_v4_conv_small:resolution=224,classes=1000", kApache, 73.756},
    KnownModel{"mobilenetv4_conv_medium.e500_r256_in1k", "timm/mobilenetv4_conv_medium.e500_r256_in1k", "",
               "mobilenet_v4_conv_medium:resolution=256,classes=1000", kApache, 79.928},
    KnownModel{"mobilenet_v2-b0353104", "", "https://download.pytorch.org/models/mobilenet_v2-b0353104.pth",
               "mobilenet_v2:width=1.0,resolution=224,classes=1000", kBsd, 71.878},
    KnownModel{"mobilenet_v2-7ebf99e0", "", "https://download.pytorch.org/models/mobilenet_v2-7ebf99e0.pth",
               "mobilenet_v2:width=1.0,resolution=224,classes=1000", kBsd, 72.154, 232},
    KnownModel{"mobilenet_v3_large-8738ca79", "",
               "https://download.pytorch.org/models/mobilenet_v3_large-8738ca79.pth",
               "mobilenet_v3_large:resolution=224,classes=1000", kBsd, 74.042},
    KnownModel{"mobilenet_v3_large-5c1a4163", "",
               "https://download.pytorch.org/models/mobilenet_v3_large-5c1a4163.pth",
               "mobilenet_v3_large:resolution=224,classes=1000", kBsd, 75.274, 232},
    KnownModel{"mobilenet_v3_small-047dcff4", "",
               "https://download.pytorch.org/models/mobilenet_v3_small-047dcff4.pth",
               "mobilenet_v3_small:resolution=224,classes=1000", kBsd, 67.668},
};

}  // namespace

std::span<const KnownModel> known_models() { return kModels; }

const KnownModel* find_known(std::string_view name) {
  for (const KnownModel& model : kModels)
    if (name == model.name || (!model.repository.empty() && name == model.repository)) return &model;
  return nullptr;
}

std::string known_names() {
  std::string names;
  for (const KnownModel& model : kModels) names.append("\n  ").append(model.name);
  return names;
}

}  // namespace linnet::hub
