// Adam with decoupled weight decay.
#include <cmath>

#include "train/parameter_parts.h"

namespace linnet::train {
namespace {

class AdamW final : public Optimizer {
 public:
  AdamW(std::span<const Parameter> parameters, const AdamWOptions& options)
      : parameters_(parameters.begin(), parameters.end()),
        options_(options),
        state_(2 * count_values(parameters) + 1) {}

  void step(float learning_rate, ThreadPool& pool) override {
    const double steps = static_cast<double>(state_.back() += 1.0f);
    const float beta1 = options_.beta1;
    const float beta2 = options_.beta2;
    const auto rate = static_cast<float>(double{learning_rate} / (1.0 - std::pow(double{beta1}, steps)));
    const auto correction = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(double{beta2}, steps)));
    float* const squares = state_.data() + state_.size() / 2;
    for_each_part(parameters_, pool,
                  [&](const Parameter& p, std::int64_t begin, std::int64_t count, std::int64_t place) {
                    float* __restrict w = p.value.data() + begin;
                    const float* __restrict gradient = p.gradient.data() + begin;
                    float* __restrict m = state_.data() + place;
                    float* __restrict v = squares + place;
                    const float keep = p.decays ? 1.0f - learning_rate * options_.weight_decay : 1.0f;
                    for (std::int64_t i = 0; i < count; ++i) {
                      const float g = gradient[i];
                      m[i] = beta1 * m[i] + (1.0f - beta1) * g;
                      v[i] = beta2 * v[i] + (1.0f - beta2) * g * g;
                      w[i] = keep * w[i] - rate * m[i] / (std::sqrt(v[i]) * correction + options_.epsilon);
                    }
                  });
  }
  std::span<float> state() override { return state_; }

 private:
  std::vector<Parameter> parameters_;
  AdamWOptions options_;
  AlignedVector<float> state_;  ///< means, means of squares, the number of steps (exact up to 2^24)
};

}  // namespace

std::unique_ptr<Optimizer> make_adamw(std::span<const Parameter> parameters, const AdamWOptions& options) {
  return std::make_unique<AdamW>(parameters, options);
}

}  // namespace linnet::train
