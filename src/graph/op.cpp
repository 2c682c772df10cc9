#include "graph/op.h"

#include <algorithm>
#include <array>

namespace linnet {

std::string_view op_name(const Op& op) {
  static constexpr std::array<std::string_view, std::variant_size_v<Op>> kNames = {
      "input", "convolution", "depthwise",           "linear", "batch_norm", "activation",
      "add",   "multiply",    "global_average_pool", "pad",    "identity",   "softmax"};
  return kNames[op.index()];
}

std::string_view to_string(Activation activation) {
  static constexpr std::array<std::string_view, 5> kNames = {"none", "relu", "relu6", "hard_swish",
                                                             "hard_sigmoid"};
  return kNames[static_cast<std::size_t>(activation)];
}

double activate(double x, Activation activation) {
  switch (activation) {
    case Activation::kNone: return x;
    case Activation::kRelu: return std::max(x, 0.0);
    case Activation::kRelu6: return std::clamp(x, 0.0, 6.0);
    case Activation::kHardSwish: return x * std::clamp(x + 3.0, 0.0, 6.0) / 6.0;
    case Activation::kHardSigmoid: return std::clamp(x + 3.0, 0.0, 6.0) / 6.0;
  }
  return x;
}

Activation* own_activation(Op& op) {
  return std::visit(
      Overloaded{[](Convolution& o) { return &o.activation; }, [](Depthwise& o) { return &o.activation; },
                 [](Linear& o) { return &o.activation; }, [](Add& o) { return &o.activation; },
                 [](auto&) -> Activation* { return nullptr; }},
      op);
}

int arity(const Op& op) {
  return std::visit(Overloaded{[](const Input&) { return 0; }, [](const Add&) { return 2; },
                               [](const Multiply&) { return 2; }, [](const auto&) { return 1; }},
                    op);
}

}  // namespace linnet
