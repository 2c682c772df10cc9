// The state of a translation, and a handler for each of TFLite's operators.
#pragma once

#include <map>
#include <unordered_map>
#include <unordered_set>
#include <variant>

#include "formats/tflite/model_file.h"
#include "graph/builder.h"

namespace linnet::formats::tflite {

/// What is known of a tensor so far. Exporters write hard-sigmoid and hard-swish in pieces; the pieces are
/// held back until it is clear what they are part of.
struct Value {
  enum class Form {
    kUnknown,      ///< not computed yet, or a constant
    kNode,         ///< x, the output of `node`
    kPlus3,        ///< x + 3
    kPlus3Relu6,   ///< relu6(x + 3)
    kHardSigmoid,  ///< relu6(x + 3) / 6
    kTimesRelu6,   ///< x * relu6(x + 3)
    kSizes,        ///< integers that the model computes from shapes
    kScores,       ///< softmax(x) of an int8 model, which ends with x
  };
  Form form = Form::kUnknown;
  NodeId node = 0;
};

/// The weights of a layer: float32, or int8 with their scales.
struct Weights {
  std::variant<TypedArray<float>, TypedArray<std::int8_t>> values;
  Constant scale = {};  ///< one an output channel; absent in a float model
  int zero_point = 0;

  const std::vector<int>& dims() const;
  /// The values in their order, under other dimensions.
  Constant as(std::vector<int> dims) const;
  /// [A, B] to [B, A], row by row: A is `rows`.
  Result<Constant> transposed(ModelFile& file, int rows, std::vector<int> dims) const;
};

/// "[1, 7, 7, 320]"
std::string dims_text(const std::vector<int>& dims);

/// Errors: an activation that no MobileNet has.
Result<Activation> activation_of(schema::ActivationFunction function);

/// The kernel's window with TFLite's padding scheme turned into numbers.
Result<Window> make_window(const Shape& x, int kernel_h, int kernel_w, int stride_h, int stride_w,
                           schema::Padding padding);

/// Whether the model computes with integers: weights alone may be stored as such in a float model.
bool is_quantised(const ModelFile& file);

/// How pictures become the input of an int8 model whose range is one of the usual ones, [-1, 1], [0, 1] or
/// [0, 255]: the stored values are the pixels. Nothing for another range.
std::optional<Preprocessing> pixels_as_stored(const Quantization& input);

class Translator {
 public:
  explicit Translator(ModelFile& file)
      : file_(file), values_(file.graph().tensors()->size()), int8_(is_quantised(file)) {}
  /// To be called once.
  Result<Graph> run();

 private:
  /// One operator as the handlers see it.
  struct Call {
    const schema::Operator& op;
    schema::BuiltinOperator code;
    int inputs() const { return op.inputs() ? static_cast<int>(op.inputs()->size()) : 0; }
    /// Tensor index, or -1.
    int input(int i) const { return i < inputs() ? op.inputs()->Get(static_cast<std::uint32_t>(i)) : -1; }
    int output() const { return op.outputs()->Get(0); }
  };

  Result<Shape> input_shape() const;
  Result<void> translate_operator(const schema::Operator& op);
  Result<void> dispatch(const Call& call);

  Result<void> convolution(const Call& call);
  Result<void> depthwise(const Call& call);
  Result<void> fully_connected(const Call& call);
  Result<void> arithmetic(const Call& call);
  Result<void> with_constant(const Call& call, int x, int k, Activation activation);
  Result<void> with_each_other(const Call& call, Activation activation);
  Result<void> affine(const Call& call, NodeId x, const Array& k, Activation activation);
  Result<void> average_pool(const Call& call);
  Result<void> mean(const Call& call);
  Result<void> pad(const Call& call);
  Result<void> reshape(const Call& call);
  Result<void> softmax(const Call& call);
  Result<void> quantize(const Call& call);
  Result<void> dequantize(const Call& call);
  Result<void> activate(const Call& call, Activation activation);

  bool is_constant(int tensor) const { return dequantized_.contains(tensor) || file_.is_constant(tensor); }
  Result<Array> constant(int tensor);
  /// Of a layer whose output channels are dimension `axis` of the weights.
  Result<Weights> weights(int tensor, int axis);
  Result<Constant> bias(int tensor, int size, const Weights& weights, NodeId x);
  Result<Constant> float_bias(int tensor, int size);
  /// Error: a scale that is not the product of the weights' and the input's.
  Result<Constant> int32_bias(int tensor, int size, const Weights& weights, NodeId x);
  /// A constant with n times the same value, shared by all who ask for it.
  Result<Constant> filled(int n, float value);
  /// The node that computes a tensor; what was held back is written out.
  Result<NodeId> node(int tensor);

  /// Adds the node that computes a tensor, or with a suffix to its name a part of it. The name is made
  /// unique. Errors: those of infer_shape.
  Result<NodeId> add(int tensor, Op op, std::vector<NodeId> inputs, std::string_view suffix = "");
  /// How a node of an int8 model that computes the tensor stands for real values. Error: a tensor that is not
  /// quantised.
  Result<Quantization> quantization(int tensor) const;
  /// The same of a node that only moves the values of x. Error: the tensor declares another.
  Result<Quantization> kept_quantization(int tensor, NodeId x) const;
  std::string unique(std::string name);
  /// Errors: the tensor has a value already, or is declared with another shape than the value's node has.
  Result<void> define(int tensor, Value value);
  /// add() and define() of the operator's output; `then` is a node of its own behind it.
  Result<void> emit(const Call& call, Op op, std::vector<NodeId> inputs, Activation then = Activation::kNone);
  const Shape& shape(NodeId id) const { return builder_->shape(id); }
  /// kUnknown for a tensor that does not exist.
  Value value(int tensor) const {
    return file_.tensor(tensor) ? values_[static_cast<std::size_t>(tensor)] : Value{};
  }

  ModelFile& file_;
  std::vector<Value> values_;
  std::map<int, Array> dequantized_;  ///< constants by the tensor that DEQUANTIZE writes
  std::map<std::pair<int, std::uint32_t>, Constant> filled_;  ///< by size and the value's bits
  std::unordered_set<std::string> taken_;                     ///< names of nodes
  std::unordered_map<std::string, int> repeats_;              ///< how often a name stood again
  std::optional<GraphBuilder> builder_;
  bool rescales_its_input_ = false;
  bool int8_;  ///< whether the model computes in int8 or uint8
};

}  // namespace linnet::formats::tflite
