#include "data/metrics.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>

#include "data/labels.h"

namespace linnet::data {
namespace {

/// A strict order, so that every machine ranks alike.
bool ranks_before(std::span<const float> scores, int a, int b) {
  const float x = scores[static_cast<std::size_t>(a)], y = scores[static_cast<std::size_t>(b)];
  if (std::isnan(x) || std::isnan(y)) return std::isnan(x) == std::isnan(y) ? a < b : std::isnan(y);
  return x != y ? x > y : a < b;
}

}  // namespace

std::vector<int> top_k(std::span<const float> scores, int k, int first) {
  std::vector<int> order(scores.size() - std::min(scores.size(), static_cast<std::size_t>(first)));
  std::iota(order.begin(), order.end(), first);
  const auto end = order.begin() + std::min<std::ptrdiff_t>(k, std::ssize(order));
  std::partial_sort(order.begin(), end, order.end(),
                    [&](int a, int b) { return ranks_before(scores, a, b); });
  order.erase(end, order.end());
  return order;
}

int rank_of(std::span<const float> scores, int label, int first) {
  int rank = 0;
  for (int other = first; other < static_cast<int>(scores.size()); ++other)
    if (other != label && ranks_before(scores, other, label)) ++rank;
  return rank;
}

Interval wilson_95(std::int64_t right, std::int64_t n) {
  if (n == 0) return {};
  constexpr double z = 1.959963984540054;  // the normal distribution's 97.5 % point
  const double count = static_cast<double>(n), share = static_cast<double>(right) / count;
  const double scale = 1 + z * z / count;
  const double centre = (share + z * z / (2 * count)) / scale;
  const double half = z / scale * std::sqrt(share * (1 - share) / count + z * z / (4 * count * count));
  // At the ends the formula is exact, its rounding is not.
  return {right == 0 ? 0.0 : centre - half, right == n ? 1.0 : centre + half};
}

Tally::Tally(int classes) : classes_(classes) {}

int Tally::add(std::span<const float> scores, int label) {
  const int first = first_class(classes_);
  assert(static_cast<int>(scores.size()) == classes_ && label >= first && label < classes_);
  const int predicted = top_k(scores, 1, first)[0];
  const int rank = rank_of(scores, label, first);
  ++images_;
  right_first_ += rank == 0;
  right_in_5_ += rank < 5;
  ++counts_[{label, predicted}];
  return predicted;
}

std::int64_t Tally::confused(int label, int predicted) const {
  const auto found = counts_.find({label, predicted});
  return found == counts_.end() ? 0 : found->second;
}

std::vector<Tally::Confusion> Tally::worst(std::size_t n) const {
  std::vector<Confusion> all;
  for (const auto& [pair, images] : counts_)
    if (pair.first != pair.second) all.push_back({pair.first, pair.second, images});
  std::ranges::stable_sort(all, std::ranges::greater(), &Confusion::images);
  all.resize(std::min(all.size(), n));
  return all;
}

}  // namespace linnet::data
