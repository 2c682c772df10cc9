#include "base/aligned.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace linnet {

void ask_for_huge_pages([[maybe_unused]] void* block, [[maybe_unused]] std::size_t bytes) {
#if defined(__linux__)
  madvise(block, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
#endif
}

}  // namespace linnet
