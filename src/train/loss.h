// Softmax cross-entropy against soft targets: labels, smoothed labels, mixtures of labels.
#pragma once

#include <cstdint>
#include <span>

namespace linnet::train {

/// One row of `classes` targets a label: 1 - smoothing for the label, and smoothing shared by all classes.
/// (Szegedy et al., "Rethinking the Inception Architecture", 2015, section 7)
void fill_targets(std::span<const int> labels, int classes, float smoothing, std::span<float> targets);

struct Loss {
  double mean = 0;  ///< over the images (of all parts), in nats
  int correct = 0;  ///< images whose best score is at their largest target
};

/// scores, targets: n x classes, each row of targets sums to 1. d_scores: the gradient of the mean, or empty.
/// Where other ranks have a part of the batch each, `parts` of n images: loss and gradient are those that
/// they add up to the mean of.
Loss softmax_cross_entropy(std::span<const float> scores, std::span<const float> targets, int classes,
                           std::span<float> d_scores, int parts = 1);

}  // namespace linnet::train
