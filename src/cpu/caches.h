// The sizes of this machine's caches, as the system tells them.
#pragma once

#include <cstdint>

namespace linnet::cpu {

/// Bytes of the L2 cache of a core: what Linux says, else what the C library says, else a guess of 1 MB.
std::int64_t l2_bytes();

}  // namespace linnet::cpu
