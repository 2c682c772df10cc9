// Facts about other libraries' module names, from their sources: transformers' modeling_mobilenet_v1.py and
// _v2.py, timm's efficientnet.py and mobilenetv3.py, torchvision's mobilenetv2.py and mobilenetv3.py.
#include "formats/state_dict/names.h"

#include <span>

#include <fmt/format.h>

namespace linnet::formats {
namespace {

/// Linnet's name.0 and name.1 (convolution, batch norm) under the names of a library.
void layer(NodeNames& names, const std::string& name, std::string convolution, std::string batch_norm) {
  names.emplace(name + ".0", std::move(convolution));
  names.emplace(name + ".1", std::move(batch_norm));
}

// ---- Hugging Face

void huggingface_layer(NodeNames& names, const std::string& name, const std::string& module) {
  layer(names, name, module + ".convolution", module + ".normalization");
}

NodeNames huggingface_v1() {
  NodeNames names;
  huggingface_layer(names, "features.0", "mobilenet_v1.conv_stem");
  for (int block = 1; block <= block_count(Family::kMobileNetV1); ++block)
    for (const int part : {0, 1})
      huggingface_layer(names, fmt::format("features.{}.conv.{}", block, part),
                        fmt::format("mobilenet_v1.layer.{}", 2 * (block - 1) + part));
  names.emplace("classifier.1", "classifier");
  return names;
}

/// Block `name`, whose parts are in the module's expand_1x1, conv_3x3 and reduce_1x1.
void huggingface_v2_block(NodeNames& names, const std::string& name, const std::string& module,
                          bool expands) {
  int part = 0;
  if (expands) huggingface_layer(names, fmt::format("{}.conv.{}", name, part++), module + ".expand_1x1");
  huggingface_layer(names, fmt::format("{}.conv.{}", name, part++), module + ".conv_3x3");
  names.emplace(fmt::format("{}.conv.{}", name, part++), module + ".reduce_1x1.convolution");
  names.emplace(fmt::format("{}.conv.{}", name, part++), module + ".reduce_1x1.normalization");
}

NodeNames huggingface_v2(bool first_layer_is_expansion) {
  NodeNames names;
  const int blocks = block_count(Family::kMobileNetV2);
  huggingface_layer(names, "features.0", "mobilenet_v2.conv_stem.first_conv");
  huggingface_v2_block(names, "features.1", "mobilenet_v2.conv_stem", !first_layer_is_expansion);
  for (int block = 2; block <= blocks; ++block)
    huggingface_v2_block(names, fmt::format("features.{}", block),
                         fmt::format("mobilenet_v2.layer.{}", block - 2), true);
  huggingface_layer(names, fmt::format("features.{}", blocks + 1), "mobilenet_v2.conv_1x1");
  names.emplace("classifier.1", "classifier");
  return names;
}

// ---- timm

/// Calls visit(block, module) for blocks 1, 2, …, which timm groups in stages: "blocks.STAGE.INDEX".
template <class Visit>
void for_each_timm_block(std::span<const int> stages, Visit visit) {
  int block = 0;
  for (std::size_t stage = 0; stage < stages.size(); ++stage)
    for (int i = 0; i < stages[stage]; ++i) visit(++block, fmt::format("blocks.{}.{}", stage, i));
}

NodeNames timm_v1() {
  NodeNames names;
  layer(names, "features.0", "conv_stem", "bn1");
  static constexpr int kStages[] = {1, 2, 2, 6, 2};
  for_each_timm_block(kStages, [&](int block, const std::string& module) {
    const std::string name = fmt::format("features.{}.conv", block);
    layer(names, name + ".0", module + ".conv_dw", module + ".bn1");
    layer(names, name + ".1", module + ".conv_pw", module + ".bn2");
  });
  names.emplace("classifier.1", "classifier");
  return names;
}

NodeNames timm_v2() {
  NodeNames names;
  layer(names, "features.0", "conv_stem", "bn1");
  static constexpr int kStages[] = {1, 2, 3, 4, 3, 3, 1};
  for_each_timm_block(kStages, [&](int block, const std::string& module) {
    const std::string name = fmt::format("features.{}.conv", block);
    if (block == 1) {
      layer(names, name + ".0", module + ".conv_dw", module + ".bn1");
      names.emplace(name + ".1", module + ".conv_pw");
      names.emplace(name + ".2", module + ".bn2");
    } else {
      layer(names, name + ".0", module + ".conv_pw", module + ".bn1");
      layer(names, name + ".1", module + ".conv_dw", module + ".bn2");
      names.emplace(name + ".2", module + ".conv_pwl");
      names.emplace(name + ".3", module + ".bn3");
    }
  });
  layer(names, fmt::format("features.{}", block_count(Family::kMobileNetV2) + 1), "conv_head", "bn2");
  names.emplace("classifier.1", "classifier");
  return names;
}

/// Squeeze-and-excite, where a block has it, stands before the projection and moves it by one: both places
/// are named, and the graph asks for those that it has.
void timm_v3_tail(NodeNames& names, const std::string& name, int part, const std::string& module,
                  const std::string& projection, const std::string& batch_norm) {
  names.emplace(fmt::format("{}.{}.fc1", name, part), module + ".se.conv_reduce");
  names.emplace(fmt::format("{}.{}.fc2", name, part), module + ".se.conv_expand");
  for (const int at : {part, part + 1})
    layer(names, fmt::format("{}.{}", name, at), module + projection, module + batch_norm);
}

NodeNames timm_v3(Family family) {
  static constexpr int kLarge[] = {1, 2, 3, 4, 2, 3};
  static constexpr int kSmall[] = {1, 2, 3, 2, 3};
  const auto stages =
      family == Family::kMobileNetV3Large ? std::span<const int>(kLarge) : std::span<const int>(kSmall);
  NodeNames names;
  layer(names, "features.0", "conv_stem", "bn1");
  for_each_timm_block(stages, [&](int block, const std::string& module) {
    const std::string name = fmt::format("features.{}.block", block);
    if (block == 1) {
      layer(names, name + ".0", module + ".conv_dw", module + ".bn1");
      timm_v3_tail(names, name, 1, module, ".conv_pw", ".bn2");
    } else {
      layer(names, name + ".0", module + ".conv_pw", module + ".bn1");
      layer(names, name + ".1", module + ".conv_dw", module + ".bn2");
      timm_v3_tail(names, name, 2, module, ".conv_pwl", ".bn3");
    }
  });
  const std::string last = fmt::format("blocks.{}.0", stages.size());
  layer(names, fmt::format("features.{}", block_count(family) + 1), last + ".conv", last + ".bn1");
  names.emplace("classifier.0", "conv_head");
  names.emplace("classifier.3", "classifier");
  return names;
}

}  // namespace

std::optional<Naming> recognise(const TensorMap& tensors) {
  using enum Family;
  const auto has = [&](std::string_view name) { return tensors.contains(name); };
  if (has("mobilenet_v1.conv_stem.convolution.weight")) return Naming{Dialect::kHuggingFace, kMobileNetV1};
  if (has("mobilenet_v2.conv_stem.first_conv.convolution.weight"))
    return Naming{Dialect::kHuggingFace, kMobileNetV2};
  if (has("features.1.conv.0.0.weight") && has("features.18.0.weight"))
    return Naming{Dialect::kTorchvision, kMobileNetV2};
  if (has("features.1.block.0.0.weight")) {
    if (has("features.16.0.weight")) return Naming{Dialect::kTorchvision, kMobileNetV3Large};
    if (has("features.12.0.weight")) return Naming{Dialect::kTorchvision, kMobileNetV3Small};
  }
  if (!has("conv_stem.weight")) return std::nullopt;
  if (has("norm_head.weight") && has("blocks.0.0.conv.weight"))
    return Naming{Dialect::kTimm, kMobileNetV4ConvSmall};
  if (has("norm_head.weight") && has("blocks.0.0.conv_exp.weight"))
    return Naming{Dialect::kTimm, kMobileNetV4ConvMedium};
  if (!has("blocks.0.0.conv_dw.weight")) return std::nullopt;
  if (has("blocks.6.0.conv.weight")) return Naming{Dialect::kTimm, kMobileNetV3Large};
  if (has("blocks.5.0.conv.weight")) return Naming{Dialect::kTimm, kMobileNetV3Small};
  if (has("blocks.6.0.conv_pwl.weight")) return Naming{Dialect::kTimm, kMobileNetV2};
  if (has("blocks.4.1.conv_pw.weight") && !has("blocks.4.1.conv_pwl.weight"))
    return Naming{Dialect::kTimm, kMobileNetV1};
  return std::nullopt;
}

NodeNames node_names(const Naming& naming, bool first_layer_is_expansion) {
  const auto [dialect, family] = naming;
  if (dialect == Dialect::kHuggingFace)
    return family == Family::kMobileNetV1 ? huggingface_v1() : huggingface_v2(first_layer_is_expansion);
  if (dialect == Dialect::kTimm) {
    if (family == Family::kMobileNetV1) return timm_v1();
    if (family == Family::kMobileNetV2) return timm_v2();
    if (family == Family::kMobileNetV3Large || family == Family::kMobileNetV3Small) return timm_v3(family);
  }
  return {};  // torchvision's V2 and V3 and timm's V4 gave Linnet's nodes their names
}

std::string tensor_name(const NodeNames& names, std::string_view canonical) {
  const auto dot = canonical.rfind('.');
  const auto found = names.find(std::string(canonical.substr(0, dot)));
  if (found == names.end()) return std::string(canonical);
  return found->second + std::string(canonical.substr(dot));
}

}  // namespace linnet::formats
