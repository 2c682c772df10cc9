// Weights of a network that nobody has trained: random, the same on every machine, and of a scale that keeps
// the signal alive through every layer.
#include <cmath>

#include "base/random.h"
#include "graph/families/architectures.h"

namespace linnet::families {
namespace {

/// How many values each output sums.
double fan_in(const std::vector<int>& dims) {
  if (dims.size() == 3) return double(dims[0]) * dims[1];                       // depthwise [R, S, C]
  return dims.size() == 4 ? double(dims[1]) * dims[2] * dims[3] : dims.back();  // [K, R, S, C], [K, C]
}

/// 1 / E[activation(x)^2] for a standard normal x: what the activation takes, the weights give.
double gain(Activation activation) {
  switch (activation) {
    case Activation::kRelu:
    case Activation::kRelu6: return 2.0;
    case Activation::kHardSwish: return 2.8;
    case Activation::kNone:
    case Activation::kHardSigmoid: return 1.0;
  }
  return 1.0;
}

/// A residual sum grows by this share of its variance a block, where it would double.
constexpr double kResidualGain = 0.25;

std::pair<float, float> range(const WeightRequest& request) {
  switch (request.role) {
    case WeightRequest::Role::kWeight: {
      const double variance = gain(request.follows) * (request.residual ? kResidualGain : 1.0);
      const auto bound = static_cast<float>(std::sqrt(3.0 * variance / fan_in(request.dims)));
      return {-bound, bound};
    }
    case WeightRequest::Role::kBias:
      // A gate that is half closed at every block would put the signal out: these are mostly open.
      if (request.follows == Activation::kHardSigmoid) return {1.0f, 3.0f};
      return {-0.1f, 0.1f};
    case WeightRequest::Role::kScale: return {0.75f, 1.25f};
    case WeightRequest::Role::kOffset: return {-0.25f, 0.25f};
    case WeightRequest::Role::kMean: return {-0.25f, 0.25f};
    case WeightRequest::Role::kVariance: return {0.75f, 1.25f};
  }
  return {0.0f, 0.0f};
}

}  // namespace

WeightSource untrained(std::uint64_t seed) {
  return [random = Random(seed)](const WeightRequest& request) mutable -> Result<Constant> {
    std::size_t size = 1;
    for (const int d : request.dims) size *= static_cast<std::size_t>(d);
    AlignedVector<float> values(size);
    const auto [low, high] = range(request);
    for (float& v : values) v = random.uniform(low, high);
    return Constant(request.dims, std::move(values));
  };
}

}  // namespace linnet::families
