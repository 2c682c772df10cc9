// Linnet's own form: what is written is what is read.
#include "formats/safetensors/linnet_form.h"

#include <cstring>
#include <limits>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "formats/metadata/json.h"
#include "formats/safetensors/safetensors.h"
#include "graph/builder.h"
#include "graph/families/family.h"
#include "graph/passes/passes.h"
#include "support/data.h"

namespace linnet::formats {
namespace {

using linnet::testing::ScratchFolder;
using ::testing::HasSubstr;

Constant some(std::vector<int> dims) {
  std::size_t n = 1;
  for (const int d : dims) n *= static_cast<std::size_t>(d);
  AlignedVector<float> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = 0.1f * static_cast<float>(i) - 0.3f;
  return Constant(std::move(dims), std::move(values));
}

/// Every operator once, every field away from its default.
Graph every_operator() {
  GraphBuilder b("every \"operator\"", {9, 8, 3}, "picture");
  NodeId x = b.add("pad", Pad{{1, 2, 3, 0}}, {b.input()});
  x = b.add("conv",
            Convolution{{3, 2, 2, 1, {1, 0, 2, 1}}, some({4, 3, 2, 3}), some({4}), Activation::kHardSwish},
            {x});
  x = b.add("norm", BatchNorm{some({4}), some({4}), some({4}), some({4}), 0.1f}, {x});
  const NodeId dw =
      b.add("dw", Depthwise{{3, 3, 1, 1, {1, 1, 1, 1}}, some({3, 3, 4}), {}, Activation::kRelu6}, {x});
  x = b.add("sum", Add{Activation::kRelu}, {x, dw});
  NodeId gate = b.add("mean", GlobalAveragePool{}, {x});
  gate = b.add("gate", Activate{Activation::kHardSigmoid}, {gate});
  x = b.add("gated", Multiply{}, {x, gate});
  x = b.add("pool", GlobalAveragePool{}, {x});
  x = b.add("nothing", Identity{}, {x});
  x = b.add("scores", Linear{some({2, 4}), some({2}), Activation::kNone}, {x});
  x = b.add("softmax", Softmax{}, {x});
  Graph graph = std::move(b).finish(x).value();
  graph.labels = {"tench, Tinca tinca", "Kätzchen \"猫\"\n"};
  graph.dialect = Dialect::kTensorflow;
  graph.preprocessing = tensorflow_preprocessing();
  return graph;
}

/// Every field that only an int8 graph has.
Graph int8_graph() {
  GraphBuilder b("int8", {5, 4, 3});
  b.quantize(b.input(), {0.1f, -7});
  const auto int8 = [](std::vector<int> dims) {
    std::size_t n = 1;
    for (const int d : dims) n *= static_cast<std::size_t>(d);
    AlignedVector<std::int8_t> values(n);
    for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<std::int8_t>(i * 37);
    return Constant(std::move(dims), std::move(values));
  };
  const auto bias = [](int n) {
    return Constant({n}, AlignedVector<std::int32_t>(static_cast<std::size_t>(n), -70000));
  };
  const auto scale = [](int n) {
    return Constant({n}, AlignedVector<float>(static_cast<std::size_t>(n), 0.003f));
  };
  NodeId x = b.add("conv", Convolution{{3, 3}, int8({3, 3, 3, 3}), bias(3), Activation::kRelu6, scale(3), 5},
                   {b.input()});
  b.quantize(x, {1.0f / 3, 127});
  x = b.add("dw", Depthwise{{3, 1}, int8({3, 1, 3}), {}, Activation::kNone, scale(3)}, {x});
  b.quantize(x, {0.2f, 0});
  x = b.add("pool", GlobalAveragePool{}, {x});
  b.quantize(x, {0.2f, 1});
  x = b.add("scores", Linear{int8({2, 3}), bias(2), Activation::kNone, scale(2), -128}, {x});
  b.quantize(x, {0.5f, 3});
  return std::move(b).finish(x).value();
}

Graph round_trip(const Graph& graph) {
  const ScratchFolder folder;
  const auto path = folder.path() / "model.safetensors";
  const auto written = write_safetensors(graph, path);
  EXPECT_TRUE(written) << written.error().message;
  auto read = read_safetensors(path);
  EXPECT_TRUE(read) << read.error().message;
  return read.value_or(Graph{});
}

TEST(linnet_form, an_int8_graph_is_written_and_read_without_a_difference) {
  EXPECT_EQ(round_trip(int8_graph()), int8_graph());
}

TEST(linnet_form, an_illegal_quantization_is_refused) {
  const auto complaint = [](Json quantization) {
    const auto form = linnet_form(int8_graph()).value();
    SafetensorsFile file;
    file.metadata = form.metadata;
    Json graph = Json::parse(file.metadata.at("linnet.graph"));
    graph["nodes"][1]["quantization"] = std::move(quantization);
    file.metadata.at("linnet.graph") = graph.dump();
    for (const NamedConstant& t : form.tensors)
      file.tensors[t.name] = {dtype_of(t.constant.type()),
                              {t.constant.dims().begin(), t.constant.dims().end()},
                              t.constant.bytes(),
                              nullptr};
    const auto read = graph_from_linnet_form(file, "f");
    return read ? "" : read.error().message;
  };
  EXPECT_EQ(complaint({{"scale", 0.5}, {"zero_point", 3}}), "");
  EXPECT_THAT(complaint({{"scale", 0.5}}), HasSubstr("node \"conv\": \"quantization\" is"));
  EXPECT_THAT(complaint({{"scale", "x"}, {"zero_point", 3}}), HasSubstr("node \"conv\""));
  EXPECT_THAT(complaint({{"scale", 0.5}, {"zero_point", 128}}),
              HasSubstr("expected an integer in [-128, 127]"));
  EXPECT_THAT(complaint({{"scale", -0.5}, {"zero_point", 0}}), HasSubstr("its scale is -0.5"));
}

TEST(linnet_form, every_operator_survives_a_round_trip) {
  EXPECT_EQ(round_trip(every_operator()), every_operator());
}

TEST(linnet_form, a_graph_without_labels_and_preprocessing_survives_a_round_trip) {
  Graph graph = every_operator();
  graph.preprocessing.reset();
  graph.labels.clear();
  EXPECT_EQ(round_trip(graph), graph);
}

TEST(linnet_form, every_family_survives_a_round_trip_with_and_without_its_batch_norms) {
  for (const std::string_view family : family_names()) {
    const std::string text = fmt::format("{}:width=0.25,resolution=64,classes=7", family);
    const Graph graph = build(parse_family(text).value()).value();
    EXPECT_EQ(round_trip(graph), graph) << text;
    const Graph folded = canonical(graph);
    EXPECT_EQ(round_trip(folded), folded) << text;
  }
}

TEST(linnet_form, the_file_is_a_safetensors_file_like_any_other) {
  const ScratchFolder folder;
  const auto path = folder.path() / "model.safetensors";
  ASSERT_TRUE(write_safetensors(every_operator(), path));
  const MappedFile file = MappedFile::open(path).value();
  std::uint64_t header = 0;
  std::memcpy(&header, file.bytes().data(), 8);
  EXPECT_EQ(header % 8, 0u);
  const auto container = parse_safetensors(file.bytes(), file.owner(), "file").value();
  EXPECT_EQ(container.metadata.at("format"), "linnet");
  EXPECT_EQ(container.tensors.at("conv.weight").dims, (std::vector<std::int64_t>{4, 3, 2, 3}));
}

TEST(linnet_form, weights_are_views_into_the_file) {
  const LinnetForm form = linnet_form(every_operator()).value();
  const ScratchFolder folder;
  const auto path = folder.path() / "model.safetensors";
  ASSERT_TRUE(write_safetensors_file(form.tensors, form.metadata, path));
  const MappedFile file = MappedFile::open(path).value();
  const auto container = parse_safetensors(file.bytes(), file.owner(), "file").value();
  const Graph graph = graph_from_linnet_form(container, "file").value();
  const auto weight = std::as_bytes(std::get<Convolution>(graph[2].op).weight.values());
  EXPECT_GE(weight.data(), file.bytes().data());
  EXPECT_LE(weight.data() + weight.size(), file.bytes().data() + file.bytes().size());
}

// ---- what is refused

/// The complaint about every_operator() after `from` in its metadata `key` became `to`.
std::string complaint(std::string_view key, std::string_view from, std::string_view to) {
  LinnetForm form = linnet_form(every_operator()).value();
  std::string& text = form.metadata.find(key)->second;
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from << " is not in " << text;
  if (at != std::string::npos) text.replace(at, from.size(), to);
  const ScratchFolder folder;
  const auto path = folder.path() / "model.safetensors";
  EXPECT_TRUE(write_safetensors_file(form.tensors, form.metadata, path));
  const auto graph = read_safetensors(path);
  return graph ? "no complaint" : graph.error().message;
}

TEST(linnet_form, a_file_that_was_tampered_with_is_refused_with_the_node_and_the_reason) {
  const auto graph = [](std::string_view from, std::string_view to) {
    return complaint("linnet.graph", from, to);
  };
  EXPECT_THAT(graph(R"("op":"pad")", R"("op":"deconvolution")"),
              HasSubstr("node \"pad\": the operator \"deconvolution\" is unknown"));
  EXPECT_THAT(graph(R"("inputs":["pad"])", R"("inputs":["sum"])"),
              HasSubstr("no node before it is called \"sum\""));
  EXPECT_THAT(graph(R"("inputs":["pad"])", R"("inputs":["conv"])"),
              HasSubstr("no node before it is called \"conv\""));
  EXPECT_THAT(graph(R"("kernel":[3,2])", R"("kernel":[3,3])"), HasSubstr("expected [4, 3, 3, 3]"));
  EXPECT_THAT(graph(R"("kernel":[3,2])", R"("kernel":[3,-2])"), HasSubstr("expected 2 integers"));
  EXPECT_THAT(graph(R"("kernel":[3,2],)", ""), HasSubstr("\"kernel\" is missing"));
  EXPECT_THAT(graph(R"("activation":"hard_swish")", R"("activation":"gelu")"),
              HasSubstr("expected one of none, relu"));
  EXPECT_THAT(graph(R"("epsilon":0.10000000149011612)", R"("epsilon":1e99)"),
              HasSubstr("\"epsilon\" is 1e+99, expected a number"));
  EXPECT_THAT(graph(R"("epsilon":0.1)", R"("epsilon":2.1)"), HasSubstr("epsilon 2.1 is not in [0, 1]"));
  EXPECT_THAT(graph(R"("tensors":["weight","bias"])", R"("tensors":["weight"])"),
              HasSubstr("holds tensors that belong to no node"));
  EXPECT_THAT(graph(R"("tensors":["weight"])", R"("tensors":["weight","bias"])"),
              HasSubstr("node \"dw\": the tensor \"dw.bias\" is missing"));
  EXPECT_THAT(graph(R"("tensors":["weight"])", R"("tensors":["weight","gamma"])"),
              HasSubstr("which do not belong to this operator"));
  EXPECT_THAT(graph(R"("output":"softmax")", R"("output":"softmix")"),
              HasSubstr("no node before it is called"));
  EXPECT_THAT(graph(R"("shape":[9,8,3])", R"("shape":[9,8])"), HasSubstr("expected 3 integers"));
  EXPECT_THAT(graph(R"({"name":"pad","op":"pad")", R"({"op":"pad")"),
              HasSubstr("node 1: \"name\" is missing"));
  EXPECT_THAT(graph(R"("dialect":"tensorflow")", R"("dialect":"klingon")"),
              HasSubstr("\"dialect\" is \"klingon\""));
}

TEST(linnet_form, labels_and_preprocessing_are_checked_and_the_error_names_the_entry) {
  EXPECT_THAT(complaint("linnet.labels", R"("tench, Tinca tinca",)", ""),
              HasSubstr("1 labels for an output of 1x1x2"));
  EXPECT_THAT(complaint("linnet.labels", R"("tench, Tinca tinca")", "7"),
              HasSubstr("model.safetensors: the metadata \"linnet.labels\": holds 7, expected strings"));
  EXPECT_THAT(complaint("linnet.preprocessing", R"("bilinear")", R"("lanczos")"),
              HasSubstr("the metadata \"linnet.preprocessing\": \"filter\" is \"lanczos\""));
}

TEST(linnet_form, a_newer_schema_is_refused_by_its_number) {
  EXPECT_THAT(complaint("linnet.schema", "1", "2"), HasSubstr("schema \"2\""));
}

TEST(linnet_form, what_a_file_cannot_say_is_not_written) {
  Graph graph = every_operator();
  graph.labels[0] = "\xff";
  EXPECT_THAT(linnet_form(graph).error().message, HasSubstr("label of class 0 is not UTF-8"));
  graph = every_operator();
  graph[3].name = "\xff";
  EXPECT_THAT(linnet_form(graph).error().message, HasSubstr("the name of a node"));
  graph = every_operator();
  graph.preprocessing->mean[1] = std::numeric_limits<float>::infinity();
  EXPECT_THAT(linnet_form(graph).error().message, HasSubstr("not finite"));
  graph = every_operator();
  graph[3].inputs = {7};
  EXPECT_THAT(linnet_form(graph).error().message, HasSubstr("node \"norm\""));
}

}  // namespace
}  // namespace linnet::formats
