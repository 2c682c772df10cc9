#include "base/denormals.h"

#include <limits>

#include <gtest/gtest.h>

namespace linnet {
namespace {

/// What each thread of the pool makes of half of the smallest normal number.
std::vector<float> halves(ThreadPool& pool) {
  std::vector<float> result(static_cast<std::size_t>(pool.threads()));
  pool.run([&](int thread) {
    volatile float smallest = std::numeric_limits<float>::min();
    result[static_cast<std::size_t>(thread)] = smallest * 0.5f;
  });
  return result;
}

TEST(denormals, are_zero_on_every_thread_of_the_pool_for_a_while) {
  ThreadPool pool(3);
  const std::vector<float> usual(3, std::numeric_limits<float>::min() / 2);
  EXPECT_EQ(halves(pool), usual);
#if defined(__x86_64__) || defined(__aarch64__)
  {
    const DenormalsAsZero flush(pool);
    EXPECT_EQ(halves(pool), std::vector<float>(3));
  }
#endif
  EXPECT_EQ(halves(pool), usual);
}

}  // namespace
}  // namespace linnet
