#include "base/denormals.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace linnet {
namespace {

#if defined(__x86_64__)
constexpr std::uint64_t kAsZero = 0x8040;  // MXCSR: flush to zero, denormals are zero
std::uint64_t control() { return _mm_getcsr(); }
void set_control(std::uint64_t value) { _mm_setcsr(static_cast<unsigned>(value)); }
#elif defined(__aarch64__)
constexpr std::uint64_t kAsZero = std::uint64_t{1} << 24;  // FPCR: FZ
std::uint64_t control() {
  std::uint64_t value = 0;
  asm volatile("mrs %0, fpcr" : "=r"(value));
  return value;
}
void set_control(std::uint64_t value) { asm volatile("msr fpcr, %0" : : "r"(value)); }
#else
constexpr std::uint64_t kAsZero = 0;
std::uint64_t control() { return 0; }
void set_control(std::uint64_t) {}
#endif

}  // namespace

DenormalsAsZero::DenormalsAsZero(ThreadPool& pool)
    : pool_(pool), before_(static_cast<std::size_t>(pool.threads())) {
  pool_.run([&](int thread) {
    before_[static_cast<std::size_t>(thread)] = control();
    set_control(control() | kAsZero);
  });
}

DenormalsAsZero::~DenormalsAsZero() {
  pool_.run([&](int thread) { set_control(before_[static_cast<std::size_t>(thread)]); });
}

}  // namespace linnet
