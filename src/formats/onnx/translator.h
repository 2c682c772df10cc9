// What the operators' translators share: the values known so far, the graph under construction, and a node's
// view of both.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "formats/onnx/attributes.h"
#include "formats/onnx/layout.h"
#include "formats/onnx/model.h"
#include "formats/onnx/scalar_function.h"
#include "formats/onnx/tensor.h"
#include "graph/builder.h"

namespace linnet::formats::onnx {

/// What a value of an int8 model is; all are kComputed in a float model.
enum class Form {
  kComputed,       ///< as its operator computes it, not yet rounded to int8
  kStored,         ///< the integers, between a QuantizeLinear and a DequantizeLinear
  kDequantized,    ///< the numbers that these stand for
  kProbabilities,  ///< a softmax of the node's output, which an int8 graph ends without
};

/// A value that depends on the image: function(node's output), with its axes. The function stays pending
/// until an operator that is no scalar one reads the value.
struct Feature {
  NodeId node = 0;
  Layout layout;
  ScalarFunction function = {};
  std::string_view name = {};  ///< of the ONNX node that the function ends with
  Form form = Form::kComputed;
  bool is_unsigned = false;  ///< the file's integers are uint8: 128 more than the graph's
};

using Value = std::variant<Tensor, Feature>;

/// The state of one translation.
class Translator {
 public:
  Translator(const Model& model, GraphBuilder builder);

  std::int64_t opset() const { return model_.opset; }
  const Model& model() const { return model_; }
  const Shape& shape(NodeId id) const { return builder_.shape(id); }
  /// Whether an int8 Graph comes out.
  bool int8() const { return model_.int8; }
  const std::optional<Quantization>& quantization(NodeId id) const { return builder_.quantization(id); }

  bool has(std::string_view name) const { return values_.contains(name); }
  /// The value of this name, initializers included. Errors: nothing gives it.
  Result<Value> value(std::string_view name);
  void set(std::string_view name, Value value) { values_.insert_or_assign(name, std::move(value)); }
  /// How many nodes read the value.
  int readers(std::string_view name) const;
  /// The one node that reads the value, or nullptr.
  const onnx_schema::NodeProto* only_reader(std::string_view name) const;

  /// Adds a node under `name`, made unique. Errors: the operator does not take such inputs.
  Result<NodeId> add(std::string_view name, Op op, std::vector<NodeId> inputs);
  /// The feature with nothing pending: its function became nodes. Errors: Linnet has no such function; in an
  /// int8 model, the feature is not quantised.
  Result<Feature> materialise(Feature feature);
  /// y = x * scale + offset, a channel, as a BatchNorm of that name, or in an int8 model as a depthwise
  /// layer.
  Result<NodeId> add_affine(std::string_view name, NodeId x, AlignedVector<float> scale,
                            AlignedVector<float> offset);

  /// The node whose int8 output is x rounded to q: x's own, or a new one of that name. (quantization.cpp)
  Result<NodeId> quantized(const Feature& x, std::string_view name, const Quantization& q);
  /// Makes the node, which reads nothing that is rounded, keep the quantization of the one before it.
  void keep_quantization(NodeId from, NodeId to) { builder_.quantize(to, *builder_.quantization(from)); }

  Result<Graph> finish(NodeId output) && { return std::move(builder_).finish(output); }

 private:
  Result<NodeId> add_uniform_affine(std::string_view name, NodeId x, double scale, double offset);
  /// [c], all of one value; shared, so that a file of many such layers stays small.
  Constant uniform(double value, int c);
  Result<NodeId> add_batch_norm(std::string_view name, NodeId x, Constant scale, Constant offset);
  // quantization.cpp
  Result<void> expect_dequantized(const Feature& x) const;
  Result<NodeId> add_int8_affine(std::string_view name, NodeId x, std::span<const float> scale,
                                 std::span<const float> offset);

