#include "train/quantizer.h"

#include <algorithm>
#include <cmath>

#include "numerics/int8.h"

namespace linnet::train {
namespace {

/// Learning may take a scale below zero; nothing else is a scale.
constexpr float kLeastStep = 0x1p-40f;

cpu::GridF32 grid_of(float step, float low, float high) {
  const float scale = std::max(step, kLeastStep);
  return {.scale = scale, .inverse_scale = 1.0f / scale, .low = low, .high = high};
}

}  // namespace

ValueQuantizer::ValueQuantizer(const Machine& machine, GridRule rule, std::int64_t values,
                               std::span<float> learned, std::span<float> gradient,
                               std::span<float> zero_point)
    : machine_(machine),
      rule_(rule),
      values_(static_cast<double>(values)),
      learned_(learned),
      gradient_(gradient),
      zero_point_(zero_point),
      sums_(static_cast<std::size_t>(machine.threads)) {}

cpu::GridF32 ValueQuantizer::grid() const {
  const float zero = std::round(zero_point_[0]);
  const float low = float{LINNET_INT8_MIN} - zero, high = float{LINNET_INT8_MAX} - zero;
  return grid_of(rule_ == GridRule::kClip ? learned_[0] / std::max(high, 1.0f) : learned_[0], low, high);
}

void ValueQuantizer::set(const Quantization& q) {
  zero_point_[0] = static_cast<float>(q.zero_point);
  const auto levels = static_cast<float>(std::max(LINNET_INT8_MAX - q.zero_point, 1));
  learned_[0] = rule_ == GridRule::kClip ? q.scale * levels : q.scale;
}

Quantization ValueQuantizer::get() const {
  const cpu::GridF32 g = grid();
  return {g.scale, static_cast<int>(static_cast<float>(LINNET_INT8_MAX) - g.high)};
}

void ValueQuantizer::apply(const float* x, std::ptrdiff_t x_pixel, float* y, std::ptrdiff_t y_pixel,
                           std::int64_t pixels, int c) const {
  machine_.train.fake_quantize(
      {.x = x, .x_pixel = x_pixel, .y = y, .y_pixel = y_pixel, .pixels = pixels, .c = c, .grid = grid()});
}

void ValueQuantizer::through(int thread, const float* x, float* d, std::int64_t n) {
  cpu::FakeQuantizeGradientF32 a = {.x = x, .d = d, .n = n, .grid = grid(), .inside = 0, .clipped = 0};
  machine_.train.fake_quantize_gradient(a);
  Sums& sums = sums_[static_cast<std::size_t>(thread)];
  sums.inside += double{a.inside};
  sums.clipped += double{a.clipped};
}

void ValueQuantizer::close() {
  Sums total;
  for (Sums& s : sums_) {
    total.inside += s.inside;
    total.clipped += s.clipped;
    s = {};
  }
  const cpu::GridF32 g = grid();
  const double levels = double{std::max({g.high, -g.low, 1.0f})};
  if (rule_ == GridRule::kClip)
    gradient_[0] = static_cast<float>(total.clipped / std::max(double{g.high}, 1.0));
  if (rule_ == GridRule::kStep)
    gradient_[0] = static_cast<float>((total.inside + total.clipped) / std::sqrt(values_ * levels));
}

WeightQuantizer::WeightQuantizer(const Machine& machine, const Weights& weights, bool channels_last,
                                 std::span<float> step, std::span<float> d_step)
    : machine_(machine),
      weights_(weights),
      channels_last_(channels_last),
      step_(step),
      d_step_(d_step),
      taps_(weights.value.size() / step.size()),
      quantized_(weights.value.size()),
      rows_(static_cast<std::size_t>(machine.threads), AlignedVector<float>(2 * taps_)) {}

cpu::GridF32 WeightQuantizer::grid(std::size_t channel) const {
  return grid_of(step_[channel], LINNET_WEIGHT_MIN, -LINNET_WEIGHT_MIN);
}

float WeightQuantizer::step_of(std::size_t channel) const {
  const std::size_t stride = channels_last_ ? step_.size() : 1;
  const float* const first = weights_.value.data() + (channels_last_ ? channel : channel * taps_);
  float largest = 0;
  for (std::size_t i = 0; i < taps_; ++i) largest = std::max(largest, std::abs(first[i * stride]));
  const float most = largest / -LINNET_WEIGHT_MIN;  // what it takes to clip none of them
  return std::max(std::clamp(step_[channel], 0.75f * most, 4 * most), kLeastStep);
}

/// Calls job(channel, at) for this thread's channels; at(i) is the place of a channel's weight i.
template <class Job>
void WeightQuantizer::for_each_channel(int thread, Job job) {
  const std::size_t channels = step_.size();
  const Range own = split(static_cast<int>(channels), thread, machine_.threads);
  for (auto k = static_cast<std::size_t>(own.begin); k < static_cast<std::size_t>(own.end); ++k)
    job(k, [=, this](std::size_t i) { return channels_last_ ? i * channels + k : k * taps_ + i; });
}

void WeightQuantizer::apply(int thread) {
  float* const row = rows_[static_cast<std::size_t>(thread)].data();
  for_each_channel(thread, [&](std::size_t k, auto at) {
    for (std::size_t i = 0; i < taps_; ++i) row[i] = weights_.value[at(i)];
    step_[k] = step_of(k);
    machine_.train.fake_quantize({.x = row,
                                  .x_pixel = 0,
                                  .y = row,
                                  .y_pixel = 0,
                                  .pixels = 1,
                                  .c = static_cast<int>(taps_),
                                  .grid = grid(k)});
    for (std::size_t i = 0; i < taps_; ++i) quantized_[at(i)] = row[i];
  });
}

void WeightQuantizer::through(int thread) {
  float* const x = rows_[static_cast<std::size_t>(thread)].data();
  float* const d = x + taps_;
  const double scale = 1 / std::sqrt(static_cast<double>(taps_) * -LINNET_WEIGHT_MIN);
  for_each_channel(thread, [&](std::size_t k, auto at) {
    for (std::size_t i = 0; i < taps_; ++i) {
      x[i] = weights_.value[at(i)];
      d[i] = weights_.gradient[at(i)];
    }
    cpu::FakeQuantizeGradientF32 a = {
        .x = x, .d = d, .n = static_cast<std::ptrdiff_t>(taps_), .grid = grid(k), .inside = 0, .clipped = 0};
    machine_.train.fake_quantize_gradient(a);
    for (std::size_t i = 0; i < taps_; ++i) weights_.gradient[at(i)] = d[i];
    d_step_[k] = static_cast<float>((double{a.inside} + double{a.clipped}) * scale);
  });
}

}  // namespace linnet::train
