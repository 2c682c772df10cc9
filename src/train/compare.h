// For tests: a network against its textbook twin, within a bound that is computed from the data.
#pragma once

#include <cmath>

#include <gtest/gtest.h>

#include "train/loss.h"
#include "train/network.h"
#include "train/optimizer.h"
#include "train/reference.h"

namespace linnet::train {

/// A batch to train with.
struct Problem {
  Graph graph;
  int images = 0;
  AlignedVector<float> pixels;
  std::vector<float> targets;
};

inline Problem make_problem(Graph graph, int images, std::uint64_t seed) {
  Random random(seed);
  Problem p = {std::move(graph), images, {}, {}};
  p.pixels.resize(static_cast<std::size_t>(images * p.graph.input_shape().size()));
  for (float& x : p.pixels) x = random.uniform(-2, 2);
  const int classes = p.graph.output_shape().c;
  std::vector<int> labels;
  for (int i = 0; i < images; ++i)
    labels.push_back(static_cast<int>(random.below(static_cast<std::uint64_t>(classes))));
  p.targets.resize(static_cast<std::size_t>(images * classes));
  fill_targets(labels, classes, 0.1f, p.targets);
  return p;
}

/// The same with targets of 0 and 1, which can be learnt until no loss is left.
inline Problem make_certain_problem(Graph graph, int images, std::uint64_t seed) {
  Problem p = make_problem(std::move(graph), images, seed);
  for (float& target : p.targets) target = target > 0.5f ? 1.0f : 0.0f;
  return p;
}

inline std::vector<float> copy(std::span<const float> values) { return {values.begin(), values.end()}; }

/// A step of training; the loss before it.
inline double step(Network& network, Optimizer& optimizer, const Problem& p, float rate, ThreadPool& pool) {
  const auto scores = network.forward(p.pixels, true).value();
  std::vector<float> d_scores(scores.size());
  const Loss loss = softmax_cross_entropy(scores, p.targets, p.graph.output_shape().c, d_scores);
  EXPECT_TRUE(network.backward(d_scores));
  optimizer.step(rate, pool);
  return loss.mean;
}

inline Reference reference_of(const Problem& p, const Noise& noise = {}, std::uint64_t seed = 1) {
  Reference reference(p.graph, noise, seed);
  reference.loss(p.pixels, p.targets);
  reference.backward();
  return reference;
}

/// Euclidean.
template <class A, class B>
double distance(const A& a, const B& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::pow(double{a[i]} - double{b[i]}, 2);
  return std::sqrt(sum);
}

/// The exact gradients, and how far rounding takes each: some twins with the errors of float32, or of
/// bfloat16: operands, and what is stored.
class Expectation {
 public:
  explicit Expectation(const Problem& p, cpu::Precision precision = cpu::Precision::kFloat32)
      : exact(reference_of(p)),
        noise_(precision == cpu::Precision::kFloat32 ? Noise{0x1p-23, 0} : Noise{0x1p-8, 0x1p-9}),
        slack_(precision == cpu::Precision::kFloat32 ? 32 : 4) {
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
      const Reference noisy = reference_of(p, noise_, seed);
      for (const auto& [name, gradient] : exact.gradients)
        raise(name, distance(noisy.gradients.at(name), gradient));
      raise("scores", distance(noisy.scores(), exact.scores()));
    }
  }
  template <class T>
  void check(const std::string& name, const T& values, const std::vector<double>& expected) const {
    const double size = distance(expected, std::vector<double>(expected.size(), 0.0));
    // What is zero, such as the gradient through a norm of one pixel, is a difference of terms that round.
    constexpr double kZero = 1e-8;
    const double bound = slack_ * apart_.at(name) + 2 * noise_.products * size + kZero;
    EXPECT_LE(distance(values, expected), bound) << name << ", of norm " << size;
  }
  Reference exact;

 private:
  void raise(const std::string& name, double by) { apart_[name] = std::max(apart_[name], by); }
  Noise noise_;
  double slack_;  ///< chains of sums err one way, random errors cancel
  std::map<std::string, double> apart_;
};

/// Scores and gradients of one training step.
inline void expect_exact_step(const Problem& p, const Expectation& expected, int threads,
                              const NetworkOptions& options) {
  ThreadPool pool(threads);
  auto network = Network::make(p.graph, p.images, pool, options);
  ASSERT_TRUE(network) << network.error().message;
  const auto scores = network->forward(p.pixels, true);
  ASSERT_TRUE(scores) << scores.error().message;
  expected.check("scores", *scores, expected.exact.scores());
  std::vector<float> d_scores(scores->size());
  softmax_cross_entropy(*scores, p.targets, p.graph.output_shape().c, d_scores);
  ASSERT_TRUE(network->backward(d_scores));
  for (const Parameter& parameter : network->parameters())
    expected.check(parameter.name, parameter.gradient, expected.exact.gradients.at(parameter.name));
}

}  // namespace linnet::train
