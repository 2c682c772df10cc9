#include "train/collective.h"

#include <functional>
#include <vector>

namespace linnet::train {

void sum(Collective& job, std::span<double> values) {
  std::vector<double> all(static_cast<std::size_t>(job.size()) * values.size());
  job.gather(values, all);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = 0;
    for (std::size_t at = i; at < all.size(); at += values.size()) values[i] += all[at];
  }
}

Result<void> agree(Collective& job, const std::string& terms) {
  const auto own = static_cast<double>(std::hash<std::string>{}(terms) >> 12);
  std::vector<double> all(static_cast<std::size_t>(job.size()));
  job.gather(std::span(&own, 1), all);
  const auto other = std::ranges::find_if(all, [&](double one) { return one != all[0]; });
  if (other == all.end()) return {};
  return fail(
      "rank {} of {} is not like rank 0; rank {} has {}. Every rank must run the same command, with the same "
      "data, on the same kind of CPU; LINNET_ISA and --threads make them alike",
      other - all.begin(), job.size(), job.rank(), terms);
}

double join_moments(Collective& job, double count, std::span<double> means, std::span<double> squares) {
  const std::size_t channels = means.size();
  const auto ranks = static_cast<std::size_t>(job.size());
  std::vector<double> own = {count};
  own.insert(own.end(), means.begin(), means.end());
  own.insert(own.end(), squares.begin(), squares.end());
  std::vector<double> all(ranks * own.size());
  job.gather(own, all);

  double values = 0;
  for (std::size_t r = 0; r < ranks; ++r) values += all[r * own.size()];
  for (std::size_t c = 0; c < channels; ++c) {
    double total = 0;
    for (std::size_t r = 0; r < ranks; ++r) {
      const double* const part = &all[r * own.size()];
      total += part[0] * part[1 + c];
    }
    const double mean = total / values;
    squares[c] = 0;
    for (std::size_t r = 0; r < ranks; ++r) {
      const double* const part = &all[r * own.size()];
      const double apart = part[1 + c] - mean;
      squares[c] += part[1 + channels + c] + part[0] * apart * apart;
    }
    means[c] = mean;
  }
  return values;
}

}  // namespace linnet::train
