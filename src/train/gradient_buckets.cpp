#include "train/gradient_buckets.h"

namespace linnet::train {

GradientBuckets::GradientBuckets(std::span<float> arena, std::span<const std::span<float>> parts,
                                 Collective& job, std::size_t bytes)
    : job_(job) {
  if (job.size() == 1 || parts.empty()) return;
  float* begin = parts.front().data();
  std::size_t count = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    ++count;
    // Up to where the next part begins: what lies between is zero.
    float* const end = i + 1 < parts.size() ? parts[i + 1].data() : arena.data() + arena.size();
    const auto values = static_cast<std::size_t>(end - begin);
    if (values * sizeof(float) < bytes && i + 1 < parts.size()) continue;
    buckets_.push_back({.values = {begin, values}, .parts = count});
    begin = end;
    count = 0;
  }
}

void GradientBuckets::done(std::span<const float> part) {
  if (buckets_.empty() || part.empty()) return;
  const auto after = std::ranges::upper_bound(
      buckets_, part.data(), {}, [](const Bucket& b) { return static_cast<const float*>(b.values.data()); });
  Bucket& bucket = *std::prev(after);
  if (++bucket.done == bucket.parts) job_.start_sum(bucket.values);
}

void GradientBuckets::finish() {
  for (Bucket& bucket : buckets_) {
    if (bucket.done > 0 && bucket.done < bucket.parts) job_.start_sum(bucket.values);
    bucket.done = 0;
  }
  job_.finish_sums();
}

}  // namespace linnet::train
