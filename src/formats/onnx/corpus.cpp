#include "formats/onnx/corpus.h"

#include "formats/onnx/qdq_builder.h"
#include "formats/onnx/writer.h"
#include "graph/builder.h"

namespace linnet::formats {
namespace {

using onnx::Floats;
using onnx::int_tensor;
using onnx::Ints;
using onnx::ModelBuilder;
using onnx::QdqBuilder;
using onnx_schema::TensorProto;

Constant filled(std::vector<int> dims, float value) {
  std::size_t n = 1;
  for (const int d : dims) n *= static_cast<std::size_t>(d);
  return Constant(std::move(dims), AlignedVector<float>(n, value));
}

/// As Linnet writes it: every operator, labels and preprocessing.
std::string linnet_model() {
  GraphBuilder b("seed", {4, 4, 3});
  NodeId x =
      b.add("stem", Convolution{.window = {3, 3, 2, 2, {1, 1, 1, 1}}, .weight = filled({4, 3, 3, 3}, 0.5f)},
            {b.input()});
  x = b.add("norm", BatchNorm{filled({4}, 1), filled({4}, 0), filled({4}, 0), filled({4}, 1)}, {x});
  x = b.add("swish", Activate{Activation::kHardSwish}, {x});
  const NodeId stem = x;
  x = b.add("pad", Pad{{0, 1, 0, 1}}, {x});
  x = b.add("depthwise",
            Depthwise{.window = {2, 2}, .weight = filled({2, 2, 4}, 0.5f), .activation = Activation::kRelu6},
            {x});
  x = b.add("sum", Add{Activation::kRelu}, {x, stem});
  NodeId gate = b.add("pool", GlobalAveragePool{}, {x});
  gate = b.add("squeeze", Linear{.weight = filled({4, 4}, 0.5f), .activation = Activation::kHardSigmoid},
               {gate});
  x = b.add("gated", Multiply{}, {x, gate});
  x = b.add("head", GlobalAveragePool{}, {b.add("same", Identity{}, {x})});
  x = b.add("fc", Linear{.weight = filled({2, 4}, 0.5f), .bias = filled({2}, 1)}, {x});
  Graph graph = std::move(b).finish(b.add("softmax", Softmax{}, {x})).value();
  graph.labels = {"cat", "dog"};
  graph.preprocessing = torchvision_preprocessing(224);
  graph.dialect = Dialect::kTorchvision;
  return onnx_bytes(graph).value();
}

/// PyTorch's forms: shape arithmetic, decomposed activations, gates by convolution.
std::string pytorch_model() {
  ModelBuilder m(13, {-1, 3, 4, 4});
  m.node("Conv", {"x", m.floats("w", {2, 3, 3, 3}, Floats(54, 0.5f)), m.floats("b", {2}, {1, 2})}, "c",
         {{"pads", Ints{1, 1, 1, 1}}, {"strides", Ints{2, 2}}, {"group", 1}, {"dilations", Ints{1, 1}}});
  m.node("Add", {"c", m.scalar("three", 3)}, "c3");
  m.node("Clip", {"c3", m.scalar("zero", 0), m.scalar("six", 6)}, "clipped");
  m.node("Mul", {"c", "clipped"}, "product");
  m.node("Div", {"product", "six"}, "swish");
  m.node("ReduceMean", {"swish"}, "mean", {{"axes", Ints{-1, -2}}, {"keepdims", 1}});
  m.node("Conv", {"mean", m.floats("w1", {2, 2, 1, 1}, Floats(4, 0.5f))}, "squeezed");
  m.node("HardSigmoid", {"squeezed"}, "gate", {{"alpha", 1 / 6.f}});
  m.node("Mul", {"gate", "swish"}, "gated");
  m.node("GlobalAveragePool", {"gated"}, "pooled");
  m.node("Shape", {"pooled"}, "shape");
  m.node("Constant", {}, "first", {{"value", int_tensor({}, {0})}});
  m.node("Gather", {"shape", "first"}, "batch", {{"axis", 0}});
  m.node("Unsqueeze", {"batch", m.ints("axes", {0})}, "batch1");
  m.node("Concat", {"batch1", m.ints("rest", {-1})}, "target", {{"axis", 0}});
  m.node("Reshape", {"pooled", "target"}, "flat");
  m.node("Gemm", {"flat", m.floats("fc", {3, 2}, Floats(6, 1.0f)), m.floats("bias", {3}, {1, 2, 3})}, "y",
         {{"transB", 1}, {"alpha", 1.0f}});
  return m.bytes("y");
}

/// TensorFlow's forms: NHWC, SAME, explicit pads, MatMul and Add, batch norm as arithmetic.
std::string tensorflow_model() {
  ModelBuilder m(11, {-1, 4, 4, 3});
  m.node("Transpose", {"x"}, "nchw", {{"perm", Ints{0, 3, 1, 2}}});
  m.node("Sub", {"nchw", m.scalar("half", 0.5)}, "centred");
  m.node("Transpose", {m.floats("hwio", {2, 2, 3, 2}, Floats(24, 0.5f))}, "oihw",
         {{"perm", Ints{3, 2, 0, 1}}});
  m.node("Conv", {"centred", "oihw"}, "c", {{"auto_pad", "SAME_UPPER"}, {"strides", Ints{2, 2}}});
  m.node("Sqrt", {m.floats("variance", {1, 2, 1, 1}, {1, 4})}, "deviation");
  m.node("Div", {"c", "deviation"}, "scaled");
  m.node("Pad", {"scaled", m.ints("pads", {0, 0, 0, 0, 0, 0, 1, 1})}, "padded");
  m.node("Conv", {"padded", m.floats("dw", {2, 1, 3, 3}, Floats(18, 0.5f))}, "d", {{"group", 2}});
  m.node("Max", {"d", m.scalar("zero", 0)}, "max");
  m.node("Min", {"max", m.scalar("six", 6)}, "relu6");
  m.node("ReduceMean", {"relu6"}, "pooled", {{"axes", Ints{2, 3}}, {"keepdims", 1}});
  m.node("Squeeze", {"pooled"}, "flat", {{"axes", Ints{2, 3}}});
  m.node("Shape", {"flat"}, "shape");
  m.node("Cast", {"shape"}, "shape32", {{"to", 6}});
  m.node("Slice", {"shape32", m.ints("start", {0}), m.ints("end", {1})}, "batch");
  m.node("Concat", {"batch", m.ints("rest", {2})}, "target", {{"axis", 0}});
  m.node("Reshape", {"flat", "target"}, "same");
  m.node("MatMul", {"same", m.floats("fc", {2, 3}, Floats(6, 1.0f))}, "product");
  m.node("Add", {"product", m.floats("bias", {3}, {1, 2, 3})}, "logits");
  return m.bytes(m.node("Softmax", {"logits"}, "y", {{"axis", 1}}));
}

/// Opset 7 with attributes that are inputs today, values in typed fields, float16 and folded constants.
std::string old_model() {
  ModelBuilder m(7, {1, 2, 2, 2});
  TensorProto weight;
  for (const int d : {2, 1, 1, 1}) weight.add_dims(d);
  weight.set_data_type(TensorProto::FLOAT);
  weight.add_float_data(0.5f);
  weight.add_float_data(2);
  m.constant("w", weight);
  m.node("Conv", {"x", "w"}, "c", {{"group", 2}, {"kernel_shape", Ints{1, 1}}});
  m.floats("ones", {2}, {1, 1});
  m.node("BatchNormalization", {"c", "ones", "ones", "ones", "ones"}, "n",
         {{"epsilon", 1e-3}, {"spatial", 1}});
  m.node("Clip", {"n"}, "r", {{"min", 0.0f}, {"max", 6.0f}});
  m.node("Pad", {"r"}, "p", {{"pads", Ints{0, 0, 1, 0, 0, 0, 1, 0}}, {"mode", "constant"}, {"value", 0.0f}});
  m.node("AveragePool", {"p"}, "a", {{"kernel_shape", Ints{4, 2}}});
  m.node("Dropout", {"a"}, "d", {{"ratio", 0.5f}});
  m.node("Flatten", {"d"}, "f", {{"axis", 1}});
  TensorProto half;
  for (const int d : {2, 2}) half.add_dims(d);
  half.set_data_type(TensorProto::FLOAT16);
  for (const int v : {0x3c00, 0x4000, 0xbc00, 0x3800}) half.add_int32_data(v);
  m.constant("half", half);
  m.node("Cast", {"half"}, "fc", {{"to", 1}});
  m.node("Gemm", {"f", "fc", m.floats("bias", {1, 2}, {1, 2})}, "g", {{"beta", 0.5f}});
  m.model.mutable_graph()->add_input()->set_name("w");
  return m.bytes(m.node("LogSoftmax", {"g"}, "y"));
}

/// As Linnet writes an int8 graph.
std::string int8_model() {
  const auto weight = [](std::vector<int> dims, AlignedVector<std::int8_t> values) {
    return Constant(std::move(dims), std::move(values));
  };
  GraphBuilder b("int8", {2, 2, 1});
  b.quantize(0, {0.5f, 1});
  const auto add = [&](const char* name, Op op, std::vector<NodeId> inputs, Quantization q) {
    const NodeId id = b.add(name, std::move(op), std::move(inputs));
    b.quantize(id, q);
    return id;
  };
  NodeId x = add("stem",
                 Convolution{.window = {},
                             .weight = weight({2, 1, 1, 1}, {5, -7}),
                             .bias = Constant({2}, AlignedVector<std::int32_t>{3, -300}),
                             .activation = Activation::kRelu6,
                             .weight_scale = filled({2}, 0.25f)},
                 {0}, {0.05f, -128});
  x = add("swish", Activate{Activation::kHardSwish}, {x}, {0.1f, -100});
  x = add("pad", Pad{{0, 1, 0, 1}}, {x}, {0.1f, -100});
  x = add("depthwise",
          Depthwise{.window = {3, 3},
                    .weight = weight({3, 3, 2}, AlignedVector<std::int8_t>(18, 9)),
                    .weight_scale = filled({2}, 0.25f),
                    .weight_zero_point = 3},
          {x}, {0.2f, 0});
  x = add("again", Activate{Activation::kNone}, {x}, {0.3f, 5});
  x = add("fc", Linear{.weight = weight({2, 2}, {1, 2, 3, 4}), .weight_scale = filled({2}, 0.5f)}, {x},
          {0.7f, -9});
  return onnx_bytes(std::move(b).finish(x).value()).value();
}

/// As ONNX Runtime's quantizer writes it.
std::string qdq_model() {
  QdqBuilder m(13, {-1, 1, 2, 2}, true);
  const auto x = m.qdq("x", 0.5, 3);
  m.node("Conv", {x, m.weight("w", {2, 1, 1, 1}, {5, -7}, {1, 2}), m.bias("b", {10, -4}, {0.5, 1})}, "c");
  m.node("Clip", {"c", m.scalar("zero", 0), m.scalar("six", 6)}, "r");
  const auto r = m.qdq("r", 0.25, -128);
  m.node("ReduceMean", {r}, "mean", {{"axes", Ints{2, 3}}, {"keepdims", 1}});
  m.node("HardSigmoid", {m.qdq("mean", 0.25, 0)}, "gate", {{"alpha", 1 / 6.f}});
  m.node("Mul", {r, m.qdq("gate", 1 / 256.0, -128)}, "gated");
  m.node("Add", {m.qdq("gated", 0.25, 0), r}, "sum");
  m.node("GlobalAveragePool", {m.qdq("sum", 0.5, 1)}, "p");
  m.node("Flatten", {"p"}, "f");
  m.node("MatMul", {m.qdq("f", 0.5, 1), m.weight("fc", {2, 3}, {1, 2, 3, 4, 5, 6}, {1, 2, 3}, 1)}, "product");
  m.node("Add", {"product", m.weight("fb", {3}, {1, 2, 3}, {0.125})}, "y");
  m.qdq("y", 2, -5);
  return m.bytes(m.node("Softmax", {"y.dq"}, "probabilities", {{"axis", 1}}));
}

/// In ONNX's quantised operators and ONNX Runtime's.
std::string qlinear_model() {
  QdqBuilder m(10, {-1, 2, 2, 2});
  const auto [s, z] = m.scale("x", 1, 0);
  m.node("QuantizeLinear", {"x", s, z}, "q");
  m.node("QLinearConv",
         {"q", s, z, m.bytes8("w", {2, 1, 1, 1}, {5, -7}), m.floats("ws", {2}, {1, 2}),
          m.bytes8("wz", {2}, {0, 0}), s, z, m.int32s("b", {10, -4})},
         "c", {{"group", 2}});
  m.node("QLinearAdd", {"c", s, z, "q", s, z, s, z}, "sum");
  m.node("QLinearGlobalAveragePool", {"sum", s, z, s, z}, "p", {{"channels_last", 0}});
  m.node("Flatten", {"p"}, "f");
  m.node("QGemm", {"f", s, z, m.bytes8("fc", {3, 2}, {1, 2, 3, 4, 5, 6}), s, z, "", s, z}, "y",
         {{"transB", 1}});
  for (auto& node : *m.model.mutable_graph()->mutable_node())
    if (node.op_type() == "QGemm" ||
        (node.op_type().starts_with("QLinear") && node.op_type() != "QLinearConv"))
      node.set_domain("com.microsoft");
  return m.bytes(m.node("DequantizeLinear", {"y", s, z}, "scores"));
}

}  // namespace

std::map<std::string, std::string> onnx_corpus() {
  return {{"int8.onnx", int8_model()},
          {"linnet.onnx", linnet_model()},
          {"old.onnx", old_model()},
          {"pytorch.onnx", pytorch_model()},
          {"qdq.onnx", qdq_model()},
          {"qlinear.onnx", qlinear_model()},
          {"tensorflow.onnx", tensorflow_model()}};
}

}  // namespace linnet::formats
