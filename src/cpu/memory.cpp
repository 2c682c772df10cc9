#include "cpu/memory.h"

#include <algorithm>
#include <new>

namespace linnet::cpu {

void Workspace::Free::operator()(std::byte* p) const { AlignedAllocator<std::byte>().deallocate(p, bytes); }

Result<Workspace> Workspace::allocate(std::int64_t bytes) {
  const auto size = static_cast<std::size_t>(std::max(bytes, std::int64_t{1}));
  Workspace workspace;
  try {
    workspace.data_ = {AlignedAllocator<std::byte>().allocate(size), Free{size}};
  } catch (const std::bad_alloc&) {
    return fail("{} bytes for activations are more than this machine has", bytes);
  }
  return workspace;
}

}  // namespace linnet::cpu
