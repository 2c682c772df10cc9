// Gradient clipping by norm (Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural
// networks", 2013).
#include <cmath>

#include "train/optimizer.h"

namespace linnet::train {

double gradient_norm(std::span<const Parameter> parameters) {
  double sum = 0;
  for (const Parameter& p : parameters)
    for (const float g : p.gradient) sum += double{g} * double{g};
  return std::sqrt(sum);
}

double clip_gradients(std::span<const Parameter> parameters, double norm) {
  const double was = gradient_norm(parameters);
  // Not a number is not above any norm; the caller sees it in what is returned.
  if (was > norm) {
    const auto scale = static_cast<float>(norm / was);
    for (const Parameter& p : parameters)
      for (float& g : p.gradient) g *= scale;
  }
  return was;
}

}  // namespace linnet::train