  const Model& model_;
  GraphBuilder builder_;
  std::unordered_map<std::string_view, Value> values_;
  std::unordered_map<std::string_view, const onnx_schema::NodeProto*> last_reader_;
  std::unordered_map<std::string, int> names_;  // in use, each with the last number appended to it
  std::map<std::pair<float, int>, Constant> uniform_;
  std::unordered_map<NodeId, ScalarFunction> ends_with_;  // what each node's QuantizeLinear found pending
};

/// One node as its translator sees it.
class Call {
 public:
  Call(Translator& translator, const onnx_schema::NodeProto& node)
      : translator_(translator), node_(node), attributes(node) {}

  Translator& translator() const { return translator_; }
  std::int64_t opset() const { return translator_.opset(); }
  const onnx_schema::NodeProto& node() const { return node_; }
  /// The node's name in the Graph: its own, else that of its output.
  std::string_view name() const { return node_.name().empty() ? node_.output(0) : node_.name(); }
  const Shape& shape(NodeId id) const { return translator_.shape(id); }

  int inputs() const { return node_.input_size(); }
  bool has_input(int i) const { return i < node_.input_size() && !node_.input(i).empty(); }
  Result<Value> input(int i) const;
  /// Input i, which must depend on the image; pending() as it is, feature() with nothing pending.
  Result<Feature> pending(int i) const;
  Result<Feature> feature(int i) const;
  /// Input i, which must not depend on the image. `what` names it in the error.
  Result<Tensor> constant(int i, std::string_view what) const;
  Result<std::vector<std::int64_t>> integers(int i, std::string_view what) const;

  /// A list of integers that older opsets keep in an attribute and newer ones in input i; `otherwise` where
  /// absent.
  Result<std::vector<std::int64_t>> integers_either(std::string_view name, int i,
                                                    std::vector<std::int64_t> otherwise) const;

  Result<NodeId> add(Op op, std::vector<NodeId> inputs) const {
    return translator_.add(name(), std::move(op), std::move(inputs));
  }

 private:
  Translator& translator_;
  const onnx_schema::NodeProto& node_;

 public:
  Attributes attributes;
};

/// The values of a constant that is one number a channel of `layout` once broadcast, or nothing where it is
/// not.
std::optional<AlignedVector<float>> per_channel(const Layout& layout, int channels, const Tensor& constant);

/// One operator's translation: adds its nodes and gives its first output.
using Translate = Result<Value> (*)(const Call&);

/// The translator of an operator, or nullptr.
Translate find_translator(std::string_view op_type);

// convolution.cpp
Result<Value> translate_conv(const Call& call);
Result<Value> translate_gemm(const Call& call);
Result<Value> translate_matmul(const Call& call);
Result<Value> translate_batch_normalization(const Call& call);

// elementwise.cpp
Result<Value> translate_add(const Call& call);
Result<Value> translate_sub(const Call& call);
Result<Value> translate_mul(const Call& call);
Result<Value> translate_div(const Call& call);
Result<Value> translate_neg(const Call& call);
Result<Value> translate_relu(const Call& call);
Result<Value> translate_clip(const Call& call);
Result<Value> translate_min(const Call& call);
Result<Value> translate_max(const Call& call);
Result<Value> translate_hard_sigmoid(const Call& call);
Result<Value> translate_hard_swish(const Call& call);

// quantization.cpp: activations of int8 models
Result<Value> translate_quantize_linear(const Call& call);
Result<Value> translate_dequantize_linear(const Call& call);

// spatial.cpp
Result<Value> translate_pad(const Call& call);
Result<Value> translate_global_average_pool(const Call& call);
Result<Value> translate_average_pool(const Call& call);
Result<Value> translate_reduce_mean(const Call& call);
Result<Value> translate_softmax(const Call& call);
Result<Value> translate_log_softmax(const Call& call);

// axes.cpp: operators that only move axes
Result<Value> translate_identity(const Call& call);
Result<Value> translate_cast(const Call& call);
Result<Value> translate_reshape(const Call& call);
Result<Value> translate_flatten(const Call& call);
Result<Value> translate_squeeze(const Call& call);
Result<Value> translate_unsqueeze(const Call& call);
Result<Value> translate_transpose(const Call& call);

}  // namespace linnet::formats::onnx
