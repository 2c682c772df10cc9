#include "cpu/ceiling.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include <unistd.h>

#include "cpu/memory.h"

namespace linnet::cpu {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Work a second, the best of several runs: work(worker) does `amount` on every thread.
template <class Work>
double best_rate(ThreadPool& pool, double amount, double budget_seconds, Work work) {
  double best = 0;
  const Clock::time_point start = Clock::now();
  for (int run = 0; run < 3 || (run < 50 && seconds_since(start) < budget_seconds); ++run) {
    const Clock::time_point before = Clock::now();
    pool.run_together(work);
    best = std::max(best, amount * pool.threads() / seconds_since(before));
  }
  return best;
}

/// Keeps what a probe returns, so that the compiler keeps the probe.
std::atomic<float> sink;

double measure_macs(ThreadPool& pool, const MultiplyAddProbe& probe) {
  if (!probe.run) return 0;
  constexpr std::int64_t kIterations = 100'000;  // half a millisecond or so
  const double amount = static_cast<double>(kIterations) * probe.macs;
  return 1e-9 * best_rate(pool, amount, 0.06, [&](const Worker&) { sink = probe.run(kIterations); });
}

MultiplyAddProbe int8_probe(Isa isa) {
  switch (isa) {
#if defined(__x86_64__)
    case Isa::kAvx2: return avx2::probe_s8();
    case Isa::kAvx512: return avx512::probe_s8();
    case Isa::kAvx512Vnni:
    case Isa::kAvx512Vbmi: return avx512_vnni::probe_s8();
    case Isa::kAvx512Amx: return avx512_amx::probe_s8();
#elif defined(__aarch64__)
    case Isa::kNeon: return neon::probe_s8();
    case Isa::kNeonDot: return neon_dot::probe_s8();
#endif
    default: return {};
  }
}

MultiplyAddProbe bf16_probe(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::kAvx512Amx) return avx512_amx::probe_bf16();
  if (multiplies_bf16(isa)) return avx512_bf16::probe_bf16();
#endif
  (void)isa;
  return {};
}

/// Bytes of the data cache of that level, 0 where there is none; sysfs says it on every Linux, sysconf not on
/// ARM.
std::int64_t cache_size(int level) {
  for (int i = 0; i < 8; ++i) {
    const std::string folder = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(i) + "/";
    int found = 0;
    std::string type;
    std::string size;
    if (!(std::ifstream(folder + "level") >> found) || found != level) continue;
    if (!(std::ifstream(folder + "type") >> type) || type == "Instruction") continue;
    if (!(std::ifstream(folder + "size") >> size) || size.empty()) continue;
    const std::int64_t unit = size.back() == 'K' ? 1 << 10 : size.back() == 'M' ? 1 << 20 : 1;
    return std::atoll(size.c_str()) * unit;
  }
  constexpr int kNames[] = {_SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE};
  return std::max(0L, sysconf(kNames[level - 1]));
}

/// GB/s of reading `bytes` a thread, again and again.
double measure_reading(ThreadPool& pool, const Probe& probe, const float* values, std::int64_t bytes) {
  constexpr std::int64_t kStep = 256;  // floats: what the probe demands
  const std::int64_t floats = bytes / static_cast<std::int64_t>(sizeof(float)) / kStep * kStep;
  if (floats == 0) return 0;
  constexpr std::int64_t kBytesARun = 4 << 20;
  const std::int64_t passes = std::max<std::int64_t>(1, kBytesARun / (floats * 4));
  const double amount = static_cast<double>(passes * floats) * sizeof(float);
  return 1e-9 * best_rate(pool, amount, 0.1, [&](const Worker& worker) {
           float sum = 0;
           for (std::int64_t pass = 0; pass < passes; ++pass)
             sum += probe.read(values + worker.thread() * floats, floats);
           sink = sum;
         });
}

/// Nanoseconds of one barrier of all threads.
double measure_barrier(ThreadPool& pool) {
  if (pool.threads() == 1) return 0;
  constexpr int kBarriers = 1000;
  const double rate = best_rate(pool, kBarriers, 0.05, [](Worker& worker) {
    for (int i = 0; i < kBarriers; ++i) worker.barrier();
  });
  return 1e9 * pool.threads() / rate;
}

}  // namespace

CeilingSampler::CeilingSampler(Isa isa, ThreadPool& pool, Precision precision)
    : probe_(precision == Precision::kInt8                           ? int8_probe(isa)
             : precision == Precision::kBf16 && multiplies_bf16(isa) ? bf16_probe(isa)
                                                                     : kernels(isa).probe.f32),
      pool_(pool) {
  constexpr double kSeconds = 150e-6;  // of a sample: long beside the start of the threads
  while (probe_.run && iterations_ < 1 << 24) {
    const double seconds = 1e-9 * static_cast<double>(iterations_) * probe_.macs * pool_.threads() / gmacs();
    if (seconds >= kSeconds) break;
    iterations_ *= 2;
  }
}

