// int8 models in Linnet and in ONNX Runtime: what Linnet exports, and each layer of what others quantised.
//
// Unless a test says otherwise ONNX Runtime's graph optimizations are off: then it computes a QDQ model as
// the file has it, each layer in float32 between a DequantizeLinear and a QuantizeLinear. With them it fuses
// these into its own int8 kernels.
#include <algorithm>
#include <fstream>
#include <map>

#include "formats/onnx/reader.h"
#include "formats/onnx/writer.h"
#include "image/image.h"
#include "image/preprocess.h"
#include "onnx_schema.pb.h"
#include "onnxruntime.h"
#include "reference/int8.h"
#include "reference/interpreter.h"
#include "support/made_up_int8.h"

namespace linnet {
namespace {

using oracles::scores_of;
using oracles::to_chw;
using oracles::Values;

constexpr const char* kShared = "models/onnx/mobilenetv2_qdq_int8_perchannel.onnx";

Values reference_scores(const Graph& graph, const Values& images) {
  reference::Interpreter interpreter(graph);
  return scores_of(interpreter, images);
}

/// How many images have one top class in both (in a tie of ours, one of the tied), and how far their top
/// class is from the best of our scores.
struct Agreement {
  int images = 0;
  int equal = 0;
  int tied = 0;          ///< of these
  double worst_gap = 0;  ///< in units of the output's scale
};

Agreement agreement(const Graph& graph, const Values& ours, const Values& theirs) {
  const auto classes = static_cast<std::size_t>(graph.output_shape().c);
  EXPECT_EQ(ours.size(), theirs.size());
  Agreement result;
  for (std::size_t at = 0; at + classes <= std::min(ours.size(), theirs.size()); at += classes) {
    const auto top = [&](const Values& v) {
      const auto first = v.begin() + static_cast<std::ptrdiff_t>(at);
      return static_cast<std::size_t>(std::max_element(first, first + static_cast<std::ptrdiff_t>(classes)) -
                                      first);
    };
    const double gap =
        (ours[at + top(ours)] - ours[at + top(theirs)]) / double{graph[graph.output].quantization->scale};
    ++result.images;
    if (gap == 0) ++result.equal;
    if (gap == 0 && top(ours) != top(theirs)) ++result.tied;
    result.worst_gap = std::max(result.worst_gap, gap);
  }
  return result;
}

/// The first `limit` photographs of the labelled ones, as the network wants them.
Values photographs(const std::filesystem::path& folder, const Graph& graph, std::size_t limit) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() != ".csv") files.push_back(entry.path());
  std::ranges::sort(files);
  const Shape shape = graph.input_shape();
  Values all;
  for (std::size_t i = 0; i < std::min(limit, files.size()); ++i) {
    const auto picture = image::read_image(files[i]);
    EXPECT_TRUE(picture) << files[i];
    Values values(static_cast<std::size_t>(shape.size()));
    EXPECT_TRUE(image::preprocess(*picture, torchvision_preprocessing(shape.h), shape, values));
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

class ExportedInt8 : public ::testing::TestWithParam<const char*> {};

TEST_P(ExportedInt8, has_the_same_top_class_in_onnxruntime) {
  LINNET_ONNXRUNTIME_OR_SKIP();
  const Graph graph = testing::made_up_int8_family(std::string(GetParam()) + ":resolution=64,classes=100");
  const testing::ScratchFolder folder;
  const auto model = folder.path() / "model.onnx";
  ASSERT_TRUE(formats::write_onnx(graph, model));
  const Values images = testing::noise(graph.input_shape(), 31, 2, 16);
  const Values ours = reference_scores(graph, images);
  for (const char* level : {"disabled", "all"}) {
    const Values theirs = oracles::onnxruntime_scores(model, to_chw(images, graph.input_shape()), level);
    const Agreement a = agreement(graph, ours, theirs);
    fmt::print("{}, optimizations {}: top-1 equal on {} of {} images ({} tied); worst gap {:.0f} units\n",
               GetParam(), level, a.equal, a.images, a.tied, a.worst_gap);
    EXPECT_EQ(a.images, 16);
    // Untrained networks have close scores, and ONNX Runtime's own int8 kernels round otherwise.
    EXPECT_GE(a.equal, std::string_view(level) == "disabled" ? 16 : 14);
    EXPECT_LT(a.worst_gap, 3.5);
  }
}

INSTANTIATE_TEST_SUITE_P(onnxruntime, ExportedInt8,
                         ::testing::Values("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_large",
                                           "mobilenet_v3_small", "mobilenet_v4_conv_small",
                                           "mobilenet_v4_conv_medium"),
                         [](const auto& family) { return std::string(family.param); });

TEST(onnxruntime_int8, the_shared_model_and_its_export_have_the_same_top_class_on_photographs) {
  LINNET_ONNXRUNTIME_OR_SKIP();
  LINNET_DATA_OR_SKIP(model, kShared);
  LINNET_DATA_OR_SKIP(folder, "photos/imagenet");
  const auto graph = formats::read_onnx(model);
  ASSERT_TRUE(graph) << graph.error().message;
  const Values images = photographs(folder, *graph, 24);
  const Values ours = reference_scores(*graph, images);
  const testing::ScratchFolder scratch;
  const auto exported = scratch.path() / "export.onnx";
  ASSERT_TRUE(formats::write_onnx(*graph, exported));
  for (const auto& file : {model, exported})
    for (const char* level : {"disabled", "all"}) {
      const Values theirs = oracles::onnxruntime_scores(file, to_chw(images, graph->input_shape()), level);
      const Agreement a = agreement(*graph, ours, theirs);
      fmt::print("{}, optimizations {}: top-1 equal on {} of {} photographs; worst gap {:.0f} units\n",
                 file.filename().string(), level, a.equal, a.images, a.worst_gap);
      EXPECT_EQ(a.images, 24);
      EXPECT_EQ(a.equal, 24);
    }
}

// Layer by layer.

using onnx_schema::ModelProto;
using onnx_schema::NodeProto;

ModelProto parse(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  ModelProto model;
  EXPECT_TRUE(model.ParseFromIstream(&file)) << path;
  return model;
}

/// The QuantizeLinear that rounds what the graph's node computes: the first one behind it.
const NodeProto* rounding_of(const ModelProto& model, const std::string& node_name, bool is_input) {
  std::string value = node_name;
  for (const auto& node : model.graph().node())
    if (!is_input && node.name() == node_name) value = node.output(0);
  while (true) {
    const auto& nodes = model.graph().node();
    const auto reader = std::ranges::find_if(
        nodes, [&](const NodeProto& n) { return std::ranges::find(n.input(), value) != n.input().end(); });
    if (reader == nodes.end()) return nullptr;
    if (reader->op_type() == "QuantizeLinear") return &*reader;
    value = reader->output(0);
  }
}

/// The int8 outputs of every node, HWC, for one image.
std::vector<std::vector<std::int8_t>> stored_values(const Graph& graph, const std::filesystem::path& file,
                                                    const Values& image) {
  ModelProto model = parse(file);
  std::vector<std::string> names;
  for (NodeId id = 0; id < graph.size(); ++id) {
    const NodeProto* rounding = rounding_of(model, graph[id].name, id == 0);
    EXPECT_TRUE(rounding) << graph[id].name;
    names.push_back(rounding ? rounding->output(0) : "");
  }
  for (const std::string& name : names) {
    auto& output = *model.mutable_graph()->add_output();
    output.set_name(name);
    output.mutable_type()->mutable_tensor_type()->set_elem_type(onnx_schema::TensorProto::INT8);
  }
  const testing::ScratchFolder folder;
  const auto path = folder.path() / "layers.onnx";
  std::ofstream(path, std::ios::binary) << model.SerializeAsString();
  oracles::run_onnxruntime(path, to_chw(image, graph.input_shape()), folder.path() / "output");
  std::vector<std::vector<std::int8_t>> values;
  for (NodeId id = 0; id < graph.size(); ++id) {
    std::ifstream in(folder.path() / fmt::format("output.{}", id + 1), std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(in), {});
    const Shape shape = graph[id].shape;
    EXPECT_EQ(bytes.size(), static_cast<std::size_t>(shape.size())) << graph[id].name;
    std::vector<std::int8_t> hwc(bytes.size());
    const auto pixels = static_cast<std::size_t>(shape.pixels());
    for (std::size_t i = 0; i < bytes.size(); ++i)
      hwc[i % pixels * static_cast<std::size_t>(shape.c) + i / pixels] = static_cast<std::int8_t>(bytes[i]);
    values.push_back(std::move(hwc));
  }
  return values;
}

struct Difference {
  int largest = 0;
  double equal_share = 1;
};

Difference difference(std::span<const std::int8_t> a, std::span<const std::int8_t> b) {
  Difference result;
  std::size_t equal = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    result.largest = std::max(result.largest, std::abs(a[i] - b[i]));
    equal += a[i] == b[i] ? 1 : 0;
  }
  result.equal_share = static_cast<double>(equal) / static_cast<double>(a.size());
  return result;
}

/// Each node, fed what ONNX Runtime computes before it, against what ONNX Runtime computes there.
void compare_layers(const std::filesystem::path& file, const Values& image, int allowed, double share) {
  const auto graph = formats::read_onnx(file);
  ASSERT_TRUE(graph) << graph.error().message;
  const auto theirs = stored_values(*graph, file, image);
  if (::testing::Test::HasFailure()) return;
  Difference worst;
  int wholly_equal = 0;
  std::string largest_at = "none", lowest_at = "none";
  for (NodeId id = 0; id < graph->size(); ++id) {
    AlignedVector<std::int8_t> ours;
    if (id == 0) {
      ours = reference::quantize_image(image, *graph->nodes[0].quantization);
    } else {
      std::vector<std::span<const std::int8_t>> inputs;
      for (const NodeId input : (*graph)[id].inputs)
        inputs.push_back(theirs[static_cast<std::size_t>(input)]);
      ours = reference::compute_int8(*graph, id, inputs);
    }
    const Difference d = difference(ours, theirs[static_cast<std::size_t>(id)]);
    const std::string& name = (*graph)[id].name;
    EXPECT_LE(d.largest, allowed) << name;
    EXPECT_GE(d.equal_share, share) << name;
    if (d.largest == 0) ++wholly_equal;
    if (d.largest > worst.largest) worst.largest = d.largest, largest_at = name;
    if (d.equal_share < worst.equal_share) worst.equal_share = d.equal_share, lowest_at = name;
  }
  fmt::print(
      "{} layers, {} equal throughout, worst difference {} ({}), lowest equal share "
      "{:.4f} % ({})\n",
      graph->size(), wholly_equal, worst.largest, largest_at, 100 * worst.equal_share, lowest_at);
}

void print_scores(std::string_view what, const Graph& graph, const Values& a, const Values& b) {
  ASSERT_EQ(a.size(), b.size());
  const double unit = graph[graph.output].quantization->scale;
  int equal = 0;
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = std::abs(double{a[i]} - double{b[i]}) / unit;
    if (d < 0.5) ++equal;
    worst = std::max(worst, d);
  }
  fmt::print("{}: {} of {} scores equal, worst {:.0f} units apart\n", what, equal, a.size(), worst);
}

