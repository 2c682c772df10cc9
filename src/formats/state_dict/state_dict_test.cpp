// State dicts of our own making; those that PyTorch makes are in tests/end_to_end.
#include "formats/state_dict/state_dict.h"

#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/state_dict/names.h"

namespace linnet::formats {
namespace {

using ::testing::HasSubstr;

/// What the library would save of this network: its tensors in PyTorch's order of axes, under its names.
TensorMap state_dict(const FamilyConfig& config, Naming naming) {
  const NodeNames names = node_names(naming, config.first_layer_is_expansion);
  TensorMap tensors;
  int seed = 0;
  const auto made = build(config, [&](const WeightRequest& request) -> Result<Constant> {
    std::vector<std::int64_t> dims(request.dims.begin(), request.dims.end());
    if (dims.size() == 4) dims = {dims[0], dims[3], dims[1], dims[2]};
    if (dims.size() == 3) dims = {dims[2], 1, dims[0], dims[1]};
    std::size_t n = 1;
    for (const int d : request.dims) n *= static_cast<std::size_t>(d);
    auto values = std::make_shared<AlignedVector<float>>(n);
    for (float& value : *values) value = 0.5f + static_cast<float>(++seed % 97) / 97.0f;
    Tensor tensor{Dtype::kF32, std::move(dims), std::as_bytes(std::span(*values)), values};
    tensors.emplace(tensor_name(names, request.name), std::move(tensor));
    return Constant(request.dims, AlignedVector<float>(n, 1.0f));
  });
  EXPECT_TRUE(made) << made.error().message;
  return tensors;
}

constexpr Naming kTorchvisionV2 = {Dialect::kTorchvision, Family::kMobileNetV2};

FamilyConfig narrow(Naming naming) {
  FamilyConfig config = dialect_config(naming.family, naming.dialect);
  config.width = 0.35;
  config.classes = 3;
  return config;
}

std::string complaint(const TensorMap& tensors) {
  const auto graph = graph_from_state_dict(tensors, "w.pth");
  return graph ? "no complaint" : graph.error().message;
}

TEST(state_dict, every_library_and_family_is_recognised_with_its_width_and_classes) {
  using enum Family;
  for (const Naming naming :
       {Naming{Dialect::kHuggingFace, kMobileNetV1}, Naming{Dialect::kHuggingFace, kMobileNetV2},
        kTorchvisionV2, Naming{Dialect::kTorchvision, kMobileNetV3Large},
        Naming{Dialect::kTorchvision, kMobileNetV3Small}, Naming{Dialect::kTimm, kMobileNetV1},
        Naming{Dialect::kTimm, kMobileNetV2}, Naming{Dialect::kTimm, kMobileNetV3Large},
        Naming{Dialect::kTimm, kMobileNetV3Small}, Naming{Dialect::kTimm, kMobileNetV4ConvSmall},
        Naming{Dialect::kTimm, kMobileNetV4ConvMedium}}) {
    SCOPED_TRACE(std::string(to_string(naming.dialect)) + " " + std::string(to_string(naming.family)));
    const FamilyConfig config = narrow(naming);
    const auto graph = graph_from_state_dict(state_dict(config, naming), "w.pth");
    ASSERT_TRUE(graph) << graph.error().message;
    EXPECT_EQ(graph->output_shape().c, 3);
    EXPECT_EQ(graph->dialect, naming.dialect);
    const Graph expected = build(config).value();
    ASSERT_EQ(graph->size(), expected.size());
    for (NodeId id = 0; id < graph->size(); ++id) {
      EXPECT_EQ((*graph)[id].name, expected[id].name);
      EXPECT_EQ((*graph)[id].shape, expected[id].shape);
    }
  }
}

TEST(state_dict, a_missing_tensor_is_named) {
  TensorMap tensors = state_dict(narrow(kTorchvisionV2), kTorchvisionV2);
  ASSERT_EQ(complaint(tensors), "no complaint");
  tensors.erase("features.3.conv.1.1.running_var");
  EXPECT_EQ(complaint(tensors), "w.pth: the tensor \"features.3.conv.1.1.running_var\" is missing");
}

TEST(state_dict, a_superfluous_tensor_is_named_but_counters_are_not) {
  TensorMap tensors = state_dict(narrow(kTorchvisionV2), kTorchvisionV2);
  const Tensor some = tensors.at("classifier.1.bias");
  tensors["features.0.1.num_batches_tracked"] = some;
  EXPECT_EQ(complaint(tensors), "no complaint");
  tensors["features.19.0.weight"] = some;
  EXPECT_THAT(complaint(tensors),
              HasSubstr("the tensor \"features.19.0.weight\" (F32 [3]) belongs to no layer"));
}

TEST(state_dict, a_misshapen_tensor_is_named_with_both_shapes) {
  TensorMap tensors = state_dict(narrow(kTorchvisionV2), kTorchvisionV2);
  tensors.at("features.5.conv.1.0.weight").dims = {48, 1, 1, 9};
  EXPECT_THAT(
      complaint(tensors),
      HasSubstr("the tensor \"features.5.conv.1.0.weight\" is F32 [48, 1, 1, 9], expected [96, 1, 3, 3]"));
}

TEST(state_dict, integers_where_weights_should_be_are_refused) {
  TensorMap tensors = state_dict(narrow(kTorchvisionV2), kTorchvisionV2);
  tensors.at("features.0.0.weight").dtype = Dtype::kI32;
  EXPECT_THAT(complaint(tensors), HasSubstr("the tensor \"features.0.0.weight\" holds I32"));
}

TEST(state_dict, a_backbone_without_a_classifier_is_refused) {
  TensorMap tensors = state_dict(narrow(kTorchvisionV2), kTorchvisionV2);
  tensors.erase("classifier.1.weight");
  EXPECT_THAT(complaint(tensors), HasSubstr("there is no classifier (\"classifier.1.weight\")"));
}

TEST(state_dict, channels_that_fit_no_width_are_shown) {
  TensorMap tensors = state_dict(narrow(kTorchvisionV2), kTorchvisionV2);
  tensors.at("features.14.conv.2.weight").dims[0] = 8;
  EXPECT_THAT(complaint(tensors), HasSubstr("fit no width of mobilenet_v2: 16 for 32, 8 for 24"));
}

TEST(state_dict, the_prefix_of_data_parallel_is_dropped) {
  TensorMap prefixed;
  for (const auto& [name, tensor] : state_dict(narrow(kTorchvisionV2), kTorchvisionV2))
    prefixed.emplace("module." + name, tensor);
  EXPECT_EQ(complaint(prefixed), "no complaint");
}

TEST(state_dict, timms_tf_variants_pad_as_tensorflow_does) {
  const Naming naming = {Dialect::kTimm, Family::kMobileNetV3Small};
  const TensorMap tensors = state_dict(narrow(naming), naming);
  const auto stem = [&](const char* file) {
    const Graph graph = graph_from_state_dict(tensors, file, hints_from_name(file)).value();
    return std::pair(std::get<Convolution>(graph[1].op).window.padding,
                     std::get<BatchNorm>(graph[2].op).epsilon);
  };
  EXPECT_EQ(stem("mobilenetv3_small_075-1234.pth"), std::pair(Padding({1, 1, 1, 1}), 1e-5f));
  EXPECT_EQ(stem("tf_mobilenetv3_small_075-1234.pth"), std::pair(Padding({0, 1, 0, 1}), 1e-3f));
}

TEST(state_dict, an_empty_one_is_refused) { EXPECT_THAT(complaint({}), HasSubstr("0 tensors")); }

}  // namespace
}  // namespace linnet::formats
