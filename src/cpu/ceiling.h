// What this machine can do at most, measured: what `linnet bench --ceiling` prints and shares are taken of.
#pragma once

#include <cstdint>

#include "base/thread_pool.h"
#include "cpu/isa.h"
#include "cpu/precision.h"

namespace linnet::cpu {

/// Rates of all threads together; 0 where the machine has no such unit or cache.
struct Ceiling {
  double float32_gmacs = 0;  ///< 10^9 multiply-adds a second, float32
  double int8_gmacs = 0;     ///< the same, int8 into int32
  double bf16_gmacs = 0;     ///< the same, bfloat16 into float32
  double l1_gb_s = 0;        ///< 10^9 bytes read a second from what fits half of each cache
  double l2_gb_s = 0;
  double l3_gb_s = 0;
  double memory_gb_s = 0;
  int threads = 1;
  double round_trip_ns = 0;  ///< a cache line from one core to another and back; 0 on a single core
  double barrier_ns = 0;     ///< all threads wait for one another; 0 for one thread
  double clock_ghz = 0;      ///< of one core, by a loop of dependent additions
};

/// Takes less than two seconds. Each figure is the best of several short runs, so that what else the machine
/// does counts as little as can be. `isa` must be available; 1 <= threads <= 256.
Ceiling measure_ceiling(Isa isa, int threads);

/// What the threads of a pool can multiply-add at most just now. On a shared machine that changes within
/// seconds, with what a neighbour does on the other half of a core: a share of the ceiling is honest only
/// where the ceiling was sampled right before and right after.
///
/// The ceiling is that of the ISA's vector type, which the kernels use too: for `scalar` what the compiler
/// makes of plain C++ on this architecture, which on x86-64 is SSE2 without a fused multiply-add.
class CeilingSampler {
 public:
  /// `isa` must be available. The pool must outlive the sampler. The ceiling is that of what the precision is
  /// multiplied in: int8 into int32, bfloat16 where the ISA does, else float32.
  CeilingSampler(Isa isa, ThreadPool& pool, Precision precision = Precision::kFloat32);
  /// 10^9 multiply-adds a second of all threads together; 0 where the ISA has no instruction for them. Takes
  /// about half a millisecond.
  double gmacs();

 private:
  double sample();

  MultiplyAddProbe probe_;
  ThreadPool& pool_;
  std::int64_t iterations_ = 1000;
};

/// Nanoseconds for a cache line to go to another core and back; 0 on a single core. At most 0.1 s.
double measure_round_trip();

/// Only the clock, in GHz: some ten milliseconds. Cycles are time multiplied by this.
double measure_clock();

}  // namespace linnet::cpu
