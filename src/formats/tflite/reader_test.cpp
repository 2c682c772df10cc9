#include "formats/tflite/reader.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "formats/tflite/corpus.h"
#include "formats/tflite/metadata.h"
#include "formats/tflite/model_file.h"
#include "formats/tflite/test_model.h"
#include "graph/builder.h"
#include "graph/passes/passes.h"
#include "reference/interpreter.h"
#include "support/data.h"
#include "support/graph.h"

namespace linnet::formats {
namespace {

using schema::Padding;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Graph read(const std::vector<std::byte>& bytes) {
  auto graph = read_tflite(bytes, "model.tflite");
  EXPECT_TRUE(graph) << (graph ? "" : graph.error().message);
  if (graph) return *std::move(graph);
  GraphBuilder nothing("nothing", {1, 1, 1});
  return std::move(nothing).finish(0).value();
}

std::string refusal(const std::vector<std::byte>& bytes) {
  const auto graph = read_tflite(bytes, "model.tflite");
  EXPECT_FALSE(graph);
  return graph ? "" : graph.error().message;
}

std::vector<float> run(const Graph& graph, const std::vector<float>& image) {
  reference::Interpreter interpreter(graph);
  return linnet::testing::scores_of(interpreter, image);
}

std::vector<float> run(const std::vector<std::byte>& bytes, const std::vector<float>& image) {
  return run(read(bytes), image);
}

std::vector<std::string> operators(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes) names.emplace_back(op_name(node.op));
  return names;
}

// ---- Layers ----

TEST(tflite, a_convolution_keeps_its_weights_bias_and_activation) {
  TestModel m;
  const int x = m.input({1, 1, 2, 2});
  const int w = m.floats({2, 1, 2, 2}, {1, 10, 100, 1000, -1, -1, -1, -1}), b = m.floats({2}, {0.5f, 3});
  const Graph graph =
      read(m.bytes(m.op(Code::CONV_2D, {x, w, b}, {1, 1, 1, 2}, conv(Padding::VALID, 1, Function::RELU))));
  EXPECT_THAT(run(graph, {1, 2, 3, 4}), ElementsAre(4321.5f, 0));
  EXPECT_EQ(graph.nodes[0].name, "image");
  EXPECT_EQ(graph.nodes[1].name, "y0");
  EXPECT_EQ(graph.dialect, Dialect::kTensorflow);
}

TEST(tflite, same_padding_puts_the_odd_row_at_the_end) {
  TestModel m;
  const int x = m.input({1, 4, 4, 1});
  const int w = m.floats({1, 3, 3, 1}, std::vector<float>(9, 1.0f));
  const Graph graph = read(m.bytes(m.op(Code::CONV_2D, {x, w}, {1, 2, 2, 1}, conv(Padding::SAME, 2))));
  EXPECT_EQ(std::get<Convolution>(graph.nodes[1].op).window, (Window{3, 3, 2, 2, {0, 1, 0, 1}}));
}

TEST(tflite, depthwise_weights_are_read_in_place) {
  TestModel m;
  const int x = m.input({1, 1, 2, 2});
  const int w = m.floats({1, 1, 2, 2}, {1, 10, 100, 1000});
  const int y =
      m.op(Code::DEPTHWISE_CONV_2D, {x, w, -1}, {1, 1, 1, 2}, depthwise(Padding::VALID, 1, Function::RELU6));
  EXPECT_THAT(run(m.bytes(y), {0.01f, 0.02f, 0.03f, 4}), ElementsAre(3.01f, 6));
}

TEST(tflite, several_kernels_on_one_channel_become_a_convolution) {
  TestModel m;
  const int x = m.input({1, 1, 2, 1});
  const int w = m.floats({1, 1, 2, 3}, {1, 2, 3, 10, 20, 30});
  const Graph graph = read(m.bytes(m.op(Code::DEPTHWISE_CONV_2D, {x, w}, {1, 1, 1, 3}, depthwise())));
  EXPECT_TRUE(std::holds_alternative<Convolution>(graph.nodes[1].op));
  EXPECT_THAT(run(graph, {1, 2}), ElementsAre(21, 42, 63));
}

TEST(tflite, a_convolution_of_one_group_a_channel_becomes_depthwise) {
  TestModel m;
  const int x = m.input({1, 1, 2, 2});
  const int w = m.floats({2, 1, 2, 1}, {1, 10, 100, 1000});  // [C, R, S, 1]
  const Graph graph = read(m.bytes(m.op(Code::CONV_2D, {x, w}, {1, 1, 1, 2}, conv())));
  EXPECT_TRUE(std::holds_alternative<Depthwise>(graph.nodes[1].op));
  EXPECT_THAT(run(graph, {1, 2, 3, 4}), ElementsAre(31, 4200));
}

TEST(tflite, a_head_of_pool_reshape_linear_and_softmax) {
  TestModel m;
  const int x = m.input({1, 2, 1, 2});
  const int pooled = m.op(Code::AVERAGE_POOL_2D, {x}, {1, 1, 1, 2}, pool(2, 1));
  const int flat = m.op(Code::RESHAPE, {pooled, m.integers({2}, {-1, 2})}, {1, 2});
  const int w = m.floats({2, 2}, {1, 2, 3, 4}), b = m.floats({2}, {10, 0});
  const int scores = m.op(Code::FULLY_CONNECTED, {flat, w, b}, {1, 2}, schema::FullyConnectedOptionsT());
  schema::SoftmaxOptionsT softmax;
  softmax.beta = 1;
  const Graph graph = read(m.bytes(m.op(Code::SOFTMAX, {scores}, {1, 2}, softmax)));
  EXPECT_THAT(operators(graph), ElementsAre("input", "global_average_pool", "identity", "linear", "softmax"));
  // means 2 and 3: scores 18 and 18
  EXPECT_THAT(run(graph, {1, 2, 3, 4}), ElementsAre(0.5f, 0.5f));
}

TEST(tflite, a_mean_over_height_and_width_is_a_pool) {
  for (const auto& axes : {std::vector{1, 2}, std::vector{-2, -3}}) {
    TestModel m;
    const int x = m.input({1, 2, 1, 1});
    EXPECT_THAT(run(m.bytes(m.op(Code::MEAN, {x, m.integers({2}, axes)}, {1, 1})), {1, 4}),
                ElementsAre(2.5f));
  }
}

TEST(tflite, pads_are_zeros_around_the_image) {
  TestModel m;
  const int x = m.input({1, 1, 1, 1});
  const int y = m.op(Code::PAD, {x, m.integers({4, 2}, {0, 0, 1, 0, 0, 2, 0, 0})}, {1, 2, 3, 1});
  EXPECT_THAT(run(m.bytes(y), {5}), ElementsAre(0, 0, 0, 5, 0, 0));
  TestModel v2;
  const int x2 = v2.input({1, 1, 1, 1});
  const int rows =
      v2.constant<std::int64_t>("wide", {4, 2}, {0, 0, 0, 0, 1, 0, 0, 0}, schema::TensorType::INT64);
  EXPECT_THAT(run(v2.bytes(v2.op(Code::PADV2, {x2, rows, v2.floats({}, {0})}, {1, 1, 2, 1})), {5}),
              ElementsAre(0, 5));
}

TEST(tflite, sizes_that_keras_computes_for_a_reshape_are_not_needed) {
  TestModel m;
  const int x = m.input({1, 1, 1, 2});
  const int sizes = m.op(Code::SHAPE, {x}, {4});
  const int batch = m.op(Code::STRIDED_SLICE,
                         {sizes, m.integers({1}, {0}), m.integers({1}, {1}), m.integers({1}, {1})}, {1});
  const int target = m.op(Code::PACK, {batch, m.integers({1}, {2})}, {2});
  const int y = m.op(Code::RESHAPE, {x, target}, {1, 2});
  EXPECT_THAT(run(m.bytes(y), {3, 4}), ElementsAre(3, 4));
  EXPECT_THAT(refusal(m.bytes(m.op(Code::RELU, {target}, {2}))), HasSubstr("computed from shapes"));
}

TEST(tflite, float16_weights_come_through_a_dequantize) {
  TestModel m;
  const int x = m.input({1, 1, 1, 2});
  const int half = m.halves({1, 1, 1, 2}, {0.5f, -2});
  const int w = m.op(Code::DEQUANTIZE, {half}, {1, 1, 1, 2});
  EXPECT_THAT(run(m.bytes(m.op(Code::CONV_2D, {x, w}, {1, 1, 1, 1}, conv())), {4, 3}), ElementsAre(-4));
}

TEST(tflite, a_buffer_behind_the_flatbuffer_is_read_there) {
  TestModel m;
  const int x = m.input({1, 1, 1, 1});
  const int w = m.floats({1, 1, 1, 1}, {0});
  const int y = m.op(Code::CONV_2D, {x, w}, {1, 1, 1, 1}, conv());
  schema::BufferT& buffer = *m.model.buffers[1];
  buffer.data.clear();
  buffer.offset = 2;  // any number, so that the field takes its space
  buffer.size = 4;
  const std::size_t behind = m.bytes(y).size();
  buffer.offset = behind;
  std::vector<std::byte> bytes = m.bytes(y);
  ASSERT_EQ(bytes.size(), behind);
  const auto seven = std::bit_cast<std::array<std::byte, 4>>(7.0f);
  bytes.insert(bytes.end(), seven.begin(), seven.end());
  EXPECT_THAT(run(bytes, {3}), ElementsAre(21));
  bytes.pop_back();
  EXPECT_THAT(refusal(bytes), HasSubstr("is not a constant"));
}

TEST(tflite, names_are_made_unique_and_not_too_long) {
  TestModel m;
  int x = m.input({1, 1, 1, 1});
  for (int i = 0; i < 4; ++i) {
    x = m.op(Code::RELU, {x}, {1, 1, 1, 1});
    m.graph().tensors.back()->name = i < 2 ? "re\nlu;and;what;was;fused" : std::string(1000, 'x');
  }
  const Graph graph = read(m.bytes(x));
  EXPECT_EQ(graph.nodes[1].name, "re_lu");
  EXPECT_EQ(graph.nodes[2].name, "re_lu#2");
  EXPECT_EQ(graph.nodes[4].name, std::string(200, 'x') + "#2");
}

// ---- Arithmetic ----

TEST(tflite, a_residual_adds_and_a_gate_multiplies_in_either_order) {
  TestModel m;
  const int x = m.input({1, 1, 2, 2});
  const int sum = m.op(Code::ADD, {x, x}, {1, 1, 2, 2}, with<schema::AddOptionsT>(Function::RELU6));
  const int gate = m.op(Code::MEAN, {x, m.integers({2}, {1, 2})}, {1, 1, 1, 2});
  const int y = m.op(Code::MUL, {gate, sum}, {1, 1, 2, 2}, with<schema::MulOptionsT>(Function::RELU));
  // Means -1 and 2 times sums 2, 4, 0 and 4.
  EXPECT_THAT(run(m.bytes(y), {1, 2, -3, 2}), ElementsAre(0, 8, 0, 8));
}

TEST(tflite, constants_added_and_multiplied_become_a_batch_norm_that_folds) {
  TestModel m;
  const int x = m.input({1, 1, 1, 2});
  const int w = m.floats({2, 1, 1, 2}, {1, 0, 0, 1});
  int y = m.op(Code::CONV_2D, {x, w}, {1, 1, 1, 2}, conv());
  y = m.op(Code::MUL, {y, m.floats({2}, {2, 3})}, {1, 1, 1, 2}, schema::MulOptionsT());
  y = m.op(Code::ADD, {m.floats({1, 1, 1, 2}, {10, 20}), y}, {1, 1, 1, 2}, schema::AddOptionsT());
  y = m.op(Code::SUB, {y, m.floats({2}, {1, 2})}, {1, 1, 1, 2}, schema::SubOptionsT());
  y = m.op(Code::DIV, {y, m.floats({}, {2})}, {1, 1, 1, 2}, with<schema::DivOptionsT>(Function::RELU));
  const Graph graph = read(m.bytes(y));
  EXPECT_THAT(run(graph, {1, -7}), ElementsAre(5.5f, 0));  // (1 * 2 + 10 - 1) / 2, (-21 + 20 - 2) / 2
  EXPECT_THAT(operators(canonical(graph)), ElementsAre("input", "convolution"));
  EXPECT_THAT(run(canonical(graph), {1, -7}), ElementsAre(5.5f, 0));
  EXPECT_FALSE(graph.preprocessing);
}

TEST(tflite, hard_swish_and_hard_sigmoid_are_put_together_from_their_pieces) {
  const std::vector<int> dims = {1, 1, 4, 1};
  const std::vector<float> image = {-4, -1, 1, 5};
  const auto swish = [](float x) {
    return static_cast<float>(activate(x, Activation::kHardSwish));
  };
  const auto expect_swish = [&](TestModel& m, int y) {
    const Graph graph = read(m.bytes(y));
    EXPECT_THAT(operators(graph), ElementsAre("input", "activation"));
    EXPECT_THAT(run(graph, image), ElementsAre(swish(-4), swish(-1), swish(1), swish(5)));
  };
  {
    TestModel m;
    const int x = m.input(dims);
    expect_swish(m, m.op(Code::HARD_SWISH, {x}, dims));
  }
  {  // x * (relu6(x + 3) * (1 / 6)), the addition with its activation fused
    TestModel m;
    const int x = m.input(dims);
    const int six = m.op(Code::ADD, {x, m.floats({}, {3})}, dims, with<schema::AddOptionsT>(Function::RELU6));
    const int sigmoid = m.op(Code::MUL, {six, m.floats({}, {0.16666667f})}, dims, schema::MulOptionsT());
    expect_swish(m, m.op(Code::MUL, {x, sigmoid}, dims, schema::MulOptionsT()));
  }
  {  // (relu6(3 + x) * x) / 6
    TestModel m;
    const int x = m.input(dims);
    const int three = m.op(Code::ADD, {m.floats({1}, {3}), x}, dims, schema::AddOptionsT());
    const int six = m.op(Code::RELU6, {three}, dims);
    const int product = m.op(Code::MUL, {six, x}, dims, schema::MulOptionsT());
    expect_swish(m, m.op(Code::DIV, {product, m.floats({}, {6})}, dims, schema::DivOptionsT()));
    EXPECT_THAT(refusal(m.bytes(product)), HasSubstr("without the division by 6"));
  }
  {  // the gate of squeeze-and-excite
    TestModel m;
    const int x = m.input(dims);
    const int six = m.op(Code::ADD, {x, m.floats({}, {3})}, dims, with<schema::AddOptionsT>(Function::RELU6));
    const Graph graph =
        read(m.bytes(m.op(Code::MUL, {six, m.floats({}, {1 / 6.0f})}, dims, schema::MulOptionsT())));
    EXPECT_EQ(std::get<Activate>(graph.nodes[1].op).activation, Activation::kHardSigmoid);
    EXPECT_EQ(graph.size(), 2);
  }
}

TEST(tflite, pieces_that_turn_out_to_be_something_else_are_computed_as_they_stand) {
  TestModel m;
  const int x = m.input({1, 1, 1, 2});
  const int three = m.op(Code::ADD, {x, m.floats({}, {3})}, {1, 1, 1, 2}, schema::AddOptionsT());
  EXPECT_THAT(run(m.bytes(three), {-5, 9}), ElementsAre(-2, 12));
  const int six = m.op(Code::RELU6, {three}, {1, 1, 1, 2});
  EXPECT_THAT(run(m.bytes(six), {-5, 9}), ElementsAre(0, 6));
  EXPECT_THAT(run(m.bytes(m.op(Code::ADD, {six, three}, {1, 1, 1, 2}, schema::AddOptionsT())), {-5, 9}),
              ElementsAre(-2, 18));
}

TEST(tflite, a_model_that_rescales_its_own_input_asks_for_raw_pixels) {
  TestModel m;
  const int x = m.input({1, 1, 1, 3});
  int y = m.op(Code::MUL, {x, m.floats({}, {1 / 127.5f})}, {1, 1, 1, 3}, schema::MulOptionsT());
  y = m.op(Code::ADD, {y, m.floats({}, {-1})}, {1, 1, 1, 3}, schema::AddOptionsT());
  const Graph graph = read(m.bytes(y));
  ASSERT_TRUE(graph.preprocessing);
  EXPECT_EQ(graph.preprocessing->rescale, 1.0f);
  EXPECT_THAT(run(graph, {0, 127.5f, 255}), ElementsAre(-1, 0, 1));
}

// ---- Refusals ----

TEST(tflite, what_is_no_mobilenet_is_refused_by_operator_and_name) {
  const std::vector<int> d = {1, 2, 2, 2};
  const auto one = [&](auto build) {
    TestModel m;
    const int x = m.input(d);
    const int y = build(m, x);
    return refusal(m.bytes(y));
  };
  EXPECT_THAT(one([&](TestModel& m, int x) { return m.op(Code::LOGISTIC, {x}, d); }),
              HasSubstr("model.tflite: LOGISTIC \"y0\": a sigmoid is no part of a MobileNet"));
  EXPECT_THAT(one([&](TestModel& m, int x) { return m.op(Code::MAX_POOL_2D, {x}, d, pool(2, 2)); }),
              HasSubstr("MAX_POOL_2D \"y0\""));
  EXPECT_THAT(one([&](TestModel& m, int x) { return m.op(Code::TRANSPOSE, {x}, d); }),
              HasSubstr("export the model channels last"));
  EXPECT_THAT(one([&](TestModel& m, int x) { return m.op(Code(175), {x}, d); }), HasSubstr("number 175"));
  EXPECT_THAT(one([&](TestModel& m, int x) {
                const int y = m.op(Code::CUSTOM, {x}, d);
                m.model.operator_codes[0]->custom_code = "Magic";
                return y;
              }),
              HasSubstr("CUSTOM:Magic"));
  EXPECT_THAT(one([&](TestModel& m, int x) {
                auto o = conv();
                o.dilation_h = 2;
                return m.op(Code::CONV_2D, {x, m.counting({2, 1, 1, 2})}, d, o);
              }),
              HasSubstr("dilation 2x1"));
  EXPECT_THAT(one([&](TestModel& m, int x) {
                return m.op(Code::CONV_2D, {x, m.counting({4, 1, 1, 1})}, {1, 2, 2, 4}, conv());
              }),
              HasSubstr("Linnet runs group=1 or group=channels"));
  EXPECT_THAT(
      one([&](TestModel& m, int x) {
        return m.op(Code::DEPTHWISE_CONV_2D, {x, m.counting({1, 1, 1, 4})}, {1, 2, 2, 4}, depthwise());
      }),
      HasSubstr("depth multiplier of 1"));
  EXPECT_THAT(one([&](TestModel& m, int x) {
                return m.op(Code::ADD, {x, x}, d, with<schema::AddOptionsT>(Function::TANH));
              }),
              HasSubstr("fused activation TANH"));
  EXPECT_THAT(one([&](TestModel& m, int x) {
                return m.op(Code::CONV_2D, {x, m.counting({2, 1, 1, 2})}, d);
              }),
              HasSubstr("options are missing"));
  EXPECT_THAT(one([&](TestModel& m, int x) {
                return m.op(Code::CONV_2D, {x, x}, d, conv());
              }),
              HasSubstr("is not a constant"));
  EXPECT_THAT(one([&](TestModel& m, int x) {
                return m.op(Code::CONV_2D, {x, m.counting({2, 1, 1, 2})}, d, conv(Padding::SAME, 0));
              }),
              HasSubstr("stride 0x0 is not a window"));
  EXPECT_THAT(one([&](TestModel& m, int x) {
                return m.op(Code::AVERAGE_POOL_2D, {x}, {1, 1, 2, 2}, pool(2, 1));
              }),
              HasSubstr("pools the whole image"));
  EXPECT_THAT(one([&](TestModel& m, int x) {
                return m.op(Code::MEAN, {x, m.integers({1}, {3})}, {1, 2, 2});
              }),
              HasSubstr("over height and width"));
  EXPECT_THAT(one([&](TestModel& m, int x) {
                return m.op(Code::RESHAPE, {x, m.integers({2}, {1, 8})}, {1, 8});
              }),
              HasSubstr("reshapes 2x2x2 to [1, 8]"));
  EXPECT_THAT(one([&](TestModel& m, int x) {
                return m.op(Code::PAD, {x, m.integers({4, 2}, {0, 0, 0, 0, 0, 0, 0, 1})}, {1, 2, 2, 3});
              }),
              HasSubstr("pads the batch or the channels"));
  EXPECT_THAT(one([&](TestModel& m, int x) {
                return m.op(Code::PADV2, {x, m.integers({4, 2}, std::vector<int>(8)), m.floats({}, {1})}, d);
              }),
              HasSubstr("something else than 0"));
  EXPECT_THAT(
      one([&](TestModel& m, int x) { return m.op(Code::SOFTMAX, {x}, d, schema::SoftmaxOptionsT()); }),
      HasSubstr("beta is 0"));
  EXPECT_THAT(one([&](TestModel& m, int x) {
                return m.op(Code::MUL, {x, x}, d, schema::MulOptionsT());
              }),
              HasSubstr("the gate of 2x2x2"));
  EXPECT_THAT(one([&](TestModel& m, int x) {
                return m.op(Code::SUB, {x, x}, d, schema::SubOptionsT());
              }),
              HasSubstr("of two activations"));
  EXPECT_THAT(one([&](TestModel& m, int x) {
                return m.op(Code::SUB, {m.floats({}, {1}), x}, d, schema::SubOptionsT());
              }),
              HasSubstr("constant on its left"));
  EXPECT_THAT(one([&](TestModel& m, int x) {
                return m.op(Code::ADD, {x, m.floats({2, 1}, {1, 2})}, d, schema::AddOptionsT());
              }),
              HasSubstr("one number, or one a channel"));
  EXPECT_THAT(one([&](TestModel& m, int x) {
                return m.op(Code::RELU, {x}, {1, 4, 2, 2});
              }),
              HasSubstr("computes 2x2x2, but the file declares [1, 4, 2, 2]"));
  EXPECT_THAT(one([&](TestModel& m, int) { return m.op(Code::RELU, {3}, d); }),
              HasSubstr("read before it is computed"));
  EXPECT_THAT(one([&](TestModel& m, int x) { return m.op(Code::DEQUANTIZE, {x}, d); }),
              HasSubstr("float16 weights"));
  EXPECT_THAT(one([&](TestModel& m, int x) { return m.op(Code::QUANTIZE, {x}, d); }), HasSubstr("quantised"));
}

TEST(tflite, graphs_of_another_shape_are_refused) {
  const auto build = [](auto change) {
    TestModel m;
    const int x = m.input({1, 1, 1, 2});
    m.graph().outputs = {m.op(Code::RELU, {x}, {1, 1, 1, 2})};
    change(m);
    return refusal(m.bytes());
  };
  EXPECT_THAT(build([](TestModel& m) { m.model.version = 2; }), HasSubstr("schema version 2"));
  EXPECT_THAT(build([](TestModel& m) { m.model.subgraphs.clear(); }), HasSubstr("holds no graph"));
  EXPECT_THAT(build([](TestModel& m) { m.graph().inputs = {}; }), HasSubstr("has 0 inputs"));
  EXPECT_THAT(build([](TestModel& m) { m.graph().inputs = {99}; }), HasSubstr("tensor 99 does not exist"));
  EXPECT_THAT(build([](TestModel& m) { m.graph().outputs = {0, 1}; }), HasSubstr("has 2 outputs"));
  EXPECT_THAT(build([](TestModel& m) { m.graph().outputs = {-7}; }), HasSubstr("output"));
  EXPECT_THAT(build([](TestModel& m) {
                m.graph().tensors[0]->shape = {2, 1, 1, 2};
              }),
              HasSubstr("batch of one"));
  EXPECT_THAT(build([](TestModel& m) {
                m.graph().tensors[0]->shape = {1, 0, 1, 2};
              }),
              HasSubstr("dimension of 0"));
  EXPECT_THAT(build([](TestModel& m) {
                m.graph().tensors[0]->shape = {1, 1 << 30, 1 << 30, 1 << 30};
              }),
              HasSubstr("more than"));
  EXPECT_THAT(build([](TestModel& m) {
                m.graph().tensors[0]->shape_signature = {-1, -1, -1, 2};
              }),
              HasSubstr("not fixed"));
  EXPECT_THAT(build([](TestModel& m) { m.graph().tensors[0]->type = schema::TensorType::FLOAT16; }),
              HasSubstr("is FLOAT16"));
  EXPECT_THAT(build([](TestModel& m) { m.last().opcode_index = 5; }), HasSubstr("code number 5"));
  EXPECT_THAT(build([](TestModel& m) { m.last().outputs = {}; }), HasSubstr("0 outputs"));
  EXPECT_THAT(build([](TestModel& m) { m.last().outputs = {0}; }), HasSubstr("has a value already"));
}

TEST(tflite, weights_that_do_not_fit_their_buffer_are_refused) {
  TestModel m;
  const int x = m.input({1, 1, 1, 1});
  const int w = m.floats({1, 1, 1, 1}, {1, 2});
  EXPECT_THAT(refusal(m.bytes(m.op(Code::CONV_2D, {x, w}, {1, 1, 1, 1}, conv()))),
              HasSubstr("has 1 values but 8 bytes"));
}

TEST(tflite, one_constant_used_over_and_over_does_not_fill_the_memory) {
  TestModel m;
  const int x = m.input({1, 1, 1, 1});
  const int half = m.halves({1 << 16}, std::vector<float>(1 << 16));
  for (int i = 0; i < 100; ++i) m.op(Code::DEQUANTIZE, {half}, {1 << 16});
  EXPECT_THAT(refusal(m.bytes(x)), HasSubstr("used over and over"));
}

// ---- Damage ----

TEST(tflite, a_file_cut_at_any_byte_is_an_error) {
  for (const auto& [name, whole] : tflite_corpus()) {
    if (name == "without_its_labels.tflite") continue;  // an error as it stands
    EXPECT_TRUE(read_tflite(whole, name)) << read_tflite(whole, name).error().message;
    for (std::size_t n = 0; n < whole.size(); ++n) {
      const auto cut = read_tflite(std::span(whole).first(n), "cut.tflite");
      ASSERT_FALSE(cut) << name << ": " << n << " of " << whole.size() << " bytes were accepted";
      EXPECT_THAT(cut.error().message, HasSubstr("cut.tflite: "));
    }
  }
}

TEST(tflite, every_byte_may_be_wrong_without_a_crash) {
  for (const auto& [name, whole] : tflite_corpus())
    for (std::size_t i = 0; i < whole.size(); ++i)
      for (const int wrong : {0x00, 0x7f, 0x80, 0xff}) {
        std::vector<std::byte> bytes = whole;
        bytes[i] = std::byte(wrong);
        const auto graph = read_tflite(bytes, "wrong");
        EXPECT_TRUE(!graph || validate(*graph)) << name << ", byte " << i;
      }
}

TEST(tflite, the_fuzzers_seeds_are_those_that_the_generator_writes) {
  for (const auto& [name, bytes] : tflite_corpus()) {
    const auto path = testing::repository_data("corpus/tflite/" + name);
    const auto stored = MappedFile::open(path);
    ASSERT_TRUE(stored) << stored.error().message << "; write it with write_tflite_corpus";
    // Another version of flatbuffers may lay the same tables out otherwise.
    EXPECT_EQ(read_tflite(stored->bytes(), name).has_value(), read_tflite(bytes, name).has_value()) << name;
  }
}

// ---- Metadata ----

TEST(tflite, labels_and_normalisation_come_from_the_metadata) {
  const auto graph = read_tflite(tflite_corpus()["labelled.tflite"], "model.tflite");
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_THAT(graph->labels, ElementsAre("cat", "dog"));
  ASSERT_TRUE(graph->preprocessing);
  EXPECT_THAT(graph->preprocessing->mean, ElementsAre(0.5f, 0.5f, 0.5f));
  EXPECT_THAT(graph->preprocessing->deviation, ElementsAre(0.5f, 0.25f, 1.0f));
  EXPECT_EQ(graph->preprocessing->rescale, tensorflow_preprocessing().rescale);
}

TEST(tflite, labels_that_are_missing_or_too_many_are_an_error) {
  const std::vector<std::byte> bare = tflite_corpus()["without_its_labels.tflite"];
  EXPECT_THAT(refusal(bare), HasSubstr("names the label file \"labels.txt\", but no archive is appended"));
  EXPECT_THAT(refusal(with_labels(bare, "cat\ndog\nbird\n")), HasSubstr("3 labels for an output of 1x1x2"));
  EXPECT_THAT(refusal(with_labels(bare, "cat\n\xff\n")), HasSubstr("not UTF-8"));
  std::vector<std::byte> damaged = with_labels(bare, "cat\ndog\n");
  damaged[bare.size() + 30 + 10] = std::byte('b');  // the first letter of the text: its checksum is wrong now
  EXPECT_THAT(refusal(damaged), HasSubstr("its checksum is wrong"));
}

TEST(tflite, real_files_carry_their_labels) {
  LINNET_DATA_OR_SKIP(path, "models/tflite/tf2_mobilenet_v2_1.0_224_ptq.tflite");
  const auto bytes = MappedFile::open(path);
  ASSERT_TRUE(bytes);
  const auto file = tflite::ModelFile::open(bytes->bytes(), bytes->owner(), "real");
  ASSERT_TRUE(file) << file.error().message;
  const auto metadata = tflite::read_metadata(*file);
  ASSERT_TRUE(metadata) << metadata.error().message;
  ASSERT_EQ(metadata->labels.size(), 1001u);
  EXPECT_EQ(metadata->labels[1], "tench, Tinca tinca");
  ASSERT_TRUE(metadata->preprocessing);
}

// ---- Files ----

TEST(tflite, another_format_is_told_apart) {
  const std::string_view html = "<!DOCTYPE html><html>not found</html>";
  const auto graph = read_tflite(std::as_bytes(std::span(html)), "page.tflite");
  EXPECT_THAT(graph.error().message, HasSubstr("not a TFLite model"));
  EXPECT_THAT(read_tflite("/nonexistent.tflite").error().message,
              HasSubstr("/nonexistent.tflite: cannot open"));
}

TEST(tflite, constants_view_the_mapped_file_and_outlive_the_reader) {
  const testing::ScratchFolder folder;
  const auto path = folder.path() / "small.tflite";
  const std::vector<std::byte> bytes = tflite_corpus()["plain.tflite"];
  const std::span<const std::byte> part = bytes;
  ASSERT_TRUE(write_file(path, std::span(&part, 1)));
  const auto graph = read_tflite(path);
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_EQ(graph->name, "small");
  std::vector<float> image(48, 1.0f);
  EXPECT_EQ(run(*graph, image), run(bytes, image));
}

// ---- Real files ----

TEST(tflite, tensorflows_mobilenet_v1_is_read_whole) {
  LINNET_DATA_OR_SKIP(path, "models/tflite/mobilenet_v1_0.25_224_float32.tflite");
  const auto graph = read_tflite(path);
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_EQ(graph->input_shape(), (Shape{224, 224, 3}));
  EXPECT_EQ(graph->output_shape(), (Shape{1, 1, 1001}));
  EXPECT_EQ(canonical(*graph).size(), 1 + 27 + 1 + 1);  // input, convolutions, pool, classifier
}

TEST(tflite, a_real_file_cut_anywhere_is_an_error) {
  LINNET_DATA_OR_SKIP(path, "models/tflite/vww_96_float.tflite");
  const auto file = MappedFile::open(path);
  ASSERT_TRUE(file);
  for (std::size_t n = 0; n < file->bytes().size(); n += 9973)
    EXPECT_FALSE(read_tflite(file->bytes().first(n), "cut.tflite")) << n;
}

}  // namespace
}  // namespace linnet::formats
