// Mixup (Zhang et al., "mixup: beyond empirical risk minimization", 2018): a batch blended with itself.
#pragma once

#include <span>

#include "base/random.h"

namespace linnet::data {

/// The blend of one batch, drawn from Beta(alpha, alpha); alpha > 0.
float draw_mixup(double alpha, Random random);

/// Whom image i of n is blended with: its neighbour, which in a shuffled batch is as random as any, and is in
/// the same slice of the batch (BatchOptions::part). The last of an odd number is alone.
constexpr int mixup_partner(int i, int n) { return (i ^ 1) < n ? i ^ 1 : i; }

/// Image i becomes lambda * image i + (1 - lambda) * its partner, in place. Its target is the same blend of
/// the two classes. `pixels` holds n images of equal size.
void mix(std::span<float> pixels, int n, float lambda);

}  // namespace linnet::data
