#include "formats/onnx/reader.h"

#include <algorithm>
#include <array>

#include "base/file.h"
#include "formats/onnx/folding.h"
#include "formats/onnx/metadata.h"
#include "formats/onnx/translator.h"

namespace linnet::formats {
namespace onnx {
namespace {

constexpr std::int64_t kMaxFoldedValues = std::int64_t{1} << 26;
constexpr std::int64_t kMaxSide = 1 << 16;
constexpr std::int64_t kMaxInputChannels = 1 << 12;

struct Entry {
  std::string_view op_type;
  Translate translate;
};

constexpr auto kTranslators = std::to_array<Entry>({
    {"Add", translate_add},
    {"AveragePool", translate_average_pool},
    {"BatchNormalization", translate_batch_normalization},
    {"Cast", translate_cast},
    {"Clip", translate_clip},
    {"Conv", translate_conv},
    {"DequantizeLinear", translate_dequantize_linear},
    {"Div", translate_div},
    {"Dropout", translate_identity},
    {"Flatten", translate_flatten},
    {"Gemm", translate_gemm},
    {"GlobalAveragePool", translate_global_average_pool},
    {"HardSigmoid", translate_hard_sigmoid},
    {"HardSwish", translate_hard_swish},
    {"Identity", translate_identity},
    {"LogSoftmax", translate_log_softmax},
    {"MatMul", translate_matmul},
    {"Max", translate_max},
    {"Min", translate_min},
    {"Mul", translate_mul},
    {"Neg", translate_neg},
    {"Pad", translate_pad},
    {"QuantizeLinear", translate_quantize_linear},
    {"ReduceMean", translate_reduce_mean},
    {"Relu", translate_relu},
    {"Reshape", translate_reshape},
    {"Softmax", translate_softmax},
    {"Squeeze", translate_squeeze},
    {"Sub", translate_sub},
    {"Sum", translate_add},
    {"Transpose", translate_transpose},
    {"Unsqueeze", translate_unsqueeze},
});

/// What to do about operators that are met often and not run.
struct Advice {
  std::string_view op_type;
  std::string_view text;
};

constexpr std::string_view kDynamic =
    "the model chooses its scales while it runs (dynamic quantization); quantize it statically, with "
    "calibration data, as QDQ";
constexpr std::string_view kControlFlow =
    "Linnet runs no control flow; export a traced model, or simplify it with onnxsim";

constexpr auto kAdvice = std::to_array<Advice>({
    {"ConvInteger", kDynamic},
    {"DynamicQuantizeLinear", kDynamic},
    {"If", kControlFlow},
    {"Loop", kControlFlow},
    {"MatMulInteger", kDynamic},
    {"Scan", kControlFlow},
    {"Sigmoid",
     "no MobileNet has one inside; if it is the last node, cut it off with onnx.utils.extract_model"},
});

/// Operators that take integers as they are: they move them about, or make numbers of them.
constexpr auto kTakeIntegers =
    std::to_array<std::string_view>({"Cast", "DequantizeLinear", "Dropout", "Flatten", "Identity", "Pad",
                                     "QuantizeLinear", "Reshape", "Squeeze", "Transpose", "Unsqueeze"});

/// Errors: arithmetic on what stands for numbers, or on a softmax that the graph will not have.
Result<void> expect_numbers(const Call& call) {
  if (std::ranges::find(kTakeIntegers, call.node().op_type()) != kTakeIntegers.end()) return {};
  for (int i = 0; i < call.inputs(); ++i) {
    if (!call.has_input(i)) continue;
    const auto value = call.input(i);
    const auto* feature = value ? std::get_if<Feature>(&*value) : nullptr;
    if (!feature) continue;
    if (feature->form == Form::kStored)
      return fail(
          "computes with the integers of \"{}\" as they are stored; Linnet reads QDQ models and QLinear "
          "operators, where a DequantizeLinear stands between",
          call.node().input(i));
    if (feature->form == Form::kProbabilities)
      return fail("reads a softmax; Linnet runs one at the end only");
  }
  return {};
}

Result<Value> translate(const Call& call, std::int64_t& budget) {
  const auto& node = call.node();
  if (!node.domain().empty() && node.domain() != "ai.onnx")
    return fail(
        "is of the domain \"{}\", not one of ONNX's own operators; export without fused operators, or inline "
        "functions with onnx.inliner",
        node.domain());
  const auto advice = std::ranges::find(kAdvice, node.op_type(), &Advice::op_type);
  if (advice != kAdvice.end()) return fail("{}", advice->text);
  if (folds(call)) {
    LINNET_TRY(Tensor tensor, fold(call, budget));
    return tensor;
  }
  const auto entry = std::ranges::find(kTranslators, node.op_type(), &Entry::op_type);
  if (entry == kTranslators.end())
    return fail(
        "Linnet does not run this operator; it reads MobileNetV1 to V4 classifiers. Simplify the model with "
        "onnxsim, or cut it before this node with onnx.utils.extract_model");
  if (call.translator().int8()) {
    LINNET_CHECK(expect_numbers(call));
    return entry->translate(call);
  }
  LINNET_TRY(Value value, entry->translate(call));
  // What is pending becomes a node before it is shared, so that it does so once.
  if (auto* feature = std::get_if<Feature>(&value); feature && call.translator().readers(node.output(0)) > 1)
    return call.translator().materialise(std::move(*feature));
  return value;
}

/// The axes of a four-dimensional input. ONNX does not say them: its convolutions take NCHW, so where the
/// first node that cares is a Transpose that gives NCHW from NHWC, the input is NHWC.
std::span<const Axis> input_axes(const Model& model) {
  std::string_view name = model.input->name();
  for (const auto* node : model.nodes) {
    if (std::ranges::find(node->input(), name) == node->input().end()) continue;
    if (node->op_type() == "Transpose") {
      const auto perm = Attributes(*node).integers("perm", {});
      return perm && *perm == Dims{0, 3, 1, 2} ? std::span<const Axis>(kNhwc) : kNchw;
    }
    static constexpr std::array<std::string_view, 10> kPassOn = {
        "Identity",        "Cast", "Mul", "Add", "Sub", "Div", "Pad", "BatchNormalization", "QuantizeLinear",
        "DequantizeLinear"};
    if (std::ranges::find(kPassOn, node->op_type()) == kPassOn.end() || node->output_size() == 0)
      return kNchw;
    name = node->output(0);
  }
  return kNchw;
}

struct Image {
  Shape shape;
  Layout layout;
};

Result<Image> read_input(const Model& model) {
  using onnx_schema::TensorProto;
  const auto& type = model.input->type().tensor_type();
  const auto complain = [&](std::string text) {
    return fail("{}: input \"{}\": {}", model.file, model.input->name(), text);
  };
  if (type.elem_type() != TensorProto::FLOAT && type.elem_type() != TensorProto::FLOAT16 &&
      type.elem_type() != TensorProto::BFLOAT16 && type.elem_type() != TensorProto::DOUBLE)
    return complain(
        fmt::format("holds numbers of ONNX's type {}; Linnet takes floating-point images", type.elem_type()));
  const auto& dims = type.shape().dim();
  if (dims.size() != 4)
    return complain(fmt::format("has {} axes; Linnet takes images of four: batch, channels, height and width",
                                dims.size()));
  const std::span<const Axis> axes = input_axes(model);
  Image image;
  image.layout.axes.assign(axes.begin(), axes.end());
  for (int i = 0; i < 4; ++i) {
    const Axis axis = axes[static_cast<std::size_t>(i)];
    const bool fixed = dims[i].has_dim_value() && dims[i].dim_value() > 0;
    if (!fixed && axis != Axis::kBatch)
      return complain(fmt::format(
          "axis {} (\"{}\") has no fixed size; export with a fixed height and width, or fix it with "
          "onnxruntime.tools.make_dynamic_shape_fixed",
          i, dims[i].dim_param()));
    const std::int64_t size = fixed ? dims[i].dim_value() : 1;  // Linnet's graphs are of one image
    if (size > (axis == Axis::kChannel ? kMaxInputChannels : kMaxSide))
      return complain(fmt::format("axis {} has size {}, which is no image's", i, size));
    image.layout.dims.push_back(size);
    const int side = static_cast<int>(size);
    if (axis == Axis::kHeight) image.shape.h = side;
    if (axis == Axis::kWidth) image.shape.w = side;
    if (axis == Axis::kChannel) image.shape.c = side;
  }
  return image;
}

/// The scores: one image's, as {1, 1, classes} or, for a network cut short, {H, W, C}.
Result<NodeId> read_output(Translator& translator) {
  LINNET_TRY(Value value, translator.value(translator.model().output));
  auto* feature = std::get_if<Feature>(&value);
  if (!feature)
    return fail("output \"{}\" does not depend on the image; export the model again",
                translator.model().output);
  if (translator.int8() && (feature->form == Form::kStored || feature->form == Form::kProbabilities))
    return feature->node;
  auto scores = translator.materialise(std::move(*feature));
  if (!scores) return fail("output \"{}\": {}", translator.model().output, scores.error().message);
  return scores->node;
}

std::string graph_name(const Model& model) {
  if (model.proto->producer_name() == kProducer && !model.proto->graph().name().empty())
    return model.proto->graph().name();
  return std::filesystem::path(model.file).stem().string();
}

Result<Graph> read(std::span<const std::byte> bytes, std::string file, std::filesystem::path folder) {
  LINNET_TRY(const Model model, parse_model(bytes, std::move(file), std::move(folder)));
  LINNET_TRY(Image image, read_input(model));
  const std::string input_name = model.input->name().empty() ? "input" : model.input->name();
  Translator translator(model, GraphBuilder(graph_name(model), image.shape, input_name));
  translator.set(model.input->name(), Feature{0, std::move(image.layout)});
  std::int64_t budget = kMaxFoldedValues;
  for (const auto* node : model.nodes) {
    if (node->output_size() > 0 && translator.has(node->output(0)))
      continue;  // a bias, taken by the layer before it
    if (node->output_size() == 0)
      return fail("{}: {}: has no output; the file is damaged", model.file, where(*node));
    auto value = translate(Call(translator, *node), budget);
    if (!value) return fail("{}: {}: {}", model.file, where(*node), value.error().message);
    translator.set(node->output(0), *std::move(value));
  }
  const auto output = read_output(translator);
  if (!output) return fail("{}: {}", model.file, output.error().message);
  auto finished = std::move(translator).finish(*output);
  if (!finished) return fail("{}: {}", model.file, finished.error().message);
  Graph graph = *std::move(finished);
  LINNET_CHECK(read_metadata(*model.proto, model.file, graph));
  LINNET_CHECK(validate(graph));
  return graph;
}

}  // namespace
}  // namespace onnx

Result<Graph> read_onnx(const std::filesystem::path& path) {
  LINNET_TRY(const MappedFile file, MappedFile::open(path));
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  return onnx::read(file.bytes(), path.string(), folder);
}

Result<Graph> read_onnx(std::span<const std::byte> bytes, std::string_view name) {
  return onnx::read(bytes, std::string(name), {});
}

}  // namespace linnet::formats
