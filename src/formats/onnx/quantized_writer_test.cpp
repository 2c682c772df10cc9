// int8 graphs become QDQ models, and the reader makes the same graphs of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/onnx/reader.h"
#include "formats/onnx/writer.h"
#include "graph/builder.h"
#include "graph/passes/passes.h"
#include "onnx_schema.pb.h"
#include "reference/interpreter.h"
#include "support/graph.h"
#include "support/made_up_int8.h"

namespace linnet::formats {
namespace {

using linnet::testing::made_up_int8_family;
using linnet::testing::noise;
using linnet::testing::scores_of;

onnx_schema::ModelProto written(const Graph& graph) {
  const auto bytes = onnx_bytes(graph);
  EXPECT_TRUE(bytes) << (bytes ? "" : bytes.error().message);
  onnx_schema::ModelProto model;
  EXPECT_TRUE(bytes && model.ParseFromString(*bytes));
  return model;
}

Graph read_back(const Graph& graph) {
  const auto bytes = onnx_bytes(graph);
  EXPECT_TRUE(bytes) << (bytes ? "" : bytes.error().message);
  auto read = read_onnx(std::as_bytes(std::span(*bytes)), "round-trip.onnx");
  EXPECT_TRUE(read) << (read ? "" : read.error().message);
  return read ? *std::move(read) : Graph{};
}

class QuantizedFamily : public ::testing::TestWithParam<const char*> {};

TEST_P(QuantizedFamily, comes_back_as_it_was) {
  Graph graph = made_up_int8_family(std::string(GetParam()) + ":width=0.35,resolution=32,classes=10");
  graph.labels.assign(10, "label");
  graph.preprocessing = torchvision_preprocessing(32);
  graph.dialect = Dialect::kTorchvision;
  const Graph read = read_back(graph);
  EXPECT_EQ(read, graph) << dump(read) << dump(graph);
  reference::Interpreter ours(graph), theirs(read);
  const auto image = noise(graph.input_shape(), 3, 2);
  EXPECT_EQ(scores_of(ours, image), scores_of(theirs, image));
}

INSTANTIATE_TEST_SUITE_P(onnx_quantized_writer, QuantizedFamily,
                         ::testing::Values("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_large",
                                           "mobilenet_v3_small", "mobilenet_v4_conv_small",
                                           "mobilenet_v4_conv_medium"),
                         [](const auto& family) { return std::string(family.param); });

Constant int8s(std::vector<int> dims, std::initializer_list<std::int8_t> values) {
  return Constant(std::move(dims), AlignedVector<std::int8_t>(values));
}

/// Every operator and every activation of an int8 graph, on images and on vectors.
Graph every_operator() {
  GraphBuilder b("every_operator", {3, 2, 1});
  b.quantize(b.input(), {0.25f, -3});
  const auto add = [&](const char* name, Op op, std::vector<NodeId> inputs, Quantization q) {
    const NodeId id = b.add(name, std::move(op), std::move(inputs));
    b.quantize(id, q);
    return id;
  };
  const Constant scales({2}, {0.5f, 0.3f});
  const Constant bias({2}, AlignedVector<std::int32_t>{1000, -77});
  NodeId x = add("stem",
                 Convolution{.window = {1, 2, 1, 1, {0, 0, 1, 0}},
                             .weight = int8s({2, 1, 2, 1}, {1, -128, 3, 127}),
                             .bias = bias,
                             .activation = Activation::kRelu6,
                             .weight_scale = scales,
                             .weight_zero_point = -9},
                 {b.input()}, {0.05f, -128});
  const NodeId stem = x;
  x = add("pad", Pad{{1, 0, 0, 0}}, {x}, {0.05f, -128});
  x = add("depthwise",
          Depthwise{.window = {2, 1}, .weight = int8s({2, 1, 2}, {1, 2, 3, 4}), .weight_scale = scales}, {x},
          {0.1f, 7});
  x = add("swish", Activate{Activation::kHardSwish}, {x}, {0.2f, -100});
  x = add("requantized", Activate{Activation::kNone}, {x}, {0.3f, 0});
  x = add("relu", Activate{Activation::kRelu}, {x}, {0.3f, -128});
  x = add("sum", Add{Activation::kRelu}, {x, stem}, {0.4f, 5});
  NodeId gate = add("pool", GlobalAveragePool{}, {x}, {0.4f, 6});
  gate = add("squeeze",
             Linear{.weight = int8s({2, 2}, {1, 2, 3, 4}),
                    .bias = bias,
                    .activation = Activation::kRelu,
                    .weight_scale = scales},
             {gate}, {0.5f, -128});
  gate = add("sigmoid", Activate{Activation::kHardSigmoid}, {gate}, {1 / 256.0f, -128});
  x = add("gated", Multiply{}, {x, gate}, {0.4f, 1});
  const NodeId pooled = add("head", GlobalAveragePool{}, {x}, {0.4f, 1});
  x = add("fc", Linear{.weight = int8s({2, 2}, {4, 3, 2, 1}), .weight_scale = scales}, {pooled}, {0.7f, 2});
  x = add("vector_requantized", Activate{Activation::kNone}, {x}, {0.9f, 3});
  x = add("vector_sum", Add{}, {x, pooled}, {0.7f, 2});
  return std::move(b).finish(x).value();
}

TEST(onnx_quantized_writer, every_operator_comes_back_as_it_was) {
  const Graph graph = every_operator();
  const Graph read = read_back(graph);
  EXPECT_EQ(read, graph) << dump(read) << dump(graph);
}

TEST(onnx_quantized_writer, an_identity_comes_back_as_nothing) {
  GraphBuilder b("identity", {1, 1, 2});
  b.quantize(b.input(), {1, 0});
  const NodeId x = b.add("same", Identity{}, {b.input()});
  b.quantize(x, {1, 0});
  const NodeId y = b.add("y", Activate{Activation::kRelu}, {x});
  b.quantize(y, {2, 0});
  const Graph graph = std::move(b).finish(y).value();
  EXPECT_EQ(read_back(graph), canonical(graph));
}

TEST(onnx_quantized_writer, weights_are_int8_by_channel_and_biases_int32_at_the_layers_scale) {
  const auto model = written(every_operator());
  const auto tensor = [&](std::string_view name) -> const onnx_schema::TensorProto& {
    const auto& all = model.graph().initializer();
    const auto found = std::ranges::find(all, name, [](const auto& t) { return std::string_view(t.name()); });
    EXPECT_NE(found, all.end()) << name;
    return found == all.end() ? onnx_schema::TensorProto::default_instance() : *found;
  };
  const auto floats = [&](std::string_view name) {
    const std::string& raw = tensor(name).raw_data();
    std::vector<float> values(raw.size() / sizeof(float));
    std::memcpy(values.data(), raw.data(), raw.size());
    return values;
  };
  EXPECT_EQ(tensor("stem.weight").data_type(), onnx_schema::TensorProto::INT8);
  EXPECT_EQ(tensor("stem.bias").data_type(), onnx_schema::TensorProto::INT32);
  EXPECT_EQ(tensor("stem.weight.zero_point").raw_data(), std::string(2, '\xf7'));
  EXPECT_EQ(floats("stem.weight.scale"), (std::vector<float>{0.5f, 0.3f}));
  EXPECT_EQ(floats("stem.bias.scale"), (std::vector<float>{0.25f * 0.5f, 0.25f * 0.3f}));
  EXPECT_EQ(tensor("stem.zero_point").raw_data(), std::string(1, '\x80'));
  EXPECT_EQ(model.graph().node(0).op_type(), "QuantizeLinear");
  EXPECT_EQ(model.graph().input(0).type().tensor_type().elem_type(), onnx_schema::TensorProto::FLOAT);
  EXPECT_EQ(model.graph().output(0).type().tensor_type().elem_type(), onnx_schema::TensorProto::FLOAT);
}

}  // namespace
}  // namespace linnet::formats
