#include "formats/onnx/lowering.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "formats/onnx/attributes.h"

namespace linnet::formats::onnx {
namespace {

using onnx_schema::AttributeProto;
using onnx_schema::NodeProto;

/// A tensor among the inputs, each followed by its scale and zero point.
struct Quantized {
  int input;
  bool is_weight = false;
};

struct Form {
  std::string_view op_type;
  std::string_view becomes;
  std::array<std::optional<Quantized>, 2> inputs;
  int output_scale;      ///< the input that is the output's scale; its zero point follows
  int bias = -1;         ///< the input that is the bias, which may be left out
  bool is_onnx = false;  ///< of ONNX's own domain, else ONNX Runtime's
};

constexpr auto kForms = std::to_array<Form>({
    {"QLinearConv", "Conv", {{Quantized{0}, Quantized{3, true}}}, 6, 8, true},
    {"QLinearMatMul", "MatMul", {{Quantized{0}, Quantized{3, true}}}, 6, -1, true},
    {"QGemm", "Gemm", {{Quantized{0}, Quantized{3, true}}}, 7, 6},
    {"QLinearAdd", "Add", {{Quantized{0}, Quantized{3}}}, 6},
    {"QLinearMul", "Mul", {{Quantized{0}, Quantized{3}}}, 6},
    {"QLinearAveragePool", "AveragePool", {{Quantized{0}, std::nullopt}}, 3},
    {"QLinearGlobalAveragePool", "GlobalAveragePool", {{Quantized{0}, std::nullopt}}, 3},
    {"QLinearReduceMean", "ReduceMean", {{Quantized{0}, std::nullopt}}, 3},
});

bool is_of(const NodeProto& node, bool onnx) {
  const bool own = node.domain().empty() || node.domain() == "ai.onnx";
  return onnx ? own : node.domain() == "com.microsoft";
}

class Lowering {
 public:
  Lowering(const NodeProto& node, const Form& form) : node_(node), form_(form) {}

  Result<std::vector<std::unique_ptr<const NodeProto>>> run() && {
    if (node_.output_size() != 1)
      return fail("has {} outputs, expected one; the file is damaged", node_.output_size());
    const Attributes attributes(node_);
    LINNET_TRY(const std::int64_t channels_last, attributes.integer("channels_last", 0));
    if (channels_last != 0) return fail("has its channels last; quantize the model in NCHW");

    auto op = std::make_unique<NodeProto>();
    op->set_op_type(std::string(form_.becomes));
    op->set_name(node_.name().empty() ? node_.output(0) : node_.name());
    for (const AttributeProto& attribute : node_.attribute())
      if (attribute.name() != "channels_last") *op->add_attribute() = attribute;
    for (const auto& input : form_.inputs)
      if (input) {
        LINNET_TRY(std::string name, dequantize(*input));
        op->add_input(std::move(name));
      }
    if (form_.bias >= 0 && has_input(form_.bias)) op->add_input(node_.input(form_.bias));
    const std::string result = fmt::format("{}#real", node_.output(0));
    op->add_output(result);
    nodes_.push_back(std::move(op));
    if (!has_input(form_.output_scale))
      return fail("gives floats, having no scale of its output; quantize its output too");
    add("QuantizeLinear", result, form_.output_scale, node_.output(0));
    return std::move(nodes_);
  }

 private:
  bool has_input(int i) const { return i < node_.input_size() && !node_.input(i).empty(); }

  NodeProto& add(std::string_view op_type, const std::string& input, int scale, const std::string& output) {
    auto node = std::make_unique<NodeProto>();
    node->set_op_type(std::string(op_type));
    node->set_name(output);
    node->add_input(input);
    node->add_input(node_.input(scale));
    if (has_input(scale + 1)) node->add_input(node_.input(scale + 1));
    node->add_output(output);
    NodeProto& added = *node;
    nodes_.push_back(std::move(node));
    return added;
  }

  /// Which axis of the weights the output channels lie along.
  Result<std::int64_t> channel_axis() const {
    if (form_.becomes == "Conv") return 0;
    LINNET_TRY(const std::int64_t transposed, Attributes(node_).integer("transB", 0));
    return transposed != 0 ? 0 : 1;
  }

  Result<std::string> dequantize(const Quantized& tensor) {
    if (!has_input(tensor.input) || !has_input(tensor.input + 1))
      return fail("input {} or its scale is missing; the file is damaged", tensor.input);
    const std::string name = fmt::format("{}#{}", node_.output(0), tensor.input);
    NodeProto& node = add("DequantizeLinear", node_.input(tensor.input), tensor.input + 1, name);
    if (tensor.is_weight) {
      LINNET_TRY(const std::int64_t axis, channel_axis());
      AttributeProto& attribute = *node.add_attribute();
      attribute.set_name("axis");
      attribute.set_type(AttributeProto::INT);
      attribute.set_i(axis);
    }
    return name;
  }

  const NodeProto& node_;
  const Form& form_;
  std::vector<std::unique_ptr<const NodeProto>> nodes_;
};

}  // namespace

Result<std::vector<std::unique_ptr<const NodeProto>>> lowered(const NodeProto& node) {
  std::vector<std::unique_ptr<const NodeProto>> nodes;
  if (is_of(node, false) && (node.op_type() == "QuantizeLinear" || node.op_type() == "DequantizeLinear")) {
    auto copy = std::make_unique<NodeProto>(node);
    copy->clear_domain();
    nodes.push_back(std::move(copy));
    return nodes;
  }
  const auto form = std::ranges::find_if(
      kForms, [&](const Form& f) { return f.op_type == node.op_type() && is_of(node, f.is_onnx); });
  if (form == kForms.end()) return nodes;
  return Lowering(node, *form).run();
}

}  // namespace linnet::formats::onnx
