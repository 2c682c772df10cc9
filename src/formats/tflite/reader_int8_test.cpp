// int8 and uint8 models.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/tflite/corpus.h"
#include "formats/tflite/reader.h"
#include "formats/tflite/test_model.h"
#include "graph/passes/passes.h"
#include "reference/interpreter.h"
#include "support/data.h"
#include "support/graph.h"

namespace linnet::formats {
namespace {

using enum schema::TensorType;
using schema::Padding;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Result<Graph> read(const std::vector<std::byte>& bytes) { return read_tflite(bytes, "model.tflite"); }

std::string refusal(const std::vector<std::byte>& bytes) {
  const auto graph = read(bytes);
  EXPECT_FALSE(graph);
  return graph ? "" : graph.error().message;
}

std::vector<float> run(const Graph& graph, const std::vector<float>& image) {
  reference::Interpreter interpreter(graph);
  return linnet::testing::scores_of(interpreter, image);
}

std::vector<std::string> operators(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes) names.emplace_back(op_name(node.op));
  return names;
}

/// A model of int8 values: 0.5 * q unless a tensor says otherwise.
struct Int8Model : TestModel {
  int q(int tensor, float scale = 0.5f, int zero = 0) { return quantize(tensor, INT8, {scale}, zero); }
  int image(std::vector<int> dims, float scale = 0.5f, int zero = 0) {
    return q(input(std::move(dims)), scale, zero);
  }
  template <class Options>
  int layer(Code code, std::vector<int> inputs, std::vector<int> dims, Options options) {
    return q(op(code, std::move(inputs), std::move(dims), std::move(options)));
  }
};

// ---- Layers ----

TEST(tflite_int8, a_convolution_keeps_its_integers_scales_and_zero_points) {
  Int8Model m;
  const int x = m.image({1, 1, 1, 2}, 0.5f, 3);
  const int w = m.int8s({2, 1, 1, 2}, {-128, 2, 3, 127}, {0.25f, 0.125f});
  const int b = m.int32s({1000, -7}, {0.125f, 0.0625f});
  const int y = m.op(Code::CONV_2D, {x, w, b}, {1, 1, 1, 2}, conv(Padding::VALID, 1, Function::RELU6));
  const auto graph = read(m.bytes(m.q(y, 0.75f, -4)));
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_EQ(graph->nodes[0].quantization, (Quantization{0.5f, 3}));
  EXPECT_EQ(graph->nodes[1].quantization, (Quantization{0.75f, -4}));
  const auto& op = std::get<Convolution>(graph->nodes[1].op);
  EXPECT_THAT(op.weight.values<std::int8_t>(), ElementsAre(-128, 2, 3, 127));
  EXPECT_THAT(op.bias.values<std::int32_t>(), ElementsAre(1000, -7));
  EXPECT_THAT(op.weight_scale.values(), ElementsAre(0.25f, 0.125f));
  EXPECT_EQ(op.weight_zero_point, 0);
  EXPECT_EQ(op.activation, Activation::kRelu6);
}

TEST(tflite_int8, one_scale_for_all_weights_becomes_one_a_channel) {
  Int8Model m;
  const int x = m.image({1, 1, 1, 2});
  const int w = m.int8s({3, 2}, {1, 2, 3, 4, 5, 6}, {0.25f});
  const auto graph = read(m.bytes(m.layer(Code::FULLY_CONNECTED, {x, w, m.int32s({4, 0, -4}, {0.125f})},
                                          {1, 3}, schema::FullyConnectedOptionsT())));
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_THAT(std::get<Linear>(graph->nodes[1].op).weight_scale.values(), ElementsAre(0.25f, 0.25f, 0.25f));
  // (2 + 8) / 4 + 0.5, 5.5, 8.5 - 0.5 with x = 2, 4
  EXPECT_THAT(run(*graph, {2, 4}), ElementsAre(3, 5.5f, 8));
}

TEST(tflite_int8, depthwise_scales_lie_along_the_last_dimension) {
  Int8Model m;
  const int x = m.image({1, 1, 2, 2});
  const int w = m.int8s({1, 1, 2, 2}, {1, 2, 3, 4}, {1, 0.5f}, 3);
  const auto graph = read(m.bytes(m.layer(Code::DEPTHWISE_CONV_2D, {x, w}, {1, 1, 1, 2}, depthwise())));
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_THAT(run(*graph, {1, 2, 3, 4}), ElementsAre(10, 10));
  Int8Model wrong;
  const int first = wrong.int8s({1, 1, 2, 2}, {1, 2, 3, 4}, {1, 0.5f}, 0);
  EXPECT_THAT(
      refusal(wrong.bytes(wrong.layer(Code::DEPTHWISE_CONV_2D, {wrong.image({1, 1, 2, 2}), first},
                                      {1, 1, 1, 2}, depthwise()))),
      HasSubstr("DEPTHWISE_CONV_2D \"y0\": \"weights\" is [1, 1, 2, 2] with 2 scales along dimension 0"));
}

TEST(tflite_int8, weights_that_are_turned_around_keep_their_channels_scales) {
  Int8Model grouped;  // [C, R, S, 1] is depthwise
  const int g = grouped.int8s({2, 1, 2, 1}, {1, 10, 20, 30}, {1, 0.5f});
  const auto depth = read(
      grouped.bytes(grouped.layer(Code::CONV_2D, {grouped.image({1, 1, 2, 2}), g}, {1, 1, 1, 2}, conv())));
  ASSERT_TRUE(depth) << depth.error().message;
  EXPECT_THAT(operators(*depth), ElementsAre("input", "depthwise"));
  EXPECT_THAT(run(*depth, {1, 2, 3, 0.5f}), ElementsAre(31, 27.5f));
  Int8Model several;  // [1, R, S, K] on one channel is dense
  const int s = several.int8s({1, 1, 2, 3}, {1, 2, 3, 10, 20, 30}, {1, 0.5f, 1}, 3);
  const auto dense = read(several.bytes(
      several.layer(Code::DEPTHWISE_CONV_2D, {several.image({1, 1, 2, 1}), s}, {1, 1, 1, 3}, depthwise())));
  ASSERT_TRUE(dense) << dense.error().message;
  EXPECT_THAT(run(*dense, {1, 2}), ElementsAre(21, 21, 63));
}

TEST(tflite_int8, uint8_loses_128_in_values_and_zero_points) {
  TestModel m;
  const int x = m.quantize(m.input({1, 1, 1, 2}), UINT8, {0.5f}, 128);
  const int w = m.uint8s({1, 1, 1, 2}, {0, 255}, 0.25f, 153);
  const int y = m.op(Code::CONV_2D, {x, w, m.int32s({8}, {0.125f})}, {1, 1, 1, 1}, conv());
  const auto graph = read(m.bytes(m.quantize(y, UINT8, {1}, 0)));
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_EQ(graph->nodes[0].quantization, (Quantization{0.5f, 0}));
  EXPECT_EQ(graph->nodes[1].quantization, (Quantization{1, -128}));
  const auto& op = std::get<Convolution>(graph->nodes[1].op);
  EXPECT_THAT(op.weight.values<std::int8_t>(), ElementsAre(-128, 127));
  EXPECT_EQ(op.weight_zero_point, 25);
  EXPECT_THAT(run(*graph, {-1, 2}), ElementsAre(90));  // (153 + 2 * 102) / 4 + 1 = 90.25
}

TEST(tflite_int8, every_operator_that_int8_knows_is_read) {
  const auto graph = read(tflite_corpus()["int8.tflite"]);
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_THAT(operators(*graph), ElementsAre("input", "convolution", "depthwise", "activation",
                                             "global_average_pool", "activation", "multiply", "add", "pad",
                                             "activation", "global_average_pool", "identity", "linear"));
  EXPECT_EQ(std::get<Activate>(graph->nodes[3].op).activation, Activation::kHardSwish);
  EXPECT_EQ(std::get<Activate>(graph->nodes[5].op).activation, Activation::kHardSigmoid);
  EXPECT_EQ(graph->nodes[5].quantization, (Quantization{1 / 256.0f, -128}));
  EXPECT_EQ(std::get<Activate>(graph->nodes[9].op).activation, Activation::kNone);
  EXPECT_EQ(graph->nodes[9].quantization, (Quantization{0.07f, -90}));
  EXPECT_EQ(graph->nodes[12].quantization, (Quantization{0.2f, 0}));  // the logits, not their softmax
  EXPECT_TRUE(validate(canonical(*graph)));
}

TEST(tflite_int8, an_activation_after_a_product_or_a_pool_stands_behind_it) {
  Int8Model m;
  const int x = m.image({1, 1, 2, 1});
  const int mean = m.q(m.op(Code::MEAN, {x, m.integers({2}, {1, 2})}, {1, 1, 1, 1}));
  const auto graph =
      read(m.bytes(m.layer(Code::MUL, {x, mean}, {1, 1, 2, 1}, with<schema::MulOptionsT>(Function::RELU))));
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_THAT(run(*graph, {-1, 3}), ElementsAre(0, 3));
}

// ---- The ends ----

TEST(tflite_int8, quantize_and_dequantize_at_the_ends_vanish) {
  Int8Model m;
  const int x = m.q(m.op(Code::QUANTIZE, {m.input({1, 1, 1, 2})}, {1, 1, 1, 2}), 0.25f, 5);
  const int y = m.q(m.op(Code::RELU, {x}, {1, 1, 1, 2}), 0.5f, -128);
  const int real = m.op(Code::DEQUANTIZE, {y}, {1, 1, 1, 2});
  const auto graph = read(m.bytes(m.op(Code::RESHAPE, {real, m.integers({2}, {1, 2})}, {1, 2})));
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_THAT(operators(*graph), ElementsAre("input", "activation", "identity"));
  EXPECT_EQ(graph->nodes[0].quantization, (Quantization{0.25f, 5}));
  EXPECT_EQ(graph->nodes[2].quantization, (Quantization{0.5f, -128}));
}

TEST(tflite_int8, a_uint8_input_requantised_to_the_same_int8_vanishes_too) {
  Int8Model m;
  const int x = m.quantize(m.input({1, 1, 1, 2}), UINT8, {0.25f}, 127);
  const int y = m.q(m.op(Code::QUANTIZE, {x}, {1, 1, 1, 2}), 0.25f, -1);
  const auto graph = read(m.bytes(m.quantize(m.op(Code::QUANTIZE, {y}, {1, 1, 1, 2}), UINT8, {0.5f}, 100)));
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_THAT(operators(*graph), ElementsAre("input", "activation"));
  EXPECT_EQ(graph->nodes[1].quantization, (Quantization{0.5f, -28}));
}

TEST(tflite_int8, a_softmax_is_read_at_the_end_only) {
  Int8Model m;
  schema::SoftmaxOptionsT softmax;
  softmax.beta = 1;
  const int y =
      m.q(m.op(Code::SOFTMAX, {m.image({1, 1, 1, 2}, 0.25f, 7)}, {1, 1, 1, 2}, softmax), 1 / 256.0f, -128);
  const int flat = m.q(m.op(Code::SQUEEZE, {y}, {1, 2}), 1 / 256.0f, -128);
  const auto graph = read(m.bytes(m.op(Code::DEQUANTIZE, {flat}, {1, 2})));
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_EQ(graph->output, 0);
  EXPECT_THAT(refusal(m.bytes(m.q(m.op(Code::RELU, {flat}, {1, 1, 1, 2})))),
              HasSubstr("RELU \"y3\": \"y1\" is the result of a SOFTMAX"));
}

TEST(tflite_int8, a_softmax_of_floats_behind_the_dequantize_goes_the_same_way) {
  Int8Model m;
  schema::SoftmaxOptionsT softmax;
  softmax.beta = 1;
  const int y = m.q(m.op(Code::RELU, {m.image({1, 1, 1, 2})}, {1, 1, 1, 2}), 0.25f, 7);
  const int real = m.op(Code::DEQUANTIZE, {y}, {1, 1, 1, 2});
  const auto graph = read(m.bytes(m.op(Code::SOFTMAX, {real}, {1, 1, 1, 2}, softmax)));
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_THAT(operators(*graph), ElementsAre("input", "activation"));
}

TEST(tflite_int8, the_input_tells_which_pixels_it_wants) {
  const auto preprocessing = [](float scale, int zero) {
    Int8Model m;
    return read(m.bytes(m.q(m.op(Code::RELU, {m.image({1, 1, 1, 3}, scale, zero)}, {1, 1, 1, 3}))))
        .value()
        .preprocessing;
  };
  const Quantization usual[] = {{1 / 128.0f, 0}, {2 / 255.0f, -1}, {1 / 255.0f, -128}, {1, -128}};
  for (const auto& [scale, zero] : usual) {
    const auto p = preprocessing(scale, zero);
    ASSERT_TRUE(p) << scale;
    EXPECT_EQ(p->central_fraction.has_value(), scale < 1 && zero > -128);
    for (int pixel = 0; pixel < 256; ++pixel) {  // what is stored is the pixel
      const double real = (pixel * p->rescale - double{p->mean[0]}) / double{p->deviation[0]};
      EXPECT_NEAR(real / double{scale} + zero, pixel - 128, 1e-3) << scale;
    }
  }
  EXPECT_FALSE(preprocessing(0.0186f, -14));
}

TEST(tflite_int8, an_input_is_quantised_in_one_way) {
  Int8Model m;
  const int image = m.input({1, 1, 1, 2});
  const int a = m.q(m.op(Code::QUANTIZE, {image}, {1, 1, 1, 2}));
  const int b = m.q(m.op(Code::QUANTIZE, {image}, {1, 1, 1, 2}));
  const int sum = m.layer(Code::ADD, {a, b}, {1, 1, 1, 2}, schema::AddOptionsT());
  const auto graph = read(m.bytes(sum));
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_THAT(graph->nodes[1].inputs, ElementsAre(0, 0));
  m.q(b, 0.25f);
  EXPECT_THAT(refusal(m.bytes(sum)), HasSubstr("QUANTIZE \"y1\": quantises the input a second time"));
}

// ---- Refusals ----

TEST(tflite_int8, weights_alone_in_integers_are_refused_with_what_to_do) {
  TestModel hybrid;
  const int w = hybrid.int8s({2, 1, 1, 2}, {1, 2, 3, 4}, {0.25f});
  const std::string why =
      refusal(hybrid.bytes(hybrid.op(Code::CONV_2D, {hybrid.input({1, 1, 1, 2}), w}, {1, 1, 1, 2}, conv())));
  EXPECT_THAT(why, HasSubstr("CONV_2D \"y0\": \"weights\" is INT8 in a layer of float values"));
  EXPECT_THAT(why, HasSubstr("full integer quantisation"));
  TestModel unpacked;
  const int stored = unpacked.int8s({2, 1, 1, 2}, {1, 2, 3, 4}, {0.25f});
  const int real = unpacked.op(Code::DEQUANTIZE, {stored}, {2, 1, 1, 2});
  EXPECT_THAT(refusal(unpacked.bytes(
                  unpacked.op(Code::CONV_2D, {unpacked.input({1, 1, 1, 2}), real}, {1, 1, 1, 2}, conv()))),
              HasSubstr("DEQUANTIZE \"y0\": of something else than float16 weights: \"weights\" is INT8"));
}

TEST(tflite_int8, sixteen_bits_and_islands_of_float_are_refused) {
  Int8Model wide;
  const int x = wide.quantize(wide.input({1, 1, 1, 2}), INT16, {0.5f});
  EXPECT_THAT(refusal(wide.bytes(wide.q(wide.op(Code::RELU, {x}, {1, 1, 1, 2})))),
              HasSubstr("the input \"image\" is INT16"));
  Int8Model middle;
  const int y =
      middle.quantize(middle.op(Code::RELU, {middle.image({1, 1, 1, 2})}, {1, 1, 1, 2}), INT16, {0.5f});
  EXPECT_THAT(refusal(middle.bytes(y)), HasSubstr("RELU \"y0\": \"y0\" is INT16 in a quantised model"));
  Int8Model island;
  const int real = island.op(Code::DEQUANTIZE, {island.image({1, 1, 1, 2})}, {1, 1, 1, 2});
  EXPECT_THAT(refusal(island.bytes(island.op(Code::RELU, {real}, {1, 1, 1, 2}))),
              HasSubstr("RELU \"y1\": \"y1\" is FLOAT32 in a quantised model"));
  Int8Model late;
  const int floats = late.op(Code::RELU, {late.input({1, 1, 1, 2})}, {1, 1, 1, 2});
  EXPECT_THAT(refusal(late.bytes(late.q(late.op(Code::QUANTIZE, {floats}, {1, 1, 1, 2})))),
              HasSubstr("RELU \"y0\": reads the input before it is quantised"));
}

TEST(tflite_int8, what_has_no_int8_form_is_refused_by_operator_and_tensor) {
  const std::vector<int> d = {1, 1, 1, 2};
  const auto one = [&](auto build) {
    Int8Model m;
    const int x = m.image(d);
    return refusal(m.bytes(m.q(build(m, x))));
  };
  EXPECT_THAT(one([&](Int8Model& m, int x) { return m.op(Code::LOGISTIC, {x}, d); }),
              HasSubstr("LOGISTIC \"y0\": a sigmoid is no part of a MobileNet"));
  EXPECT_THAT(one([&](Int8Model& m, int x) {
                return m.op(Code::MUL, {x, m.int8s({2}, {1, 2}, {1})}, d, schema::MulOptionsT());
              }),
              HasSubstr("MUL \"y0\": computes with the constant \"weights\""));
  EXPECT_THAT(one([&](Int8Model& m, int x) {
                const int three = m.op(Code::ADD, {x, m.int8s({}, {3}, {1})}, d, schema::AddOptionsT());
                return m.op(Code::RELU, {m.q(three)}, d);
              }),
              HasSubstr("\"y0\" is x + 3 without what would make it a hard-sigmoid"));
  EXPECT_THAT(
      one([&](Int8Model& m, int x) {
        const int b = m.int32s({1}, {0.5f});
        return m.op(Code::CONV_2D, {x, m.int8s({1, 1, 1, 2}, {1, 2}, {0.5f}), b}, {1, 1, 1, 1}, conv());
      }),
      HasSubstr("channel 0 of bias \"bias\" has the scale 0.5, expected that of the input times that of the "
                "weights, 0.25"));
  EXPECT_THAT(one([&](Int8Model& m, int x) {
                return m.op(Code::CONV_2D, {x, m.floats({1, 1, 1, 2}, {1, 2})}, {1, 1, 1, 1}, conv());
              }),
              HasSubstr("\"constant\" is FLOAT32; a quantised layer has INT8 or UINT8 weights"));
  EXPECT_THAT(
      one([&](Int8Model& m, int x) {
        return m.op(Code::PADV2, {x, m.integers({4, 2}, std::vector<int>(8)), m.int8s({}, {1}, {1})}, d);
      }),
      HasSubstr("pads with something else than 0"));
  EXPECT_THAT(one([&](Int8Model& m, int x) {
                return m.q(m.op(Code::RESHAPE, {m.q(m.op(Code::RELU, {x}, d), 0.25f), -1}, {1, 2}), 0.125f);
              }),
              HasSubstr("moves values of scale 0.25 and zero point 0 into \"y1\" of scale 0.5"));
}

TEST(tflite_int8, scales_that_make_no_sense_are_refused) {
  const auto one = [](auto change) {
    Int8Model m;
    const int x = m.image({1, 1, 1, 2});
    const int w = m.int8s({2, 1, 1, 2}, {1, 2, 3, 4}, {0.5f, 0.25f});
    const int y = m.layer(Code::CONV_2D, {x, w}, {1, 1, 1, 2}, conv());
    const auto of = [&](int tensor) -> schema::QuantizationParametersT& {
      return *m.graph().tensors[static_cast<std::size_t>(tensor)]->quantization;
    };
    change(of(x), of(w), of(y));
    return refusal(m.bytes(y));
  };
  EXPECT_THAT(one([](auto& x, auto&, auto&) { x.scale.clear(); }),
              HasSubstr("input: \"image\" is INT8 without a scale"));
  EXPECT_THAT(one([](auto&, auto& w, auto&) { w.scale.pop_back(); }),
              HasSubstr("1 scales but 2 zero points"));
  EXPECT_THAT(one([](auto&, auto& w, auto&) { w.zero_point[1] = 9; }), HasSubstr("zero points 0 and 9"));
  EXPECT_THAT(one([](auto&, auto& w, auto&) { w.scale[1] = -1; }), HasSubstr("channel 1: the scales"));
  EXPECT_THAT(one([](auto&, auto&, auto& y) { y.zero_point[0] = 128; }),
              HasSubstr("CONV_2D \"y0\": \"y0\" has the zero point 128, which INT8 cannot hold"));
  EXPECT_THAT(one([](auto&, auto&, auto& y) {
                y.scale = {1, 2}, y.zero_point = {0, 0};
              }),
              HasSubstr("2 scales"));
  EXPECT_THAT(one([](auto&, auto&, auto& y) { y.scale[0] = 0; }), HasSubstr("its scale is 0"));
}

TEST(tflite_int8, zero_points_that_lie_on_four_bytes_are_read_all_the_same) {
  // Found by the fuzzer: flatbuffers' verifier lets it pass, the undefined-behaviour sanitizer does not.
  const auto graph =
      read_tflite(linnet::testing::repository_data("corpus/tflite/misaligned_zero_point.tflite"));
  EXPECT_TRUE(!graph || validate(*graph));
}

// ---- Real files ----

TEST(tflite_int8, the_real_files_are_read_whole) {
  struct File {
    const char* name;
    int side, classes, layers;
    Quantization input, logits;
  };
  const File files[] = {
      {"mobilenet_v1_0.25_224_quant", 224, 1001, 30, {0.0078125f, 0}, {0.143289f, 93 - 128}},
      {"mobilenet_v1_0.5_160_quant", 160, 1001, 30, {0.0078125f, 0}, {}},
      {"mobilenet_v2_1.0_224_quant", 224, 1001, 65, {0.0078125f, 0}, {0.098893f, 58 - 128}},
      {"tf2_mobilenet_v2_1.0_224_ptq", 224, 1001, 65, {0.007843138f, -1}, {0.063365f, -53}},
      {"vww_96_int8", 96, 2, 30, {1 / 255.0f, -128}, {}},
  };
  for (const File& file : files) {
    LINNET_DATA_OR_SKIP(path, std::string("models/tflite/") + file.name + ".tflite");
    const auto graph = read_tflite(path);
    ASSERT_TRUE(graph) << graph.error().message;
    EXPECT_EQ(graph->input_shape(), (Shape{file.side, file.side, 3})) << file.name;
    EXPECT_EQ(graph->output_shape(), (Shape{1, 1, file.classes})) << file.name;
    EXPECT_EQ(canonical(*graph).size(), file.layers) << file.name;
    EXPECT_FLOAT_EQ(graph->nodes[0].quantization->scale, file.input.scale) << file.name;
    EXPECT_EQ(graph->nodes[0].quantization->zero_point, file.input.zero_point) << file.name;
    EXPECT_TRUE(graph->preprocessing) << file.name;
    if (file.logits == Quantization{}) continue;
    EXPECT_NEAR((*graph)[graph->output].quantization->scale, file.logits.scale, 1e-6) << file.name;
    EXPECT_EQ((*graph)[graph->output].quantization->zero_point, file.logits.zero_point) << file.name;
  }
}

}  // namespace
}  // namespace linnet::formats
