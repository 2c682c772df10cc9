// Changing the constants of a layer, whichever of the three it is.
#pragma once

#include <type_traits>

#include "graph/op.h"

namespace linnet::quantize {

/// Calls change(layer) where `op` is a convolution, a depthwise or a linear layer.
template <class F>
void change_layer(Op& op, F change) {
  std::visit(
      [&]<class O>(O& o) {
        if constexpr (std::is_same_v<O, Convolution> || std::is_same_v<O, Depthwise> ||
                      std::is_same_v<O, Linear>)
          change(o);
      },
      op);
}

}  // namespace linnet::quantize
