#include "train/loss.h"

#include <algorithm>
#include <cmath>

#include "base/aligned.h"

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

Loss distillation_loss(std::span<const float> scores, std::span<const float> targets,
                       std::span<const float> teacher, const TeachersPart& part, int classes,
                       std::span<float> d_scores, int parts) {
  Loss loss = softmax_cross_entropy(scores, targets, classes, d_scores, parts);
  const auto k = static_cast<std::size_t>(classes);
  const double images = static_cast<double>(scores.size() / k) * parts;
  AlignedVector<float> soft(scores.size()), soft_targets(scores.size()), d_soft(d_scores.size());
  double entropy = 0;  // of the teacher's: what cross-entropy has beyond the divergence
  for (std::size_t begin = 0; begin < scores.size(); begin += k) {
    const auto row = teacher.subspan(begin, k);
    const double best = *std::ranges::max_element(row);
    double sum = 0;
    for (const float score : row) sum += std::exp((double{score} - best) / double{part.temperature});
    for (std::size_t i = 0; i < k; ++i) {
      const double log_probability = (double{row[i]} - best) / double{part.temperature} - std::log(sum);
      const double probability = std::exp(log_probability);
      entropy -= probability * log_probability;
      soft_targets[begin + i] = static_cast<float>(probability);
      soft[begin + i] = scores[begin + i] / part.temperature;
    }
  }
  const Loss softened = softmax_cross_entropy(soft, soft_targets, classes, d_soft, parts);
  const double own = 1 - double{part.share};
  const double teachers = double{part.share} * double{part.temperature} * double{part.temperature};
  loss.mean = own * loss.mean + teachers * (softened.mean - entropy / images);
  for (std::size_t i = 0; i < d_scores.size(); ++i)
    d_scores[i] = static_cast<float>(own * double{d_scores[i]} +
                                     teachers / double{part.temperature} * double{d_soft[i]});
  return loss;
}

}  // namespace linnet::train
