// Mixup (Zhang et al., "mixup: beyond empirical risk minimization", 2018): a batch blended with itself.
#pragma once

#include <span>

#include "base/random.h"

namespace linnet::data {

/// The blend of one batch, drawn from Beta(alpha, alpha); alpha > 0.
float draw_mixup(double alpha, Random random);

/// Image i becomes lambda * image i + (1 - lambda) * image n - 1 - i, in place: in a shuffled batch a pairing
/// as random as any. Its target is the same blend of the two classes. `pixels` holds n images of equal size.
void mix(std::span<float> pixels, int n, float lambda);

}  // namespace linnet::data