double CeilingSampler::gmacs() {
  if (!probe_.run) return 0;
  // The best of three: what interrupts one of them is not the ceiling.
  return std::max({sample(), sample(), sample()});
}

double CeilingSampler::sample() {
  const Clock::time_point before = Clock::now();
  pool_.run([&](int) { sink = probe_.run(iterations_); });
  const double amount = static_cast<double>(iterations_) * probe_.macs * pool_.threads();
  return 1e-9 * amount / seconds_since(before);
}

double measure_round_trip() {
  if (std::thread::hardware_concurrency() < 2) return 0;
  constexpr int kTrips = 200;
  constexpr int kBatches = 50;
  alignas(64) std::atomic<int> line{0};
  std::atomic<bool> stop{false};
  // Odd values are for the other side to answer. Where both share a core, spinning gives way now and then.
  const auto wait_for = [&](int value) {
    for (int spin = 0; line.load(std::memory_order_acquire) != value; ++spin) {
      if (stop.load(std::memory_order_relaxed)) return;
      if (spin > 100'000) std::this_thread::yield();
    }
  };
  std::jthread other([&] {
    for (int i = 0; i < kTrips * kBatches && !stop; ++i) {
      wait_for(2 * i + 1);
      line.store(2 * i + 2, std::memory_order_release);
    }
  });
  double best = 0;
  const Clock::time_point start = Clock::now();
  int trip = 0;
  for (int batch = 0; batch < kBatches && seconds_since(start) < 0.1; ++batch) {
    const Clock::time_point before = Clock::now();
    for (int i = 0; i < kTrips; ++i, ++trip) {
      line.store(2 * trip + 1, std::memory_order_release);
      wait_for(2 * trip + 2);
    }
    const double nanoseconds = 1e9 * seconds_since(before) / kTrips;
    if (best == 0 || nanoseconds < best) best = nanoseconds;
  }
  stop = true;
  return best;
}

double measure_clock() {
  constexpr int kAdds = 100'000;
  double best = 0;
  for (int run = 0; run < 50; ++run) {
    std::uint64_t x = 0;
    const Clock::time_point before = Clock::now();
    // Ten additions, each waiting for the one before: a cycle each. Of a register: some CPUs fold those of a
    // constant.
    const std::uint64_t one = 1;
    for (int i = 0; i < kAdds / 10; ++i) {
#if defined(__x86_64__)
      asm volatile(
          "add %1, %0\n\tadd %1, %0\n\tadd %1, %0\n\tadd %1, %0\n\tadd %1, %0\n\t"
          "add %1, %0\n\tadd %1, %0\n\tadd %1, %0\n\tadd %1, %0\n\tadd %1, %0"
          : "+r"(x)
          : "r"(one)
          : "cc");
#elif defined(__aarch64__)
      asm volatile(
          "add %0, %0, %1\n\tadd %0, %0, %1\n\tadd %0, %0, %1\n\tadd %0, %0, %1\n\tadd %0, %0, %1\n\t"
          "add %0, %0, %1\n\tadd %0, %0, %1\n\tadd %0, %0, %1\n\tadd %0, %0, %1\n\tadd %0, %0, %1"
          : "+r"(x)
          : "r"(one));
#endif
    }
    best = std::max(best, 1e-9 * kAdds / seconds_since(before));
  }
  return best;
}

Ceiling measure_ceiling(Isa isa, int threads) {
  Ceiling c;
  c.threads = threads;
  c.clock_ghz = measure_clock();
  c.round_trip_ns = measure_round_trip();

  ThreadPool pool(threads);
  c.barrier_ns = measure_barrier(pool);
  const Probe& probe = kernels(isa).probe;
  c.float32_gmacs = measure_macs(pool, probe.f32);
  c.int8_gmacs = measure_macs(pool, int8_probe(isa));
  c.bf16_gmacs = measure_macs(pool, bf16_probe(isa));

  const std::int64_t l1 = cache_size(1);
  const std::int64_t l2 = cache_size(2);
  const std::int64_t l3 = cache_size(3);
  const std::int64_t memory = std::clamp<std::int64_t>(4 * std::max(l2 * threads, l3), 64 << 20, 256 << 20);
  const auto workspace = Workspace::allocate(memory);
  if (!workspace) return c;
  auto* const values = reinterpret_cast<float*>(workspace->data());
  std::fill_n(values, memory / static_cast<std::int64_t>(sizeof(float)), 1.0f);
  c.l1_gb_s = measure_reading(pool, probe, values, l1 / 2);
  c.l2_gb_s = measure_reading(pool, probe, values, l2 / 2);
  if (l3 / 2 / threads > l2) c.l3_gb_s = measure_reading(pool, probe, values, l3 / 2 / threads);
  c.memory_gb_s = measure_reading(pool, probe, values, memory / threads);
  return c;
}

}  // namespace linnet::cpu
