// For tests of training's kernels: random sizes and values from a seed, sums that know how far float32 may be
// from them.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "cpu/isa.h"
#include "cpu/kernels/guarded.h"

namespace linnet::cpu {

/// Random sizes and values from one seed.
struct Draw {
  explicit Draw(std::uint64_t seed) : random(seed) {}
  int between(int low, int high) {
    return low + static_cast<int>(random.below(static_cast<std::uint64_t>(high - low + 1)));
  }
  int channels() {
    static constexpr int kChoices[] = {1, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 48, 64, 65, 71, 100};
    return kChoices[random.below(std::size(kChoices))];
  }
  void fill(Guarded<float>& values) {
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = random.uniform(-4, 4);
  }
  Random random;
};

inline std::size_t size_of(std::int64_t n) { return static_cast<std::size_t>(n); }

/// A sum in double, and how far a chain of float multiply-adds may be from it.
struct Sum {
  double value = 0;
  double bound = 0;
  void add(double term) {
    value += term;
    bound += std::abs(term);
    ++terms;
  }
  int terms = 2;
  double tolerance() const { return 0x1p-23 * terms * bound + 1e-30; }
};

inline void expect_sums(const Guarded<float>& values, const std::vector<Sum>& sums) {
  ASSERT_EQ(values.size(), sums.size());
  EXPECT_TRUE(values.intact());
  for (std::size_t i = 0; i < sums.size(); ++i)
    EXPECT_NEAR(values[i], sums[i].value, sums[i].tolerance()) << "at " << i;
}

}  // namespace linnet::cpu
