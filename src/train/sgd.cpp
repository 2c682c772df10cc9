// Stochastic gradient descent with momentum.
#include "train/parameter_parts.h"

namespace linnet::train {
namespace {

class Sgd final : public Optimizer {
 public:
  Sgd(std::span<const Parameter> parameters, const SgdOptions& options)
      : parameters_(parameters.begin(), parameters.end()),
        options_(options),
        velocity_(count_values(parameters)) {}

  void step(float learning_rate, ThreadPool& pool) override {
    const float momentum = options_.momentum;
    for_each_part(parameters_, pool,
                  [&](const Parameter& p, std::int64_t begin, std::int64_t count, std::int64_t place) {
                    float* __restrict w = p.value.data() + begin;
                    const float* __restrict gradient = p.gradient.data() + begin;
                    float* __restrict velocity = velocity_.data() + place;
                    const float decay = p.decays ? options_.weight_decay : 0.0f;
                    // The step is d * own + velocity * carried.
                    const float own = options_.nesterov ? learning_rate : 0.0f;
                    const float carried = options_.nesterov ? learning_rate * momentum : learning_rate;
                    for (std::int64_t i = 0; i < count; ++i) {
                      const float d = gradient[i] + decay * w[i];
                      velocity[i] = momentum * velocity[i] + d;
                      w[i] -= own * d + carried * velocity[i];
                    }
                  });
  }
  std::span<float> state() override { return velocity_; }

 private:
  std::vector<Parameter> parameters_;
  SgdOptions options_;
  AlignedVector<float> velocity_;
};

}  // namespace

std::unique_ptr<Optimizer> make_sgd(std::span<const Parameter> parameters, const SgdOptions& options) {
  return std::make_unique<Sgd>(parameters, options);
}

}  // namespace linnet::train
