#include "train/loss.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"

namespace linnet::train {
namespace {

constexpr int kClasses = 5;
constexpr std::size_t kValues = 3 * kClasses;  // three images

struct Problem {
  std::vector<float> scores, teacher, targets;
  explicit Problem(std::uint64_t seed) : scores(kValues), teacher(kValues), targets(kValues) {
    Random random(seed);
    for (float& v : scores) v = random.uniform(-4, 4);
    for (float& v : teacher) v = random.uniform(-6, 6);
    fill_targets(std::vector<int>{0, 4, 2}, kClasses, 0.1f, targets);
  }
};

/// As the paper has it, in double.
double textbook(const Problem& p, const TeachersPart& part) {
  const auto probabilities = [](const std::vector<float>& scores, std::size_t image, double temperature) {
    std::vector<double> result(kClasses);
    double sum = 0;
    for (std::size_t i = 0; i < kClasses; ++i)
      sum += result[i] = std::exp(double{scores[image * kClasses + i]} / temperature);
    for (double& r : result) r /= sum;
    return result;
  };
  double loss = 0;
  for (std::size_t image = 0; image < 3; ++image) {
    const auto hard = probabilities(p.scores, image, 1);
    const auto soft = probabilities(p.scores, image, part.temperature);
    const auto taught = probabilities(p.teacher, image, part.temperature);
    for (std::size_t i = 0; i < kClasses; ++i) {
      loss -= (1 - part.share) * p.targets[image * kClasses + i] * std::log(hard[i]);
      loss += part.share * part.temperature * part.temperature * taught[i] * std::log(taught[i] / soft[i]);
    }
  }
  return loss / 3;
}

TEST(loss, of_a_teacher_is_the_papers_and_its_gradient_that_of_finite_differences) {
  for (const TeachersPart part : {TeachersPart{}, TeachersPart{0.5f, 1}, TeachersPart{1, 20}}) {
    const Problem p(7);
    std::vector<float> gradient(kValues), unused;
    const Loss loss = distillation_loss(p.scores, p.targets, p.teacher, part, kClasses, gradient);
    EXPECT_NEAR(loss.mean, textbook(p, part), 1e-5);
    for (std::size_t i = 0; i < kValues; ++i) {
      Problem more = p, less = p;
      more.scores[i] += 0.01f;
      less.scores[i] -= 0.01f;
      const double step = double{more.scores[i]} - double{less.scores[i]};
      EXPECT_NEAR(gradient[i], (textbook(more, part) - textbook(less, part)) / step, 1e-5) << i;
    }
  }
}

TEST(loss, of_whoever_has_the_teachers_scores_is_nothing) {
  Problem p(8);
  p.scores = p.teacher;
  std::vector<float> gradient(kValues);
  const Loss loss = distillation_loss(p.scores, p.targets, p.teacher, {.share = 1}, kClasses, gradient);
  EXPECT_NEAR(loss.mean, 0, 1e-6);
  for (const float g : gradient) EXPECT_NEAR(g, 0, 1e-7);
}

TEST(loss, of_a_teacher_of_halves_of_a_batch_adds_up_to_that_of_the_batch) {
  const Problem p(9);
  const auto row = [](const std::vector<float>& all, std::size_t i) {
    return std::span(all).subspan(i * kClasses, kClasses);
  };
  std::vector<float> whole(kValues), part(kClasses);
  const Loss loss = distillation_loss(p.scores, p.targets, p.teacher, {}, kClasses, whole);
  double sum = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    sum +=
        distillation_loss(row(p.scores, i), row(p.targets, i), row(p.teacher, i), {}, kClasses, part, 3).mean;
    for (std::size_t c = 0; c < kClasses; ++c) EXPECT_NEAR(part[c], whole[i * kClasses + c], 1e-7);
  }
  EXPECT_NEAR(sum, loss.mean, 1e-9);
}

}  // namespace
}  // namespace linnet::train
