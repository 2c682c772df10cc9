// The same small networks as different exporters write them.
#include <functional>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/onnx/model_checks.h"

namespace linnet::formats::onnx {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;
using ::testing::HasSubstr;

using Model = ModelBuilder;

Floats counting(std::size_t n, float first = 1) {
  Floats values(n);
  std::iota(values.begin(), values.end(), first);
  return values;
}

/// Ends a network: pool [N, 2, H, W] `x` by ONNX's operators, make it [N, 2], and multiply by a matrix.
using Head = std::function<std::string(Model&)>;

std::string pool(Model& m) { return m.node("GlobalAveragePool", {"x"}, "pooled"); }
std::string gemm(Model& m, const std::string& x) {
  return m.node("Gemm",
                {x, m.floats("fc.weight", {3, 2}, {1, 2, 3, 4, 5, 6}), m.floats("fc.bias", {3}, {7, 8, 9})},
                "y", {{"transB", 1}});
}

TEST(onnx_forms, a_head_is_pool_and_linear_however_it_is_flattened) {
  const std::vector<std::pair<const char*, Head>> heads = {
      {"Flatten", [](Model& m) { return gemm(m, m.node("Flatten", {pool(m)}, "flat")); }},
      {"Flatten with a negative axis",
       [](Model& m) {
         return gemm(m, m.node("Flatten", {pool(m)}, "flat", {{"axis", -3}}));
       }},
      {"Reshape to [-1, 2]",
       [](Model& m) {
         return gemm(m, m.node("Reshape", {pool(m), m.ints("shape", {-1, 2})}, "flat"));
       }},
      {"Gather from a Constant's value_ints, Reshape",
       [](Model& m) {
         m.node("Constant", {}, "sizes", {{"value_ints", Ints{2, -1}}});
         m.node("Gather", {"sizes", m.ints("swapped", {1, 0})}, "shape", {{"axis", 0}});
         return gemm(m, m.node("Reshape", {pool(m), "shape"}, "flat"));
       }},
      {"Reshape to [0, -1]",
       [](Model& m) {
         return gemm(m, m.node("Reshape", {pool(m), m.ints("shape", {0, -1})}, "flat"));
       }},
      {"Reshape to [1, 2]",
       [](Model& m) {
         return gemm(m, m.node("Reshape", {pool(m), m.ints("shape", {1, 2})}, "flat"));
       }},
      {"Shape, Gather, Unsqueeze, Concat, Reshape",  // PyTorch's x.view(x.size(0), -1)
       [](Model& m) {
         pool(m);
         m.node("Shape", {"pooled"}, "s");
         m.node("Constant", {}, "zero", {{"value", int_tensor({}, {0})}});
         m.node("Gather", {"s", "zero"}, "n", {{"axis", 0}});
         m.node("Unsqueeze", {"n", m.ints("axes", {0})}, "n1");
         m.node("Constant", {}, "rest", {{"value", int_tensor({1}, {-1})}});
         m.node("Concat", {"n1", "rest"}, "shape", {{"axis", 0}});
         return gemm(m, m.node("Reshape", {"pooled", "shape"}, "flat"));
       }},
      {"Shape, Cast, Slice, Concat, Cast, Reshape",  // tf2onnx's
       [](Model& m) {
         pool(m);
         m.node("Shape", {"pooled"}, "s");
         m.node("Cast", {"s"}, "s32", {{"to", 6}});
         m.node("Slice", {"s32", m.ints("starts", {0}), m.ints("ends", {1}), m.ints("axes", {0})}, "n");
         m.node("Concat", {"n", m.ints("rest", {2})}, "shape32", {{"axis", 0}});
         m.node("Cast", {"shape32"}, "shape", {{"to", 7}});
         return gemm(m, m.node("Reshape", {"pooled", "shape"}, "flat"));
       }},
      {"Squeeze with axes as an input",
       [](Model& m) {
         return gemm(m, m.node("Squeeze", {pool(m), m.ints("axes", {2, 3})}, "flat"));
       }},
      {"Squeeze twice, negative axes",
       [](Model& m) {
         m.node("Squeeze", {pool(m), m.ints("axes", {-1})}, "once");
         return gemm(m, m.node("Squeeze", {"once", "axes"}, "flat"));
       }},
      {"ReduceMean, axes as an input, no kept dimensions",
       [](Model& m) {
         return gemm(m, m.node("ReduceMean", {"x", m.ints("axes", {2, 3})}, "flat", {{"keepdims", 0}}));
       }},
      {"ReduceMean, negative axes as an attribute, then Flatten",
       [](Model& m) {
         m.node("ReduceMean", {"x"}, "pooled", {{"axes", Ints{-1, -2}}});
         return gemm(m, m.node("Flatten", {"pooled"}, "flat"));
       }},
      {"AveragePool of the whole size",
       [](Model& m) {
         m.node("AveragePool", {"x"}, "pooled", {{"kernel_shape", Ints{2, 3}}, {"strides", Ints{1, 1}}});
         return gemm(m, m.node("Flatten", {"pooled"}, "flat"));
       }},
      {"Dropout, Identity and Cast in between",
       [](Model& m) {
         m.node("Dropout", {pool(m)}, "dropped");
         m.node("Identity", {"dropped"}, "same");
         m.node("Cast", {"same"}, "cast", {{"to", 1}});
         return gemm(m, m.node("Flatten", {"cast"}, "flat"));
       }},
      {"MatMul and Add",
       [](Model& m) {
         m.node("Flatten", {pool(m)}, "flat");
         m.node("MatMul", {"flat", m.floats("w", {2, 3}, {1, 3, 5, 2, 4, 6})}, "product");
         return m.node("Add", {m.floats("b", {3}, {7, 8, 9}), "product"}, "y");
       }},
      {"MatMul by a transposed weight, on [N, 1, 1, C]",
       [](Model& m) {
         m.node("Transpose", {pool(m)}, "nhwc", {{"perm", Ints{0, 2, 3, 1}}});
         m.node("Transpose", {m.floats("w", {3, 2}, counting(6))}, "wt", {{"perm", Ints{1, 0}}});
         m.node("MatMul", {"nhwc", "wt"}, "product");
         return m.node("Add", {"product", m.floats("b", {1, 1, 1, 3}, {7, 8, 9})}, "y");
       }},
      {"Gemm with alpha and beta, weight not transposed",
       [](Model& m) {
         m.node("Flatten", {pool(m)}, "flat");
         m.floats("w", {2, 3}, {2, 6, 10, 4, 8, 12});
         m.floats("b", {1, 3}, {28, 32, 36});
         return m.node("Gemm", {"flat", "w", "b"}, "y", {{"alpha", 0.5f}, {"beta", 0.25f}});
       }},
      {"a 1x1 convolution, flattened after it",
       [](Model& m) {
         m.node("Conv", {pool(m), m.floats("w", {3, 2, 1, 1}, counting(6)), m.floats("b", {3}, {7, 8, 9})},
                "c");
         return m.node("Flatten", {"c"}, "y");
       }},
      {"a 1x1 convolution whose bias is added after it",
       [](Model& m) {
         m.node("Conv", {pool(m), m.floats("w", {3, 2, 1, 1}, counting(6))}, "c");
         return m.node("Add", {"c", m.floats("b", {1, 3, 1, 1}, {7, 8, 9})}, "y");
       }},
  };
  // Channel means are 3.5 and 35.
  Floats image;
  for (int i = 1; i <= 6; ++i) image.insert(image.end(), {static_cast<float>(i), static_cast<float>(10 * i)});
  for (const std::int64_t batch : {-1, 1})
    for (const auto& [text, head] : heads) {
      SCOPED_TRACE(text);
      Model m(13, {batch, 2, 2, 3});
      const std::string y = head(m);
      EXPECT_THAT(read_and_run(m, y, image), ElementsAre(80.5f, 158.5f, 236.5f));
      const auto graph = m.read(y);
      ASSERT_TRUE(graph);
      EXPECT_EQ(graph->size(), 3) << "input, pool and layer, nothing else\n" << dump(*graph);
    }
}

TEST(onnx_forms, a_fixed_batch_counts_as_a_batch) {
  Model m(13, {8, 2, 2, 3});
  pool(m);
  gemm(m, m.node("Reshape", {"pooled", m.ints("shape", {8, 2})}, "flat"));
  EXPECT_THAT(read_and_run(m, "y", Floats(12, 1.0f)), ElementsAre(10, 15, 20));
}

TEST(onnx_forms, a_reshape_that_mixes_axes_is_refused) {
  Model m(13, {-1, 2, 2, 3});
  m.node("Flatten", {"x"}, "flat");
  EXPECT_THAT(complaint(m, "flat"),
              HasSubstr("node \"flat\" (Flatten): reshapes [1, 2, 2, 3] (NCHW) to [1, 12], which mixes"));
}

/// A gate on [N, 2, 2, 1] `x`: pool, squeeze to one channel, excite back to two, multiply.
TEST(onnx_forms, squeeze_and_excite_is_pool_layers_and_multiply_in_every_form) {
  const auto multiply = [](Model& m, const std::string& gate) { return m.node("Mul", {gate, "x"}, "y"); };
  const std::vector<std::pair<const char*, Head>> forms = {
      {"ReduceMean and 1x1 convolutions",
       [&](Model& m) {
         m.node("ReduceMean", {"x"}, "pooled", {{"axes", Ints{2, 3}}, {"keepdims", 1}});
         m.node("Conv", {"pooled", m.floats("w1", {1, 2, 1, 1}, {1, -1})}, "squeezed");
         m.node("Relu", {"squeezed"}, "r");
         m.node("Conv", {"r", m.floats("w2", {2, 1, 1, 1}, {1, -1})}, "excited");
         return multiply(m, m.node("HardSigmoid", {"excited"}, "gate", {{"alpha", 1.0f / 6.0f}}));
       }},
      {"Flatten, Gemm and Reshape",
       [&](Model& m) {
         m.node("Flatten", {pool(m)}, "flat");
         m.node("Gemm", {"flat", m.floats("w1", {2, 1}, {1, -1})}, "squeezed");
         m.node("Relu", {"squeezed"}, "r");
         m.node("Gemm", {"r", m.floats("w2", {2, 1}, {1, -1})}, "excited", {{"transB", 1}});
         m.node("HardSigmoid", {"excited"}, "h", {{"alpha", 1.0f / 6.0f}});
         return multiply(m, m.node("Reshape", {"h", m.ints("shape", {-1, 2, 1, 1})}, "gate"));
       }},
      {"Squeeze, MatMul and Unsqueeze",
       [&](Model& m) {
         m.node("Squeeze", {pool(m)}, "c1");  // without axes: every one of size one, the batch too
         m.node("Unsqueeze", {"c1", m.ints("first", {0})}, "flat");
         m.node("MatMul", {"flat", m.floats("w1", {2, 1}, {1, -1})}, "squeezed");
         m.node("Relu", {"squeezed"}, "r");
         m.node("MatMul", {"r", m.floats("w2", {1, 2}, {1, -1})}, "excited");
         m.node("Unsqueeze", {"excited", m.ints("axes", {2, 3})}, "e4");
         return multiply(m, m.node("HardSigmoid", {"e4"}, "gate", {{"alpha", 1.0f / 6.0f}}));
       }},
  };
  for (const auto& [text, form] : forms) {
    SCOPED_TRACE(text);
    Model m(13, {1, 2, 2, 1});
    // Means 5 and 2: squeezed to 3, excited to 3 and -3, gates 1 and 0.
    EXPECT_THAT(read_and_run(m, form(m), {4, 1, 6, 3}), ElementsAre(4, 0, 6, 0));
  }
}

TEST(onnx_forms, an_image_may_come_in_nhwc_and_leave_in_any_axes) {
  Model m(13, {-1, 2, 3, 2});
  m.node("Mul", {"x", m.scalar("half", 0.5)}, "scaled");  // what Keras puts before the transpose
  m.node("Transpose", {"scaled"}, "nchw", {{"perm", Ints{0, 3, 1, 2}}});
  m.floats("w", {2, 2, 1, 2}, {1, 0, 0, 1, 0, 10, 0, 0});
  m.node("Conv", {"nchw", "w"}, "c");
  m.node("Transpose", {"c"}, "nhwc", {{"perm", Ints{0, 2, 3, 1}}});
  m.node("Add", {"nhwc", m.floats("b", {2}, {100, 1000})}, "y");
  const auto graph = m.read("y");
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_EQ(graph->input_shape(), (Shape{2, 3, 2}));
  EXPECT_EQ(graph->output_shape(), (Shape{2, 2, 2}));
  // y0(w) = x0(w) + x1(w + 1), y1(w) = 10 x0(w + 1), halved, plus the bias.
  EXPECT_THAT(run(*graph, counting(12)), ElementsAre(102.5f, 1015, 104.5f, 1025, 108.5f, 1045, 110.5f, 1055));
}

TEST(onnx_forms, a_reduce_mean_of_nhwc_is_a_pool) {
  Model m(13, {1, 2, 2, 2});
  m.node("Transpose", {"x"}, "nhwc", {{"perm", Ints{0, 2, 3, 1}}});
  m.node("ReduceMean", {"nhwc"}, "y", {{"axes", Ints{1, 2}}, {"keepdims", 0}});
  EXPECT_THAT(read_and_run(m, "y", {1, 10, 2, 20, 3, 30, 6, 60}), ElementsAre(3, 30));
  m.node("ReduceMean", {"nhwc"}, "wrong", {{"axes", Ints{2, 3}}});
  EXPECT_THAT(complaint(m, "wrong"), HasSubstr("averages axes [2, 3] of [1, 2, 2, 2] (NHWC)"));
}

TEST(onnx_forms, convolutions_pad_as_auto_pad_says) {
  const auto padding = [](const char* automatic) {
    Model m(13, {1, 1, 6, 8});  // an odd row and an odd column to place
    m.floats("w", {1, 1, 3, 3}, Floats(9, 1.0f));
    const auto graph =
        m.read(m.node("Conv", {"x", "w"}, "y", {{"auto_pad", automatic}, {"strides", Ints{2, 2}}}));
    EXPECT_TRUE(graph) << (graph ? "" : graph.error().message);
    return graph ? std::get<Convolution>(graph->nodes[1].op).window.padding : Padding{};
  };
  EXPECT_EQ(padding("SAME_UPPER"), (Padding{0, 1, 0, 1}));
  EXPECT_EQ(padding("SAME_LOWER"), (Padding{1, 0, 1, 0}));
  EXPECT_EQ(padding("VALID"), Padding{});
  EXPECT_EQ(padding("NOTSET"), Padding{});
}

TEST(onnx_forms, pads_are_top_left_bottom_right_and_strides_height_then_width) {
  Model m(13, {1, 3, 9, 8});
  m.floats("w", {3, 1, 3, 2}, counting(18));
  const auto graph = m.read(m.node("Conv", {"x", "w"}, "y",
                                   {{"group", 3},
                                    {"pads", Ints{1, 2, 3, 4}},
                                    {"strides", Ints{2, 1}},
                                    {"kernel_shape", Ints{3, 2}},
                                    {"dilations", Ints{1, 1}}}));
  ASSERT_TRUE(graph) << graph.error().message;
  const auto& op = std::get<Depthwise>(graph->nodes[1].op);
  EXPECT_EQ(op.window, (Window{3, 2, 2, 1, {1, 3, 2, 4}}));
  EXPECT_EQ(op.weight.dims(), (std::vector<int>{3, 2, 3}));
  EXPECT_EQ(op.weight.values()[1], 7) << "channel 1 of the first tap";
}

TEST(onnx_forms, a_pad_is_zeros_around_height_and_width) {
  const Padding expected = {1, 3, 2, 4};
  for (const int form : {0, 1, 2}) {
    Model m(form == 0 ? 7 : 18, {1, 1, 2, 2});
    if (form == 0) m.node("Pad", {"x"}, "y", {{"pads", Ints{0, 0, 1, 2, 0, 0, 3, 4}}, {"mode", "constant"}});
    if (form == 1) m.node("Pad", {"x", m.ints("pads", {0, 0, 1, 2, 0, 0, 3, 4}), m.scalar("zero", 0)}, "y");
    if (form == 2) m.node("Pad", {"x", m.ints("pads", {2, 1, 4, 3}), "", m.ints("axes", {-1, 2})}, "y");
    const auto graph = m.read("y");
    ASSERT_TRUE(graph) << graph.error().message;
    EXPECT_EQ(graph->nodes[1].op, Op(Pad{expected})) << "form " << form;
  }
  Model m(13, {1, 1, 2, 2});
  m.ints("pads", {0, 0, 1, 0, 0, 0, 0, 0});
  m.node("Pad", {"x", "pads", m.scalar("one", 1)}, "ones");
  EXPECT_THAT(complaint(m, "ones"), HasSubstr("pads with 1; Linnet pads with zeros"));
  m.node("Pad", {"x", "pads"}, "reflected", {{"mode", "reflect"}});
  EXPECT_THAT(complaint(m, "reflected"), HasSubstr("mode \"reflect\""));
  m.node("Pad", {"x", m.ints("channels", {0, 1, 0, 0, 0, 0, 0, 0})}, "deeper");
  EXPECT_THAT(complaint(m, "deeper"), HasSubstr("pads axis 1"));
  m.node("Pad", {"x", m.ints("negative", {0, 0, -1, 0, 0, 0, 0, 0})}, "cropped");
  EXPECT_THAT(complaint(m, "cropped"), HasSubstr("pads by -1"));
}

TEST(onnx_forms, a_batch_norm_may_be_an_operator_or_arithmetic) {
  const Floats image = {1, 2, 3, 4};
  Model m(13, {1, 2, 1, 2});
  m.floats("scale", {2}, {2, 3});
  m.floats("offset", {2}, {10, 20});
  m.floats("mean", {2}, {1, 2});
  m.floats("variance", {2}, {3, 8});
  m.node("BatchNormalization", {"x", "scale", "offset", "mean", "variance"}, "norm", {{"epsilon", 1.0f}});
  EXPECT_THAT(read_and_run(m, "norm", image), ElementsAre(10, 20, 12, 22));

  m.floats("epsilon", {1}, {1});
  m.node("Add", {"variance", "epsilon"}, "sum");
  m.node("Sqrt", {"sum"}, "deviation");
  m.node("Div", {"scale", "deviation"}, "factor");
  m.node("Unsqueeze", {"factor", m.ints("axes", {1, 2})}, "factor4");
  m.node("Reshape", {"mean", m.ints("shape", {1, 2, 1, 1})}, "mean4");
  m.node("Reshape", {"offset", "shape"}, "offset4");
  m.node("Sub", {"x", "mean4"}, "centred");
  m.node("Mul", {"factor4", "centred"}, "scaled");
  m.node("Add", {"scaled", "offset4"}, "arithmetic");
  EXPECT_THAT(read_and_run(m, "arithmetic", image), ElementsAre(10, 20, 12, 22));
  EXPECT_THAT(read_and_run(m, m.node("Div", {"x", "factor4"}, "divided"), image),
              ElementsAre(FloatEq(1), FloatEq(2), FloatEq(3), FloatEq(4)));
}

TEST(onnx_forms, a_softmax_runs_over_the_classes_and_a_log_softmax_only_at_the_end) {
  for (const auto& [opset, op, attributes, legal] :
       std::vector<std::tuple<int, const char*, std::vector<Attribute>, bool>>{
           {7, "Softmax", {}, true},
           {13, "Softmax", {}, true},
           {13, "Softmax", {{"axis", 1}}, true},
           {13, "Softmax", {{"axis", 0}}, false},
           {9, "LogSoftmax", {{"axis", -1}}, true}}) {
    Model m(opset, {4, 2, 2, 3});  // a batch of four, so that normalising over it is noticed
    m.node("Flatten", {pool(m)}, "flat");
    const auto graph = m.read(m.node(op, {"flat"}, "y", attributes));
    EXPECT_EQ(graph.has_value(), legal) << op << " at opset " << opset;
    EXPECT_TRUE(!graph || std::holds_alternative<Softmax>((*graph)[graph->output].op));
  }
  Model m(13, {1, 2, 2, 3});
  m.node("Flatten", {pool(m)}, "flat");
  m.node("LogSoftmax", {"flat"}, "log");
  gemm(m, "log");
  EXPECT_THAT(complaint(m, "y"), HasSubstr("a log-softmax inside the network"));
}

TEST(onnx_forms, names_are_onnxs_made_unique) {
  Model m(13, {1, 1, 2, 2});
  m.node("Relu", {"x"}, "a");
  m.floats("w", {1, 1, 1, 1}, {1});
  m.node("Conv", {"a", "w"}, "b");
  m.node("Conv", {"b", "w"}, "c");
  m.node("Conv", {"c", "w"}, "d");
  auto& nodes = *m.model.mutable_graph()->mutable_node();
  nodes[0].set_name("x");  // the input's name
  nodes[1].set_name("");   // takes the name of its output
  nodes[2].set_name("twin");
  nodes[3].set_name("twin");
  const auto graph = m.read("d");
  ASSERT_TRUE(graph) << graph.error().message;
  std::vector<std::string> names;
  for (const Node& node : graph->nodes) names.push_back(node.name);
  EXPECT_THAT(names, ElementsAre("x", "x_1", "b", "twin", "twin_1"));
}

TEST(onnx_forms, nodes_that_the_output_does_not_need_may_be_anything) {
  Model m(13, {1, 2, 2, 3});
  m.node("NonMaxSuppression", {"x"}, "unread");
  gemm(m, m.node("Flatten", {pool(m)}, "flat"));
  m.node("Sigmoid", {"y"}, "probabilities");
  EXPECT_EQ(complaint(m, "y"), "");
}

TEST(onnx_forms, old_files_list_their_weights_among_the_inputs) {
  Model m(7, {1, 2, 2, 3});
  gemm(m, m.node("Flatten", {pool(m)}, "flat"));
  auto& input = *m.model.mutable_graph()->add_input();
  input.set_name("fc.weight");
  EXPECT_EQ(complaint(m, "y"), "");
}

TEST(onnx_forms, the_exporter_tells_the_dialect_and_a_model_that_rescales_its_input_asks_for_raw_pixels) {
  const auto read = [](const char* producer, double scale) {
    Model m(13, {1, 3, 4, 4});
    m.model.set_producer_name(producer);
    m.node("Mul", {"x", m.scalar("scale", scale)}, "scaled");
    m.node("Sub", {"scaled", m.scalar("one", 1)}, "centred");
    m.floats("conv_stem.weight", {1, 3, 1, 1}, {1, 1, 1});
    return m.read(m.node("Conv", {"centred", "conv_stem.weight"}, "y")).value();
  };
  EXPECT_EQ(read("pytorch", 1).dialect, Dialect::kTimm);
  EXPECT_EQ(read("my own", 1).dialect, Dialect::kUnknown);
  EXPECT_EQ(read("tf2onnx", 2).dialect, Dialect::kTensorflow);
  EXPECT_FALSE(read("tf2onnx", 2).preprocessing);
  const Graph keras = read("tf2onnx", 1 / 127.5);
  ASSERT_TRUE(keras.preprocessing);
  EXPECT_EQ(keras.preprocessing->rescale, 1);
  EXPECT_EQ(keras.preprocessing->deviation, (std::array<float, 3>{1, 1, 1}));
  EXPECT_TRUE(keras.preprocessing->resize_to_input);
}

}  // namespace
}  // namespace linnet::formats::onnx
