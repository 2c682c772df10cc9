// The operators that a Graph is made of: everything that MobileNetV1 to V4 need, and nothing else.
//
// An operator is plain data. Activations are {H, W, C}; the letters are those of base/shape.h.
//
// The same operators make a float graph and an int8 one (graph.h says which it is). In an int8 graph weights
// are int8 with one scale an output channel, biases int32 with scale s_x * s_w, and a layer's own activation
// is one that a pair of limits expresses: none, relu or relu6. Any other stands alone.
#pragma once

#include <string_view>
#include <variant>

#include "graph/constant.h"

namespace linnet {

/// Applied to every value, element by element.
enum class Activation {
  kNone,
  kRelu,         ///< max(x, 0)
  kRelu6,        ///< min(max(x, 0), 6)
  kHardSwish,    ///< x * relu6(x + 3) / 6       (MobileNetV3, section 5.2)
  kHardSigmoid,  ///< relu6(x + 3) / 6
};

/// Rows and columns of zeros (of the zero point, once quantised) around an image. Always explicit:
/// TensorFlow's asymmetric SAME and PyTorch's symmetric padding are both just numbers here.
struct Padding {
  int top = 0;
  int bottom = 0;
  int left = 0;
  int right = 0;
  bool operator==(const Padding&) const = default;
};

/// How a kernel of R x S slides over H x W: HO = (H + top + bottom - R) / stride_h + 1, rounded down; WO
/// likewise.
struct Window {
  int kernel_h = 1;
  int kernel_w = 1;
  int stride_h = 1;
  int stride_w = 1;
  Padding padding = {};
  bool operator==(const Window&) const = default;
};

/// The image. Always node 0 and the only one; its shape is the node's.
struct Input {
  bool operator==(const Input&) const = default;
};

/// A dense convolution (group = 1); 1x1 is what the literature calls pointwise.
struct Convolution {
  Window window;
  Constant weight = {};  ///< [K, R, S, C]
  Constant bias = {};    ///< [K], or absent
  Activation activation = Activation::kNone;
  Constant weight_scale = {};  ///< [K], each at least 0; int8 graphs only
  int weight_zero_point = 0;   ///< in [-128, 127]; other than 0 only where imported from TensorFlow 1
  bool operator==(const Convolution&) const = default;
};

/// A convolution of every channel with its own kernel (group = C, one output a channel).
struct Depthwise {
  Window window;
  Constant weight = {};  ///< [R, S, C]
  Constant bias = {};    ///< [C], or absent
  Activation activation = Activation::kNone;
  Constant weight_scale = {};  ///< [C], each at least 0; int8 graphs only
  int weight_zero_point = 0;   ///< in [-128, 127]; other than 0 only where imported from TensorFlow 1
  bool operator==(const Depthwise&) const = default;
};

/// A fully connected layer on a {1, 1, C} vector.
struct Linear {
  Constant weight = {};  ///< [K, C]
  Constant bias = {};    ///< [K], or absent
  Activation activation = Activation::kNone;
  Constant weight_scale = {};  ///< [K], each at least 0; int8 graphs only
  int weight_zero_point = 0;   ///< in [-128, 127]; other than 0 only where imported from TensorFlow 1
  bool operator==(const Linear&) const = default;
};

/// (x - mean) / sqrt(variance + epsilon) * scale + offset, a channel.
struct BatchNorm {
  Constant scale = {};     ///< [C]
  Constant offset = {};    ///< [C]
  Constant mean = {};      ///< [C], running mean
  Constant variance = {};  ///< [C], running variance
  float epsilon = 1e-5f;
  bool operator==(const BatchNorm&) const = default;
};

/// An activation that stands alone.
struct Activate {
  Activation activation = Activation::kRelu;
  bool operator==(const Activate&) const = default;
};

/// Sum of two inputs of one shape: the residual connection.
struct Add {
  Activation activation = Activation::kNone;
  bool operator==(const Add&) const = default;
};

/// Input 0 {H, W, C} times input 1 {1, 1, C}: the gate of squeeze-and-excite.
struct Multiply {
  bool operator==(const Multiply&) const = default;
};

/// Mean over H and W; gives {1, 1, C}.
struct GlobalAveragePool {
  bool operator==(const GlobalAveragePool&) const = default;
};

/// Zeros around the image.
struct Pad {
  Padding padding = {};
  bool operator==(const Pad&) const = default;
};

/// Hands its input on: what dropout and flatten are at inference.
struct Identity {
  bool operator==(const Identity&) const = default;
};

/// exp(x_k) / sum over K, on a {1, 1, K} vector.
struct Softmax {
  bool operator==(const Softmax&) const = default;
};

using Op = std::variant<Input, Convolution, Depthwise, Linear, BatchNorm, Activate, Add, Multiply,
                        GlobalAveragePool, Pad, Identity, Softmax>;

/// "convolution", "depthwise", … as `linnet info` prints it and as Linnet's own file spells it.
std::string_view op_name(const Op& op);
/// "none", "relu", "relu6", "hard_swish", "hard_sigmoid"
std::string_view to_string(Activation activation);
/// activation(x), as the enumeration defines it.
double activate(double x, Activation activation);
/// The activation that `op` applies to its own output, or nullptr where it cannot apply any.
Activation* own_activation(Op& op);
/// Number of inputs that the operator takes: 0, 1 or 2.
int arity(const Op& op);

/// For std::visit with one lambda a case.
template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};

}  // namespace linnet
