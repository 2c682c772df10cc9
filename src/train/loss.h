// Softmax cross-entropy against soft targets: labels, smoothed labels, mixtures of labels, a teacher's
// scores.
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

/// How much of the loss a teacher has.
struct TeachersPart {
  float share = 0.9f;     ///< (0, 1]
  float temperature = 4;  ///< that scores are divided by, pupil's and teacher's: the higher, the softer
};

/// (1 - share) of softmax_cross_entropy(), and `share` of temperature^2 times the divergence (Kullback and
/// Leibler) of the softmax of scores / temperature from that of the teacher's; `correct` is by the targets.
/// teacher: n x classes scores. (Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015)
Loss distillation_loss(std::span<const float> scores, std::span<const float> targets,
                       std::span<const float> teacher, const TeachersPart& part, int classes,
                       std::span<float> d_scores, int parts = 1);

}  // namespace linnet::train
