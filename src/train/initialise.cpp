#include "train/initialise.h"

#include <cmath>
#include <numbers>

#include "train/constants.h"

namespace linnet::train {
namespace {

/// A standard normal number (Box and Muller, 1958).
double normal(Random& random) {
  const double radius = std::sqrt(-2 * std::log(1.0 - double{random.unit()}));
  return radius * std::cos(2 * std::numbers::pi * double{random.unit()});
}

struct Fans {
  double in;   ///< inputs that an output sums
  double out;  ///< outputs that an input reaches at stride 1
};

Fans fans_of(const Op& op, const std::vector<int>& dims) {
  if (std::holds_alternative<Depthwise>(op)) {
    const double taps = double(dims[0]) * dims[1];
    return {taps, taps};
  }
  const double taps = dims.size() == 4 ? double(dims[1]) * dims[2] : 1.0;
  return {taps * dims.back(), taps * dims.front()};
}

Constant random_weight(const Op& op, const Constant& like, Initialisation how, Random& random) {
  const Fans fans = fans_of(op, like.dims());
  const bool linear = std::holds_alternative<Linear>(op);
  const auto* convolution = std::get_if<Convolution>(&op);
  const bool pointwise = convolution && convolution->window.kernel_h * convolution->window.kernel_w == 1;
  AlignedVector<float> values(like.size());
  for (float& value : values) {
    if (how == Initialisation::kHeXavier && (linear || pointwise)) {
      const auto bound = static_cast<float>(std::sqrt(6.0 / (fans.in + fans.out)));
      value = random.uniform(-bound, bound);
      continue;
    }
    const double fan = how == Initialisation::kHeXavier ? fans.in : fans.out;
    value = static_cast<float>(normal(random) * (linear ? 0.01 : std::sqrt(2.0 / fan)));
  }
  return Constant(like.dims(), std::move(values));
}

Constant filled(const Constant& like, float value) {
  return Constant(like.dims(), AlignedVector<float>(like.size(), value));
}

}  // namespace

std::string_view to_string(Initialisation how) {
  switch (how) {
    case Initialisation::kHeFanOut: return "he";
    case Initialisation::kHeXavier: return "he-xavier";
  }
  return "";
}

Result<Initialisation> parse_initialisation(std::string_view name) {
  for (const auto how : {Initialisation::kHeFanOut, Initialisation::kHeXavier})
    if (name == to_string(how)) return how;
  return usage("--initialisation takes he or he-xavier, not \"{}\"", name);
}

void initialise(Node& node, Initialisation how, Random& random) {
  for_each_constant(node.op, [&](Constant& constant, Role role, const char*) {
    switch (role) {
      case Role::kWeight: constant = random_weight(node.op, constant, how, random); break;
      case Role::kScale:
      case Role::kVariance: constant = filled(constant, 1.0f); break;
      case Role::kBias:
      case Role::kOffset:
      case Role::kMean: constant = filled(constant, 0.0f); break;
    }
  });
}

Graph initialise(Graph graph, Initialisation how, std::uint64_t seed) {
  Random random(seed);
  for (Node& node : graph.nodes) initialise(node, how, random);
  return graph;
}

}  // namespace linnet::train
