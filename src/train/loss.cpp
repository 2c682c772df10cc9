#include "train/loss.h"

#include <algorithm>
#include <cmath>

namespace linnet::train {

void fill_targets(std::span<const int> labels, int classes, float smoothing, std::span<float> targets) {
  std::ranges::fill(targets, smoothing / static_cast<float>(classes));
  for (std::size_t i = 0; i < labels.size(); ++i)
    targets[i * static_cast<std::size_t>(classes) + static_cast<std::size_t>(labels[i])] += 1.0f - smoothing;
}

Loss softmax_cross_entropy(std::span<const float> scores, std::span<const float> targets, int classes,
                           std::span<float> d_scores, int parts) {
  const auto k = static_cast<std::size_t>(classes);
  const std::size_t n = scores.size() / k;
  const double images = static_cast<double>(n) * parts;
  Loss loss;
  for (std::size_t image = 0; image < n; ++image) {
    const auto row = scores.subspan(image * k, k);
    const auto target = targets.subspan(image * k, k);
    const auto best = std::ranges::max_element(row);
    double sum = 0;
    for (const float score : row) sum += std::exp(double{score} - double{*best});
    const double log_sum = std::log(sum) + double{*best};
    for (std::size_t i = 0; i < k; ++i) {
      const double log_probability = double{row[i]} - log_sum;
      loss.mean -= double{target[i]} * log_probability;
      if (!d_scores.empty())
        d_scores[image * k + i] =
            static_cast<float>((std::exp(log_probability) - double{target[i]}) / images);
    }
    if (best - row.begin() == std::ranges::max_element(target) - target.begin()) ++loss.correct;
  }
  loss.mean /= images;
  return loss;
}

}  // namespace linnet::train