TEST(onnxruntime_int8, each_layer_of_the_shared_model_is_within_one_unit) {
  LINNET_ONNXRUNTIME_OR_SKIP();
  LINNET_DATA_OR_SKIP(model, kShared);
  const auto graph = formats::read_onnx(model);
  ASSERT_TRUE(graph) << graph.error().message;
  const auto shape = graph->input_shape();
  compare_layers(model, testing::noise(shape, 5, 2), 1, 0.99);
  LINNET_DATA_OR_SKIP(folder, "photos/imagenet");
  const Values photograph = photographs(folder, *graph, 1);
  compare_layers(model, photograph, 1, 0.99);

  // End to end the roundings add up. Outputs added to the model keep ONNX Runtime from fusing, so its own
  // int8 kernels are seen here alone.
  const auto scores = [&](std::string_view level) {
    return oracles::onnxruntime_scores(model, to_chw(photograph, shape), level);
  };
  const Values plain = scores("disabled"), fused = scores("all"), ours = reference_scores(*graph, photograph);
  print_scores("ONNX Runtime's QDQ against Linnet", *graph, plain, ours);
  print_scores("ONNX Runtime's kernels against Linnet", *graph, fused, ours);
  print_scores("ONNX Runtime's kernels against its QDQ", *graph, fused, plain);
}

}  // namespace
}  // namespace linnet
