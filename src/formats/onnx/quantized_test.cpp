// Quantised models become int8 graphs, whichever of ONNX's forms they have.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/onnx/model_checks.h"
#include "formats/onnx/qdq_builder.h"
#include "graph/builder.h"
#include "support/data.h"
#include "support/graph.h"

namespace linnet::formats::onnx {
namespace {

using linnet::testing::find_node;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Model = QdqBuilder;

template <class T>
std::vector<T> values(const Constant& constant) {
  const auto span = constant.values<T>();
  return {span.begin(), span.end()};
}

/// Reads a model that must be legal.
Graph graph_of(ModelBuilder& m, const std::string& output) {
  auto graph = m.read(output);
  EXPECT_TRUE(graph) << (graph ? "" : graph.error().message);
  if (!graph) return GraphBuilder("none", {1, 1, 1}).finish(0).value();
  EXPECT_TRUE(is_int8(*graph));
  return *std::move(graph);
}

template <class O>
O op_of(const Graph& graph, std::string_view name) {
  const Node* node = find_node(graph, name);
  EXPECT_TRUE(node) << dump(graph);
  const O* op = node ? std::get_if<O>(&node->op) : nullptr;
  EXPECT_TRUE(op) << dump(graph);
  return op ? *op : O{};
}

Quantization quantization_of(const Graph& graph, std::string_view name) {
  const Node* node = find_node(graph, name);
  EXPECT_TRUE(node && node->quantization) << name << "\n" << dump(graph);
  return node && node->quantization ? *node->quantization : Quantization{};
}

constexpr double kHalf = 0.5, kQuarter = 0.25;

/// Image, convolution with relu, depthwise, residual, pool, linear.
Model qdq_model(bool is_unsigned, int opset = 13) {
  Model m(opset, {-1, 1, 2, 2}, is_unsigned);
  const auto x = m.qdq("x", kHalf, 3);
  m.node("Conv", {x, m.weight("w", {2, 1, 1, 1}, {5, -7}, {1, 2}), m.bias("b", {10, -4}, {0.5, 1})}, "c");
  m.node("Relu", {"c"}, "r");
  const auto r = m.qdq("r", 1, -128);
  m.node("Conv", {r, m.weight("dw", {2, 1, 1, 1}, {1, 2}, {1})}, "d", {{"group", 2}});
  m.node("Add", {r, m.qdq("d", 2, 0)}, "sum");
  m.node("GlobalAveragePool", {m.qdq("sum", 4, 1)}, "p");
  m.node("Flatten", {"p"}, "f");
  m.node("Gemm", {m.qdq("f", 4, 1), m.weight("fc", {3, 2}, {1, 2, 3, 4, 5, 6}, {1, 2, 3})}, "y",
         {{"transB", 1}});
  m.qdq("y", 8, -5);
  return m;
}

TEST(onnx_quantized, a_qdq_model_is_an_int8_graph) {
  Model m = qdq_model(false);
  const Graph graph = graph_of(m, "y.dq");
  EXPECT_EQ(quantization_of(graph, "x"), (Quantization{0.5f, 3}));
  const auto c = op_of<Convolution>(graph, "c");
  EXPECT_EQ(c.activation, Activation::kRelu);
  EXPECT_THAT(values<std::int8_t>(c.weight), ElementsAre(5, -7));
  EXPECT_THAT(values<float>(c.weight_scale), ElementsAre(1, 2));
  EXPECT_EQ(c.weight_zero_point, 0);
  EXPECT_THAT(values<std::int32_t>(c.bias), ElementsAre(10, -4));
  EXPECT_EQ(quantization_of(graph, "c"), (Quantization{1, -128}));
  const auto d = op_of<Depthwise>(graph, "d");
  EXPECT_THAT(values<float>(d.weight_scale), ElementsAre(1, 1));
  EXPECT_TRUE(d.bias.absent());
  op_of<Add>(graph, "sum");
  EXPECT_EQ(quantization_of(graph, "sum"), (Quantization{4, 1}));
  EXPECT_EQ(quantization_of(graph, "p"), (Quantization{4, 1}));
  const auto fc = op_of<Linear>(graph, "y");
  EXPECT_THAT(values<std::int8_t>(fc.weight), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(values<float>(fc.weight_scale), ElementsAre(1, 2, 3));
  EXPECT_EQ(graph.size(), 6) << dump(graph);
}

TEST(onnx_quantized, uint8_is_int8_plus_128) {
  Model s = qdq_model(false), u = qdq_model(true);
  EXPECT_EQ(graph_of(s, "y.dq"), graph_of(u, "y.dq"));
}

TEST(onnx_quantized, opset_10_and_opset_23_say_the_same) {
  Model old = qdq_model(false, 10), now = qdq_model(false, 23);
  EXPECT_EQ(graph_of(old, "y.dq"), graph_of(now, "y.dq"));
}

TEST(onnx_quantized, the_scores_may_stay_integers) {
  Model m = qdq_model(false), n = qdq_model(false);
  EXPECT_EQ(graph_of(m, "y.q"), graph_of(n, "y.dq"));
}

/// The same network in ONNX's quantised operators and ONNX Runtime's.
Model qlinear_model() {
  Model m(13, {-1, 1, 2, 2}, true);
  const auto [xs, xz] = m.scale("x", kHalf, 3);
  m.node("QuantizeLinear", {"x", xs, xz}, "x.q");
  const auto runtime = [&](const char* op, const std::vector<std::string>& inputs, const std::string& output,
                           const std::vector<Attribute>& attributes = {}) {
    m.node(op, inputs, output, attributes);
    auto& nodes = *m.model.mutable_graph()->mutable_node();
    nodes[nodes.size() - 1].set_domain("com.microsoft");
  };
  const auto constant = [&](const std::string& name, const Ints& dims, const Ints& v, const Floats& scales) {
    const auto n = static_cast<std::int64_t>(scales.size());
    const Ints shape = n == 1 ? Ints{} : Ints{n};
    return std::vector<std::string>{m.bytes8(name, dims, v), m.floats(name + ".s", shape, scales),
                                    m.bytes8(name + ".z", shape, Ints(scales.size(), 0))};
  };
  const auto w = constant("w", {2, 1, 1, 1}, {5, -7}, {1, 2});
  const auto [rs, rz] = m.scale("r", 1, -128);  // relu is the range of uint8 with zero point 0
  m.node("QLinearConv", {"x.q", xs, xz, w[0], w[1], w[2], rs, rz, m.int32s("b", {10, -4})}, "c");
  const auto dw = constant("dw", {2, 1, 1, 1}, {1, 2}, {1});
  const auto [ds, dz] = m.scale("d", 2, 0);
  m.node("QLinearConv", {"c", rs, rz, dw[0], dw[1], dw[2], ds, dz}, "d", {{"group", 2}});
  const auto [ss, sz] = m.scale("sum", 4, 1);
  runtime("QLinearAdd", {"c", rs, rz, "d", ds, dz, ss, sz}, "sum");
  runtime("QLinearGlobalAveragePool", {"sum", ss, sz, ss, sz}, "p", {{"channels_last", 0}});
  m.node("Flatten", {"p"}, "f");
  const auto fc = constant("fc", {3, 2}, {1, 2, 3, 4, 5, 6}, {1, 2, 3});
  const auto [ys, yz] = m.scale("y", 8, -5);
  runtime("QGemm", {"f", ss, sz, fc[0], fc[1], fc[2], "", ys, yz}, "y", {{"transB", 1}});
  m.node("DequantizeLinear", {"y", ys, yz}, "y.dq");
  return m;
}

TEST(onnx_quantized, quantised_operators_are_their_qdq_form) {
  Model m = qlinear_model(), n = qdq_model(true);
  Graph wanted = graph_of(n, "y.dq");
  std::get<Convolution>(wanted.nodes[1].op).activation = Activation::kNone;  // relu in the range alone
  EXPECT_EQ(graph_of(m, "y.dq"), wanted);
}

TEST(onnx_quantized, qlinear_matmul_and_mul_are_read) {
  Model m(13, {1, 2, 2, 2});
  const auto [xs, xz] = m.scale("x", 1, 0);
  m.node("QuantizeLinear", {"x", xs, xz}, "x.q");
  m.node("QLinearGlobalAveragePool", {"x.q", xs, xz, xs, xz}, "p");
  m.node("QLinearMul", {"x.q", xs, xz, "p", xs, xz, xs, xz}, "g");
  m.node("QLinearReduceMean", {"g", xs, xz, xs, xz}, "mean", {{"axes", Ints{2, 3}}, {"keepdims", 0}});
  for (auto& node : *m.model.mutable_graph()->mutable_node())
    if (node.op_type().starts_with("QLinear")) node.set_domain("com.microsoft");
  m.node("QLinearMatMul",
         {"mean", xs, xz, m.bytes8("w", {2, 3}, {1, 2, 3, 4, 5, 6}), m.floats("ws", {3}, {1, 2, 3}),
          m.bytes8("wz", {3}, {0, 0, 0}), xs, xz},
         "y");
  const Graph graph = graph_of(m, "y");
  op_of<Multiply>(graph, "g");
  const auto y = op_of<Linear>(graph, "y");
  EXPECT_THAT(values<std::int8_t>(y.weight), ElementsAre(1, 4, 2, 5, 3, 6));
  EXPECT_THAT(values<float>(y.weight_scale), ElementsAre(1, 2, 3));
}

/// One 1x1 convolution of two channels, after `finish` has named what follows it.
template <class Finish>
Convolution layer(Finish finish, double scale = 1, int zero = 0) {
  Model m(13, {1, 1, 2, 2});
  const auto x = m.qdq("x", kHalf, 0);
  m.qdq(finish(m, x), scale, zero);
  const auto graph = m.read(m.model.graph().node().rbegin()->output(0));
  EXPECT_TRUE(graph) << (graph ? "" : graph.error().message);
  return graph ? std::get<Convolution>(graph->nodes[1].op) : Convolution{};
}

TEST(onnx_quantized, a_bias_of_any_kind_is_rounded_to_the_scales_of_its_layer) {
  const auto bias_of = [](auto make) {
    return values<std::int32_t>(layer([&](Model& m, const std::string& x) {
                                  const auto w = m.weight("w", {2, 1, 1, 1}, {1, 1}, {1, kQuarter});
                                  return m.node("Conv", {x, w, make(m)}, "c");
                                }).bias);
  };
  // Units: 0.5 and 0.125.
  EXPECT_THAT(bias_of([](Model& m) { return m.bias("b", {7, 9}, {0.5, 0.125}); }), ElementsAre(7, 9));
  EXPECT_THAT(bias_of([](Model& m) { return m.floats("b", {2}, {1, 1}); }), ElementsAre(2, 8));
  EXPECT_THAT(bias_of([](Model& m) {
                return m.floats("b", {2}, {1.25f, 0.1875f});
              }),
              ElementsAre(2, 2))
      << "2.5 and 1.5 go to even";
  EXPECT_THAT(bias_of([](Model& m) { return m.bias("b", {3, 5}, {1}); }), ElementsAre(6, 40));
  EXPECT_THAT(bias_of([](Model& m) { return m.weight("b", {2}, {3, 5}, {1}); }), ElementsAre(6, 40));
}

TEST(onnx_quantized, a_bias_may_be_added_after_the_layer) {
  const auto c = layer([](Model& m, const std::string& x) {
    m.node("Conv", {x, m.weight("w", {2, 1, 1, 1}, {1, 1}, {1})}, "c");
    return m.node("Add", {"c", m.weight("b", {1, 2, 1, 1}, {3, 5}, {1})}, "sum");
  });
  EXPECT_THAT(values<std::int32_t>(c.bias), ElementsAre(6, 10));
}

TEST(onnx_quantized, weights_may_be_floats_that_are_quantised_and_may_be_transposed) {
  const auto c = layer([](Model& m, const std::string& x) {
    const auto [s, z] = m.scale("w", kHalf, 0);
    m.node("QuantizeLinear", {m.floats("w", {2, 1, 1, 1}, {1.1f, -80}), s, z}, "w.q");
    return m.node("Conv", {x, m.node("DequantizeLinear", {"w.q", s, z}, "w.dq")}, "c");
  });
  EXPECT_THAT(values<std::int8_t>(c.weight), ElementsAre(2, -128));
  const auto d = layer([](Model& m, const std::string& x) {  // HWIO, as TensorFlow has it
    const auto w = m.weight("w", {1, 1, 1, 2}, {3, 4}, {1, 2}, 3);
    m.node("Transpose", {w}, "oihw", {{"perm", Ints{3, 2, 0, 1}}});
    return m.node("Conv", {x, "oihw"}, "c");
  });
  EXPECT_THAT(values<std::int8_t>(d.weight), ElementsAre(3, 4));
  EXPECT_THAT(values<float>(d.weight_scale), ElementsAre(1, 2));
  const auto e = layer([](Model& m, const std::string& x) {
    const auto w = m.weight("w", {1, 2}, {3, 4}, {1, 2}, 1);
    m.node("Reshape", {w, m.ints("shape", {2, 1, 1, 1})}, "oihw");
    return m.node("Conv", {x, "oihw"}, "c");
  });
  EXPECT_THAT(values<float>(e.weight_scale), ElementsAre(1, 2));
}

TEST(onnx_quantized, a_weight_zero_point_comes_along) {
  const auto c = layer([](Model& m, const std::string& x) {
    m.constant("w", typed_tensor(Model::TensorProto::UINT8, {2, 1, 1, 1}, {0, 255}));
    m.constant("z", typed_tensor(Model::TensorProto::UINT8, {}, {130}));
    return m.node("Conv", {x, m.node("DequantizeLinear", {"w", m.scalar("s", 1), "z"}, "w.dq")}, "c");
  });
  EXPECT_THAT(values<std::int8_t>(c.weight), ElementsAre(-128, 127));
  EXPECT_EQ(c.weight_zero_point, 2);
}

TEST(onnx_quantized, a_clamp_before_the_rounding_is_the_layers_own) {
  const auto clipped = [](std::optional<double> low, std::optional<double> high, double scale, int zero) {
    return layer(
               [&](Model& m, const std::string& x) {
                 m.node("Conv", {x, m.weight("w", {2, 1, 1, 1}, {1, 1}, {1})}, "c");
                 return m.node("Clip",
                               {"c", low ? m.scalar("low", *low) : "", high ? m.scalar("high", *high) : ""},
                               "clip");
               },
               scale, zero)
        .activation;
  };
  EXPECT_EQ(clipped(0, 6, 0.1, -128), Activation::kRelu6);
  EXPECT_EQ(clipped(0, {}, 0.1, 5), Activation::kRelu);
  EXPECT_EQ(clipped(-100, 100, 0.1, 0), Activation::kNone) << "int8 is narrower";
  EXPECT_EQ(clipped(0, 100, 0.1, 0), Activation::kRelu) << "and so it is above";
  EXPECT_EQ(clipped(0, 25.5, 0.1, -128), Activation::kNone) << "its range is the clamp";
}

/// The node after the image: `make` gives the float value that is quantised from the dequantised one.
template <class Make>
Result<Graph> second(Make make, double scale, int zero) {
  Model m(14, {1, 2, 2, 2});
  m.qdq(make(m, m.qdq("x", 0.125, 1)), scale, zero);
  return m.read(m.model.graph().node().rbegin()->output(0));
}

TEST(onnx_quantized, an_activation_between_two_roundings_is_a_table) {
  const auto activation = [](auto make, double scale, int zero) {
    const auto graph = second(make, scale, zero);
    EXPECT_TRUE(graph) << (graph ? "" : graph.error().message);
    return graph && graph->size() == 2 ? std::get<Activate>(graph->nodes[1].op).activation : Activation{-1};
  };
  const auto one = [](const char* op) {
    return [op](Model& m, const std::string& x) { return m.node(op, {x}, "a"); };
  };
  EXPECT_EQ(activation(one("HardSwish"), 0.1, -120), Activation::kHardSwish);
  EXPECT_EQ(activation(one("Relu"), 0.1, -128), Activation::kRelu);
  EXPECT_EQ(activation(
                [](Model& m, const std::string& x) {
                  return m.node("HardSigmoid", {x}, "a", {{"alpha", 1 / 6.f}});
                },
                1 / 256.0, -128),
            Activation::kHardSigmoid);
  EXPECT_EQ(activation(
                [](Model& m, const std::string& x) {
                  m.node("Add", {x, m.scalar("three", 3)}, "a3");
                  m.node("Clip", {"a3", m.scalar("zero", 0), m.scalar("six", 6)}, "a6");
                  m.node("Mul", {x, "a6"}, "xa");
                  return m.node("Div", {"xa", "six"}, "a");
                },
                0.1, 0),
            Activation::kHardSwish);
  EXPECT_EQ(activation(one("Identity"), 0.25, 0), Activation::kNone) << "a requantization";
  EXPECT_EQ(activation(
                [](Model& m, const std::string& x) {
                  return m.node("Clip", {x, m.scalar("low", -100), m.scalar("high", 100)}, "a");
                },
                0.25, 0),
            Activation::kNone)
      << "a clamp outside of int8's range";
  const auto same = second(one("Identity"), 0.125, 1);
  ASSERT_TRUE(same) << same.error().message;
  EXPECT_EQ(same->size(), 1) << "rounding what is rounded so is nothing";
}

TEST(onnx_quantized, a_pad_keeps_the_scale_and_pads_with_what_stands_for_zero) {
  const auto pads = [](Model& m) { return m.ints("pads", {0, 0, 0, 0, 0, 0, 1, 1}); };
  const auto graph = second(
      [&](Model& m, const std::string& x) {
        return m.node("Pad", {x, pads(m)}, "p");
      },
      0.125, 1);
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_EQ(graph->size(), 2);
  EXPECT_EQ(quantization_of(*graph, "p"), (Quantization{0.125f, 1}));
  const auto other = second(
      [&](Model& m, const std::string& x) {
        return m.node("Pad", {x, pads(m)}, "p");
      },
      0.25, 0);
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_EQ(other->size(), 3) << "then a requantization";

  for (const bool is_unsigned : {false, true}) {  // of the integers
    Model m(13, {1, 1, 2, 2}, is_unsigned);
    const auto [s, z] = m.scale("x", 1, 7);
    m.node("QuantizeLinear", {"x", s, z}, "q");
    m.node("Pad", {"q", pads(m), z}, "p");
    EXPECT_EQ(graph_of(m, "p").size(), 2);
    m.node("Pad", {"q", pads(m)}, "zeros");
    EXPECT_THAT(complaint(m, "zeros"),
                HasSubstr("\"zeros\" (Pad): pads with 0; Linnet pads with zeros, for"));
  }
}

TEST(onnx_quantized, constants_added_to_a_rounded_value_are_a_depthwise_layer) {
  Model m(13, {1, 2, 1, 1});
  m.node("Flatten", {m.qdq("x", kHalf, 3)}, "f");
  m.node("MatMul", {"f", m.weight("w", {2, 2}, {1, 0, 0, 1}, {1})}, "product");
  m.node("Add", {m.qdq("product", kHalf, 0), m.weight("b", {2}, {10, -20}, {1})}, "y");
  const Graph graph = graph_of(m, m.qdq("y", kHalf, 0));
  EXPECT_EQ(graph.size(), 3) << dump(graph);
  EXPECT_THAT(run(graph, {3, 4}), ElementsAre(13, -16));
  m.node("Mul", {"product.dq", m.scalar("minus2", -2)}, "twice");
  m.qdq("twice", kHalf, 0);
  EXPECT_THAT(run(graph_of(m, "twice.dq"), {3, 4}), ElementsAre(-6, -8));
  m.floats("ones", {2}, {1, 1});
  m.node("BatchNormalization", {"product.dq", m.floats("scale", {2}, {2, 3}), "ones", "ones", "ones"}, "bn",
         {{"epsilon", 0.0f}});
  m.qdq("bn", kHalf, 0);
  EXPECT_THAT(run(graph_of(m, "bn.dq"), {3, 4}), ElementsAre(5, 10));
}

TEST(onnx_quantized, a_softmax_at_the_end_is_left_off) {
  Model m = qdq_model(false), n = qdq_model(false);
  const Graph logits = graph_of(n, "y.dq");
  m.node("Softmax", {"y.dq"}, "softmax", {{"axis", 1}});
  EXPECT_EQ(graph_of(m, "softmax"), logits);
  m.qdq("softmax", 1 / 256.0, -128);
  EXPECT_EQ(graph_of(m, "softmax.dq"), logits);
}

TEST(onnx_quantized, alpha_belongs_to_the_weights) {
  Model m(13, {1, 2, 1, 1});
  m.node("Flatten", {m.qdq("x", 1, 0)}, "f");
  m.node("Gemm", {"f", m.weight("w", {1, 2}, {1, 2}, {1}), m.floats("b", {1}, {6})}, "y",
         {{"transB", 1}, {"alpha", 0.5}, {"beta", 2.0}});
  const auto y = op_of<Linear>(graph_of(m, m.qdq("y", 1, 0)), "y");
  EXPECT_THAT(values<float>(y.weight_scale), ElementsAre(0.5f));
  EXPECT_THAT(values<std::int32_t>(y.bias), ElementsAre(24));
}

TEST(onnx_quantized, a_model_of_quantised_weights_alone_is_a_float_model) {
  Model m(13, {1, 1, 1, 1});
  m.node("Conv", {"x", m.weight("w", {2, 1, 1, 1}, {3, -4}, {0.5, 2})}, "y");
  const auto graph = m.read("y");
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_FALSE(is_int8(*graph));
  EXPECT_THAT(run(*graph, {2}), ElementsAre(3, -16));
}

TEST(onnx_quantized, a_value_that_is_rounded_twice_keeps_its_first_scale_and_is_requantised) {
  Model m(13, {1, 1, 2, 2});
  const auto x = m.qdq("x", 1, 0);
  m.node("Conv", {x, m.weight("w", {1, 1, 1, 1}, {1}, {1})}, "c");
  const auto a = m.qdq("c", 1, 0);
  const auto [s, z] = m.scale("again", 2, 5);
  m.node("QuantizeLinear", {"c", s, z}, "again.q");
  m.node("DequantizeLinear", {"again.q", s, z}, "again");
  m.node("Add", {a, "again"}, "y");
  const Graph graph = graph_of(m, m.qdq("y", 1, 0));
  EXPECT_EQ(op_of<Activate>(graph, "again.q").activation, Activation::kNone);
  EXPECT_EQ(quantization_of(graph, "again.q"), (Quantization{2, 5}));
}

TEST(onnx_quantized, the_shared_model_reads) {
  LINNET_DATA_OR_SKIP(path, "models/onnx/mobilenetv2_qdq_int8_perchannel.onnx");
  const auto graph = read_onnx(path);
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_TRUE(is_int8(*graph));
  EXPECT_EQ(graph->input_shape(), (Shape{224, 224, 3}));
  EXPECT_EQ(graph->output_shape(), (Shape{1, 1, 1000}));
  EXPECT_EQ(graph->size(), 1 + 52 + 10 + 1 + 1) << "image, convolutions, sums, pool, linear";
}

}  // namespace
}  // namespace linnet::formats::onnx
