// Files that are no model, no MobileNet, or damaged: a clear error, and nothing else.
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/random.h"
#include "formats/onnx/corpus.h"
#include "formats/onnx/model_checks.h"
#include "support/data.h"

namespace linnet::formats::onnx {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

using Model = ModelBuilder;

Result<Graph> read_bytes(std::string_view bytes) {
  return read_onnx(std::as_bytes(std::span(bytes)), "test.onnx");
}

TEST(onnx_hostile, the_stored_seeds_of_the_fuzzer_are_the_corpus) {
  for (const auto& [name, bytes] : onnx_corpus()) {
    const auto stored = read_text(linnet::testing::repository_data("corpus/onnx/" + name));
    ASSERT_TRUE(stored) << stored.error().message << "; write it with write_onnx_corpus";
    EXPECT_EQ(*stored, bytes) << name << " is stale; write it again with write_onnx_corpus";
    const auto graph = read_bytes(bytes);
    EXPECT_TRUE(graph) << name << ": " << graph.error().message;
  }
}

TEST(onnx_hostile, a_file_cut_at_any_byte_is_an_error) {
  for (const auto& [name, whole] : onnx_corpus())
    for (std::size_t n = 0; n < whole.size(); ++n) {
      const auto graph = read_bytes(std::string_view(whole).substr(0, n));
      // Labels and preprocessing come last, so a file that was cut between fields may lack them and still be
      // a whole network.
      EXPECT_TRUE(graph || graph.error().message.find("test.onnx: ") != std::string::npos)
          << name << " cut at " << n;
    }
}

TEST(onnx_hostile, a_file_with_any_byte_changed_is_read_or_refused) {
  Random random(1);
  for (const auto& [name, whole] : onnx_corpus())
    for (std::size_t i = 0; i < whole.size(); ++i) {
      std::string damaged = whole;
      damaged[i] = i % 3 == 0 ? '\0' : i % 3 == 1 ? '\xff' : static_cast<char>(random.next());
      const auto graph = read_bytes(damaged);
      EXPECT_TRUE(graph ? validate(*graph).has_value()
                        : graph.error().message.find("test.onnx") != std::string::npos)
          << name << ", byte " << i;
    }
}

TEST(onnx_hostile, what_is_no_onnx_model_is_refused) {
  EXPECT_THAT(read_bytes("").error().message, HasSubstr("holds no ONNX graph"));
  EXPECT_THAT(read_bytes("GIF89a").error().message, HasSubstr("is no ONNX model, or is cut short"));
  EXPECT_THAT(read_bytes(std::string(1000, '\x0a')).error().message, StartsWith("test.onnx: "));
  const linnet::testing::ScratchFolder folder;
  EXPECT_THAT(read_onnx(folder.path()).error().message, HasSubstr("is a directory"));
  EXPECT_THAT(read_onnx(folder.path() / "absent.onnx").error().message, HasSubstr("cannot open"));
}

/// A model of one node that reads "x", a float weight "w" and an integer "i".
std::string complaint_about(int opset, const char* op_type, const std::vector<std::string>& inputs,
                            const std::vector<Attribute>& attributes = {}, const Ints& input = {1, 4, 5, 6}) {
  Model m(opset, input);
  m.floats("w", {4, 4, 3, 3}, Floats(144, 1.0f));
  m.ints("i", {1, 2});
  return complaint(m, m.node(op_type, inputs, "y", attributes));
}

TEST(onnx_hostile, operators_that_linnet_does_not_run_are_refused_with_advice) {
  const std::string plain = complaint_about(13, "MaxPool", {"x"});
  EXPECT_EQ(plain,
            "test.onnx: node \"y\" (MaxPool): Linnet does not run this operator; it reads MobileNetV1 to V4 "
            "classifiers. Simplify the model with onnxsim, or cut it before this node with "
            "onnx.utils.extract_model");
  for (const char* op : {"ConvInteger", "MatMulInteger", "DynamicQuantizeLinear"})
    EXPECT_THAT(complaint_about(13, op, {"x"}), HasSubstr("dynamic quantization); quantize it statically"))
        << op;
  EXPECT_THAT(complaint_about(13, "Sigmoid", {"x"}), HasSubstr("cut it off"));
  EXPECT_THAT(complaint_about(13, "If", {"x"}), HasSubstr("no control flow"));
  EXPECT_THAT(complaint_about(13, "Erf", {"w"}), HasSubstr("does not compute this operator on constants"));
  Model m(13, {1, 4, 5, 6});
  m.node("FusedConv", {"x"}, "y");
  m.model.mutable_graph()->mutable_node(0)->set_domain("com.microsoft");
  EXPECT_THAT(complaint(m, "y"), HasSubstr("is of the domain \"com.microsoft\""));
}

TEST(onnx_hostile, convolutions_that_linnet_does_not_run_are_refused) {
  EXPECT_THAT(complaint_about(13, "Conv", {"x", "w"}, {{"dilations", Ints{2, 2}}}),
              HasSubstr("dilation 2x2"));
  EXPECT_THAT(complaint_about(13, "Conv", {"x", "w"}, {{"strides", Ints{0, 1}}}), HasSubstr("stride 0x1"));
  EXPECT_THAT(complaint_about(13, "Conv", {"x", "w"}, {{"strides", Ints{1}}}),
              HasSubstr("strides of 1 numbers"));
  EXPECT_THAT(complaint_about(13, "Conv", {"x", "w"}, {{"pads", Ints{-1, 0, 0, 0}}}),
              HasSubstr("padding of -1"));
  EXPECT_THAT(complaint_about(13, "Conv", {"x", "w"}, {{"kernel_shape", Ints{5, 5}}}),
              HasSubstr("kernel_shape [5, 5]"));
  EXPECT_THAT(complaint_about(13, "Conv", {"x", "w"}, {{"auto_pad", "SIDEWAYS"}}), HasSubstr("\"SIDEWAYS\""));
  EXPECT_THAT(complaint_about(13, "Conv", {"x", "w"}, {{"group", 2}}),
              HasSubstr("group=2 with 4 channels is not depthwise; Linnet runs group=1 or group=channels"));
  EXPECT_THAT(complaint_about(13, "Conv", {"x", "w"}, {{"group", 4}}),
              HasSubstr("a depthwise weight of [4, 4, 3, 3]"));
  EXPECT_THAT(complaint_about(13, "Conv", {"x", "w"}, {}, {1, 3, 5, 6}), HasSubstr("weight is [4, 3, 3, 4]"));
  EXPECT_THAT(complaint_about(13, "Conv", {"x", "w"}, {}, {1, 4, 2, 6}),
              HasSubstr("larger than its padded input"));
  EXPECT_THAT(complaint_about(13, "Conv", {"x", "i"}), HasSubstr("weight holds integers"));
  EXPECT_THAT(complaint_about(13, "Conv", {"x", "x"}), HasSubstr("is not a constant"));
  EXPECT_THAT(complaint_about(13, "Conv", {"w", "x"}), HasSubstr("is a constant where"));
  EXPECT_THAT(complaint_about(13, "Conv", {"x"}), HasSubstr("input 1 is missing"));
}

TEST(onnx_hostile, attributes_of_the_wrong_kind_are_refused) {
  EXPECT_THAT(complaint_about(13, "Conv", {"x", "w"}, {{"group", 1.0f}}),
              HasSubstr("\"group\" is not an integer"));
  EXPECT_THAT(complaint_about(13, "Conv", {"x", "w"}, {{"strides", 2}}),
              HasSubstr("\"strides\" is not a list"));
  EXPECT_THAT(complaint_about(13, "Conv", {"x", "w"}, {{"auto_pad", 2}}),
              HasSubstr("\"auto_pad\" is not a text"));
  EXPECT_THAT(complaint_about(13, "HardSigmoid", {"x"}, {{"alpha", 1}}),
              HasSubstr("\"alpha\" is not a number"));
  EXPECT_THAT(complaint_about(13, "Constant", {}, {{"value", 1}}), HasSubstr("\"value\" is not a tensor"));
}

TEST(onnx_hostile, inputs_and_outputs_that_are_no_classifiers_are_refused) {
  const auto with_input = [](const Ints& dims) { return complaint_about(13, "Relu", {"x"}, {}, dims); };
  EXPECT_THAT(with_input({1, 3, -1, 6}), HasSubstr("input \"x\": axis 2 (\"batch\") has no fixed size"));
  EXPECT_THAT(with_input({1, 3}), HasSubstr("has 2 axes"));
  EXPECT_THAT(with_input({1, 3, std::int64_t{1} << 40, 6}), HasSubstr("which is no image's"));
  EXPECT_THAT(with_input({1, 1 << 20, 6, 6}), HasSubstr("which is no image's"));
  EXPECT_THAT(with_input({1, 3, 1 << 16, 1 << 16}), HasSubstr("larger than Linnet allows"));

  Model m(13, {1, 3, 4, 4});
  m.node("Relu", {"x"}, "y");
  m.model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(2);
  EXPECT_THAT(complaint(m, "y"), HasSubstr("holds numbers of ONNX's type 2"));
  m.model.mutable_graph()->add_input()->set_name("second");
  EXPECT_THAT(complaint(m, "y"), HasSubstr("two inputs, \"x\" and \"second\""));
  m.model.mutable_graph()->clear_input();
  EXPECT_THAT(complaint(m, "y"), HasSubstr("has no input"));

  Model two(13, {1, 3, 4, 4});
  two.node("Relu", {"x"}, "y");
  two.bytes("y");
  two.model.mutable_graph()->add_output()->set_name("x");
  EXPECT_THAT(read_bytes(two.model.SerializeAsString()).error().message, HasSubstr("2 outputs"));
  EXPECT_THAT(complaint(two, "nowhere"), HasSubstr("\"nowhere\""));
  two.floats("constant", {1}, {1});
  EXPECT_THAT(complaint(two, two.node("Identity", {"constant"}, "fixed")),
              HasSubstr("does not depend on the image"));
}

TEST(onnx_hostile, opsets_before_7_and_files_without_one_are_refused) {
  EXPECT_THAT(complaint_about(6, "Relu", {"x"}), HasSubstr("opset 6 is older than 7"));
  EXPECT_EQ(complaint_about(24, "Relu", {"x"}), "");
  Model m(13, {1, 3, 4, 4});
  m.node("Relu", {"x"}, "y");
  m.model.mutable_opset_import(0)->set_domain("ai.onnx.ml");
  EXPECT_THAT(complaint(m, "y"), HasSubstr("names no opset"));
}

TEST(onnx_hostile, values_that_nothing_gives_and_circles_are_refused) {
  EXPECT_THAT(complaint_about(13, "Add", {"x", "missing"}),
              HasSubstr("reads \"missing\", which neither a constant nor a node before it gives"));
  EXPECT_THAT(complaint_about(13, "Add", {"x", "y"}), HasSubstr("reads \"y\""));
  Model m(13, {1, 3, 4, 4});
  m.node("Add", {"x", "b"}, "a");
  m.node("Relu", {"a"}, "b");
  EXPECT_THAT(complaint(m, "b"), HasSubstr("node \"a\" (Add): reads \"b\""));
  m.node("Relu", {"x"}, "a");
  EXPECT_THAT(complaint(m, "a"), HasSubstr("\"a\" is given twice"));
  Model shadow(13, {1, 3, 4, 4});
  EXPECT_THAT(complaint(shadow, shadow.node("Relu", {"x"}, "x")), HasSubstr("\"x\" is given twice"));
}

TEST(onnx_hostile, constants_that_ask_for_the_moon_are_refused) {
  const auto constant_of = [](const Ints& dims) {
    Model m(13, {1, 3, 4, 4});
    m.node("ConstantOfShape", {m.ints("shape", dims)}, "c");
    return complaint(m, m.node("Add", {"x", "c"}, "y"));
  };
  EXPECT_THAT(constant_of({1 << 20, 1 << 20}), HasSubstr("is more than a MobileNet needs"));
  EXPECT_THAT(constant_of({-1}), HasSubstr("is more than a MobileNet needs"));

  // Doubling forty times asks for a trillion values.
  Model m(13, {1, 3, 4, 4});
  std::string last = m.floats("c", {4}, Floats(4, 1.0f));
  for (int i = 0; i < 40; ++i) last = m.node("Concat", {last, last}, last + "c", {{"axis", 0}});
  EXPECT_THAT(complaint(m, m.node("Add", {"x", last}, "y")), HasSubstr("is more than a MobileNet needs"));
}

TEST(onnx_hostile, folding_checks_its_indices) {
  const auto folded = [](const std::function<void(Model&)>& make) {
    Model m(13, {1, 3, 4, 4});
    m.floats("m", {2, 3}, Floats(6, 1.0f));
    make(m);
    return complaint(m, m.node("Add", {"x", "c"}, "y"));
  };
  EXPECT_THAT(folded([](Model& m) {
                m.node("Gather", {"m", m.ints("i", {2})}, "c");
              }),
              HasSubstr("index 2 of 2 values"));
  EXPECT_THAT(folded([](Model& m) {
                m.node("Gather", {"m", m.ints("i", {0})}, "c", {{"axis", 7}});
              }),
              HasSubstr("axis 7 of a tensor with 2 axes"));
  EXPECT_THAT(folded([](Model& m) {
                m.node("Transpose", {"m"}, "c", {{"perm", Ints{0, 0}}});
              }),
              HasSubstr("axis 0 stands twice"));
  EXPECT_THAT(folded([](Model& m) {
                m.node("Reshape", {"m", m.ints("s", {4, -1})}, "c");
              }),
              HasSubstr("cannot reshape [2, 3] to [4, -1]"));
  EXPECT_THAT(folded([](Model& m) {
                m.node("Slice", {"m", m.ints("s", {0}), m.ints("e", {1, 2})}, "c");
              }),
              HasSubstr("1 starts, 2 ends"));
  EXPECT_THAT(folded([](Model& m) {
                m.node("Squeeze", {"m", m.ints("a", {0})}, "c");
              }),
              HasSubstr("squeezes axis 0"));
  EXPECT_THAT(folded([](Model& m) {
                m.node("Div", {m.ints("i", {1}), m.ints("z", {0})}, "c");
              }),
              HasSubstr("divides by zero"));
  EXPECT_THAT(folded([](Model& m) {
                m.node("Add", {"m", m.ints("i", {1})}, "c");
              }),
              HasSubstr("floats with integers"));
  EXPECT_THAT(folded([](Model& m) { m.node("Identity", {"m"}, "c"); }),
              HasSubstr("combines [1, 3, 4, 4] (NCHW)"));
}

TEST(onnx_hostile, metadata_that_is_damaged_is_refused) {
  const auto with = [](const char* key, const std::string& text) {
    Model m(13, {1, 3, 1, 1});
    m.node("Flatten", {"x"}, "y");
    auto& entry = *m.model.add_metadata_props();
    entry.set_key(key);
    entry.set_value(text);
    return complaint(m, "y");
  };
  EXPECT_EQ(with("linnet.labels", R"(["a","b","c"])"), "");
  EXPECT_THAT(with("linnet.labels", R"(["a","b"])"), HasSubstr("2 labels for an output of 1x1x3"));
  EXPECT_THAT(with("linnet.labels", R"(["a",)"), HasSubstr("test.onnx: metadata \"linnet.labels\": "));
  EXPECT_THAT(with("linnet.labels", R"({"a":1})"), HasSubstr("test.onnx: metadata \"linnet.labels\": "));
  EXPECT_THAT(with("linnet.preprocessing", "{}"),
              HasSubstr("test.onnx: metadata \"linnet.preprocessing\": "));
  EXPECT_THAT(with("linnet.labels", std::string(100'000, '[')), HasSubstr("nested more than 16 deep"));
  EXPECT_THAT(with("linnet.dialect", "klingon"),
              HasSubstr("metadata \"linnet.dialect\": is \"klingon\", expected one of unknown"));
  EXPECT_EQ(with("author", "[[["), "") << "other people's entries are none of Linnet's business";
}

}  // namespace
}  // namespace linnet::formats::onnx
