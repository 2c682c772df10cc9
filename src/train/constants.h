// Which constants of an operator training changes, and what state dicts call them.
#pragma once

#include "graph/families/family.h"

namespace linnet::train {

using Role = WeightRequest::Role;

/// Statistics of batch norms are followed, not trained.
constexpr bool is_statistic(Role role) { return role == Role::kMean || role == Role::kVariance; }
/// Weight decay pulls weights to zero; biases and batch norms it leaves alone.
constexpr bool decays(Role role) { return role == Role::kWeight; }

/// Calls visit(constant, role, suffix) for every constant that is there; the node's name and the suffix are
/// its name in a state dict. `AnyOp` is Op or const Op.
template <class AnyOp, class Visit>
void for_each_constant(AnyOp& op, Visit visit) {
  const auto present = [&](auto& constant, Role role, const char* suffix) {
    if (!constant.absent()) visit(constant, role, suffix);
  };
  const auto weighted = [&](auto& layer) {
    present(layer.weight, Role::kWeight, ".weight");
    present(layer.bias, Role::kBias, ".bias");
  };
  if (auto* convolution = std::get_if<Convolution>(&op)) weighted(*convolution);
  if (auto* depthwise = std::get_if<Depthwise>(&op)) weighted(*depthwise);
  if (auto* linear = std::get_if<Linear>(&op)) weighted(*linear);
  if (auto* norm = std::get_if<BatchNorm>(&op)) {
    present(norm->scale, Role::kScale, ".weight");
    present(norm->offset, Role::kOffset, ".bias");
    present(norm->mean, Role::kMean, ".running_mean");
    present(norm->variance, Role::kVariance, ".running_var");
  }
}

}  // namespace linnet::train
