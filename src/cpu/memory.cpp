#include "cpu/memory.h"

#include <algorithm>

namespace linnet::cpu {

void Workspace::Free::operator()(std::byte* p) const { ::operator delete[](p, boundary); }

Result<Workspace> Workspace::allocate(std::int64_t bytes) {
  const auto size = static_cast<std::size_t>(std::max(bytes, std::int64_t{1}));
  const std::align_val_t boundary = alignment_of(size);
  auto* const block = static_cast<std::byte*>(::operator new[](size, boundary, std::nothrow));
  if (!block) return fail("{} bytes for activations are more than this machine has", bytes);
  if (size >= kHugePage) ask_for_huge_pages(block, size);
  Workspace workspace;
  workspace.data_ = {block, Free{boundary}};
  return workspace;
}

}  // namespace linnet::cpu
