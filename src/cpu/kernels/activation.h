// What a kernel applies to a value before it stores it.
#pragma once

namespace linnet::cpu {

/// The meanings are those of graph/op.h, which kernels do not see.
enum class Finish { kNone, kRelu, kRelu6, kHardSwish, kHardSigmoid };

}  // namespace linnet::cpu
