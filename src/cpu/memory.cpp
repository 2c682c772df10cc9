#include "cpu/memory.h"

#include <algorithm>
#include <new>

namespace linnet::cpu {

void Workspace::Free::operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{kCacheLine}); }

Result<Workspace> Workspace::allocate(std::int64_t bytes) {
  const auto size = static_cast<std::size_t>(std::max(bytes, std::int64_t{1}));
  Workspace workspace;
  workspace.data_.reset(
      static_cast<std::byte*>(::operator new[](size, std::align_val_t{kCacheLine}, std::nothrow)));
  if (!workspace.data_) return fail("{} bytes for activations are more than this machine has", bytes);
  return workspace;
}

}  // namespace linnet::cpu
