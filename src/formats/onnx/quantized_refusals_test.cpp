// Quantised models that are no int8 graph: the error names the node and says what to do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/onnx/model_checks.h"
#include "formats/onnx/qdq_builder.h"

namespace linnet::formats::onnx {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Model = QdqBuilder;
using Type = onnx_schema::TensorProto;

/// The complaint about a model of a 2x2 image of one channel, quantised as "x.dq", whose last value is the
/// output.
template <class Rest>
std::string refused(Rest rest) {
  Model m(21, {1, 1, 2, 2});
  m.qdq("x", 0.5, 0);
  m.bias("b", {1}, {0.5});
  m.weight("w", {1, 1, 1, 1}, {1}, {1});
  rest(m);
  return complaint(m, m.model.graph().node().rbegin()->output(0));
}

std::string conv(Model& m, const std::string& x, const std::string& output, const std::string& w = "w.dq",
                 const std::string& b = "b.dq") {
  return m.node("Conv", {x, w, b}, output);
}

TEST(onnx_quantized_refusals, a_float_operator_among_int8_ones) {
  EXPECT_THAT(refused([](Model& m) {
                conv(m, "x.dq", "c");
                m.qdq(conv(m, "c", "d"), 1, 0);
              }),
              AllOf(HasSubstr("test.onnx: node \"d\" (Conv): reads \"c\" as floats"),
                    HasSubstr("QuantizeLinear and a DequantizeLinear between the two")));
  EXPECT_THAT(refused([](Model& m) {
                const auto c = m.qdq(conv(m, "x.dq", "c"), 1, 0);
                m.qdq(m.node("Add", {c, "x"}, "sum"), 1, 0);
              }),
              HasSubstr("node \"sum\" (Add): "))
      << "the image is quantised, but not where the sum reads it";
  EXPECT_THAT(refused([](Model& m) {
                m.node("Relu", {"x.dq"}, "r");
                m.qdq(conv(m, "r", "c"), 1, 0);
              }),
              HasSubstr("node \"c\" (Conv): reads floats that come out of \"r\""));
  EXPECT_THAT(refused([](Model& m) { conv(m, "x.dq", "c"); }),
              HasSubstr("output \"c\": reads \"c\" as floats"));
  EXPECT_THAT(refused([](Model& m) { m.qdq(m.node("HardSwish", {conv(m, "x.dq", "c")}, "h"), 1, 0); }),
              AllOf(HasSubstr("node \"h.q\" (QuantizeLinear)"), HasSubstr("that is not quantized itself")));
  EXPECT_THAT(refused([](Model& m) {
                const auto p = m.node("Softmax", {"x.dq"}, "p", {{"axis", 1}});
                m.qdq(conv(m, p, "c"), 1, 0);
              }),
              HasSubstr("(Conv): reads a softmax; Linnet runs one at the end only"));
}

TEST(onnx_quantized_refusals, functions_that_are_no_activation_of_linnets) {
  const auto clip = [](double low, double high, bool of_layer) {
    return refused([&](Model& m) {
      const std::string x = of_layer ? conv(m, "x.dq", "c") : "x.dq";
      m.qdq(m.node("Clip", {x, m.scalar("low", low), m.scalar("high", high)}, "clip"), 0.1, 0);
    });
  };
  EXPECT_THAT(clip(1, 2, true), HasSubstr("quantizes clamp(1 * x + 0, 1, 2) of a value x that is not"));
  EXPECT_THAT(clip(0, 3, true), HasSubstr("quantizes clamp(1 * x + 0, 0, 3) of a value x that is not"));
  EXPECT_THAT(clip(0, 3, false), HasSubstr("which is none of"));
  EXPECT_THAT(refused([](Model& m) {
                m.node("HardSigmoid", {"x.dq"}, "gate");
                m.qdq(m.node("Mul", {"x.dq", m.qdq("gate", 1 / 256.0, -128)}, "y"), 1, 0);
              }),
              HasSubstr("quantizes clamp(0.2 * x + 0.5, 0, 1), which is none of"));
  EXPECT_THAT(refused([](Model& m) {
                m.node("HardSigmoid", {"x.dq"}, "gate", {{"alpha", 1 / 6.0}});
                m.qdq(m.node("Mul", {"x.dq", m.qdq("gate", 1 / 256.0, -128)}, "y"), 1, 0);
              }),
              HasSubstr("(Mul): multiplies two maps; Linnet runs gates of one number a channel. If these"));
  EXPECT_THAT(clip(1, 2, false), HasSubstr("which is none of relu, relu6, hard-swish and hard-sigmoid"));
  EXPECT_THAT(refused([](Model& m) {
                conv(m, "x.dq", "c");
                m.qdq("c", 1, 0);
                m.node("Relu", {"c"}, "r");
                m.qdq("r", 1, 0);
                m.node("Add", {"c.dq", "r.dq"}, "y");
              }),
              HasSubstr("another QuantizeLinear takes before or after its activation"));
}

TEST(onnx_quantized_refusals, integers_that_are_taken_for_numbers) {
  EXPECT_THAT(refused([](Model& m) { m.node("Relu", {"x.q"}, "y"); }),
              HasSubstr("(Relu): computes with the integers of \"x.q\" as they are stored"));
  EXPECT_THAT(refused([](Model& m) {
                m.node("Cast", {"x.q"}, "y", {{"to", 1}});
              }),
              HasSubstr("casts int8 integers to floats"));
  EXPECT_THAT(refused([](Model& m) {
                m.node("DequantizeLinear", {"x.dq", "x.s", "x.z"}, "y");
              }),
              HasSubstr("dequantizes floats"));
  EXPECT_THAT(refused([](Model& m) {
                m.node("DequantizeLinear", {"x.q", m.scalar("s", 0.25), "x.z"}, "y");
              }),
              HasSubstr("reads integers of scale 0.5 and zero point 0 as if they had scale 0.25"));
  EXPECT_THAT(refused([](Model& m) {
                m.node("DequantizeLinear", {"x.q", "x.s", m.bytes8("z", {}, {1})}, "y");
              }),
              HasSubstr("as if they had scale 0.5 and zero point 1"));
}

TEST(onnx_quantized_refusals, scales_and_zero_points_that_linnet_does_not_run) {
  const auto with = [](const std::function<std::string(Model&)>& scale,
                       const std::function<std::string(Model&)>& zero,
                       const std::vector<Attribute>& attributes = {}) {
    return refused([&](Model& m) { m.node("QuantizeLinear", {"x", scale(m), zero(m)}, "y", attributes); });
  };
  const auto one = [](Model& m) { return m.scalar("s", 0.5); };
  const auto none = [](Model&) { return std::string(); };
  const auto number = [](double s) { return [s](Model& m) { return m.scalar("s", s); }; };
  EXPECT_EQ(with(one, [](Model& m) { return m.bytes8("z", {}, {0}); }), "");
  EXPECT_THAT(with(none, none), HasSubstr("input 1 is missing"));
  EXPECT_THAT(with(number(-1), none), HasSubstr("its scale is -1; the file is damaged"));
  EXPECT_THAT(with(number(NAN), none), HasSubstr("its scale is nan; the file is damaged"));
  EXPECT_THAT(with(number(0), none), HasSubstr("its scale is 0, expected one in ["));
  EXPECT_THAT(with(
                  [](Model& m) {
                    return m.floats("s", {2}, {1, 2});
                  },
                  none),
              HasSubstr("has 2 scales for an activation; Linnet runs one a tensor"));
  EXPECT_THAT(with([](Model& m) { return m.floats("s", {0}, {}); }, none), HasSubstr("expected one float"));
  EXPECT_THAT(with([](Model& m) { return m.ints("s", {1}); }, none), HasSubstr("expected one float"));
  EXPECT_THAT(with([](Model&) { return std::string("x"); }, none),
              HasSubstr("the scale (input 1, \"x\") is not a"));
  EXPECT_THAT(with(one, [](Model& m) { return m.int32s("z", {0}); }),
              HasSubstr("its zero point is not of 8 bits; Linnet runs int8 and uint8"));
  EXPECT_THAT(with(one, [](Model& m) { return m.constant("z", typed_tensor(Type::INT16, {}, {0})); }),
              HasSubstr("holds numbers of ONNX's type 5"));
  EXPECT_THAT(with(one, [](Model& m) { return m.scalar("z", 0); }), HasSubstr("its zero point is floats"));
  EXPECT_THAT(with(one, [](Model& m) { return m.bytes8("z", {2}, {0, 0}); }), HasSubstr("for 1 scales"));
  EXPECT_THAT(with(one, none, {{"output_dtype", 5}}), HasSubstr("quantizes to ONNX's type 5"));
  EXPECT_THAT(with(one, none, {{"block_size", 16}}), HasSubstr("has a scale for each 16 values"));
}

/// The complaint about a 1x1 convolution of x to two channels with this weight and bias.
std::string layer(const std::function<std::string(Model&)>& weight, const std::string& bias = "") {
  return refused([&](Model& m) { m.qdq(conv(m, "x.dq", "c", weight(m), bias), 1, 0); });
}

TEST(onnx_quantized_refusals, weights_that_linnet_does_not_run) {
  EXPECT_THAT(
      layer([](Model& m) {
        return m.floats("v", {2, 1, 1, 1}, {1, 2});
      }),
      AllOf(HasSubstr("node \"c\" (Conv): its weights are floats"), HasSubstr("quantize the weights too")));
  EXPECT_THAT(layer([](Model& m) {
                return m.weight("v", {2, 1, 1, 1}, {1, 2}, {1, 2}, 1);
              }),
              HasSubstr("node \"v.dq\" (DequantizeLinear): 2 scales along axis 1"));
  EXPECT_THAT(refused([](Model& m) {
                m.node("Conv", {"x.dq", m.weight("v", {2, 1, 1, 1}, {1, 2}, {1})}, "c");
                const auto v = m.weight("u", {2, 2, 1, 1}, {1, 2, 3, 4}, {1, 2}, 1);
                m.node("Conv", {m.qdq("c", 1, 0), v}, "d");
                m.qdq("d", 1, 0);
              }),
              HasSubstr("scales along axis 1; Linnet runs one scale an output channel, axis 0"));
  EXPECT_THAT(layer([](Model& m) {
                return m.node("DequantizeLinear",
                              {m.bytes8("v", {2, 1, 1, 1}, {1, 2}), m.floats("s", {2}, {1, 2}),
                               m.bytes8("z", {2}, {0, 1})},
                              "v.dq", {{"axis", 0}});
              }),
              HasSubstr("zero points that differ by channel"));
  EXPECT_THAT(layer([](Model& m) {
                m.constant("v", typed_tensor(Type::INT32, {2, 1, 1, 1}, {1, 2}));
                return m.node("DequantizeLinear", {"v", m.scalar("s", 1)}, "v.dq");
              }),
              HasSubstr("its weights are not of 8 bits"));
  EXPECT_THAT(layer([](Model& m) {
                m.constant("v", typed_tensor(Type::INT8, {2, 1, 1, 1}, {1, 2}));
                m.constant("z", typed_tensor(Type::UINT8, {}, {1}));
                return m.node("DequantizeLinear", {"v", m.scalar("s", 1), "z"}, "v.dq");
              }),
              HasSubstr("its zero point is of another type than what it dequantizes"));
  EXPECT_THAT(refused([](Model& m) {
                m.node("Flatten", {m.node("GlobalAveragePool", {"x.dq"}, "p")}, "f");
                m.qdq("f", 1, 0);
                m.node("Gemm", {"f.dq", m.weight("v", {1, 1}, {1}, {1})}, "y", {{"alpha", -1.0}});
              }),
              HasSubstr("alpha=-1; Linnet runs int8 layers with a positive alpha"));
}

TEST(onnx_quantized_refusals, biases_that_have_no_place) {
  const auto bias = [](float scale, const Ints& dims, const Floats& values) {
    return refused([&](Model& m) {
      const auto w = m.weight("v", {2, 1, 1, 1}, {1, 2}, {scale});
      m.qdq(conv(m, "x.dq", "c", w, m.floats("float_bias", dims, values)), 1, 0);
    });
  };
  EXPECT_EQ(bias(1, {2}, {1, 2}), "");
  EXPECT_THAT(bias(1e-9f, {2}, {0, 2}), HasSubstr("channel 1: its bias is 4e+09 times the scales"));
  EXPECT_THAT(bias(1, {2}, {NAN, 0}), HasSubstr("channel 0: its bias is nan times"));
  EXPECT_THAT(bias(0, {2}, {0, 2}), HasSubstr("channel 1: its weights have the scale 0 and so no place for"));
  EXPECT_THAT(bias(1, {3}, {1, 2, 3}), HasSubstr("bias of [3] for 2 outputs"));
}

TEST(onnx_quantized_refusals, quantised_operators_that_have_no_float_form) {
  const auto runtime = [](const char* op, const std::vector<std::string>& inputs,
                          const std::vector<Attribute>& attributes = {},
                          const char* domain = "com.microsoft") {
    return refused([&](Model& m) {
      m.bytes8("v", {1, 1, 1, 1}, {1});
      m.node(op, inputs, "y", attributes);
      m.model.mutable_graph()->mutable_node()->rbegin()->set_domain(domain);
    });
  };
  const std::vector<std::string> pool = {"x.q", "x.s", "x.z", "x.s", "x.z"};
  EXPECT_EQ(runtime("QLinearGlobalAveragePool", pool), "");
  EXPECT_THAT(runtime("QLinearGlobalAveragePool", pool, {{"channels_last", 1}}),
              HasSubstr("has its channels last; quantize the model in NCHW"));
  EXPECT_THAT(runtime("QGemm", {"x.q", "x.s", "x.z", "v", "x.s", "x.z"}),
              HasSubstr("\"y\" (QGemm): gives floats, having no scale of its output"));
  EXPECT_THAT(runtime("QLinearConv", {"x.q"}, {}, ""), HasSubstr("input 0 or its scale is missing"));
  EXPECT_THAT(runtime("QLinearSigmoid", pool), HasSubstr("is of the domain \"com.microsoft\""));
  EXPECT_THAT(runtime("QLinearConv", {"x.q", "x.s", "x.z", "v", "x.s", "x.z", "x.s", "x.z"}),
              HasSubstr("is of the domain \"com.microsoft\""))
      << "QLinearConv is ONNX's own";
}

}  // namespace
}  // namespace linnet::formats::onnx
