// Progressive resizing: smaller pictures at first, in which a network learns what is coarse for a fraction of
// the multiply-adds. (Tan and Le, "EfficientNetV2", 2021, section 4)
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/augment.h"

namespace linnet::train {

/// Until `until` of the epochs, a share in (0, 1), are over, pictures of `edge` pixels.
struct SmallPictures {
  int edge;
  double until;
  bool operator==(const SmallPictures&) const = default;
};
/// In the order of a run; behind the last come pictures of the model's own size.
using Progressive = std::vector<SmallPictures>;

/// "20:0.4,26:0.7". Errors (kUsage): another form; as check().
Result<Progressive> parse_progressive(std::string_view text);
std::string to_string(const Progressive& sizes);
/// Errors (kUsage): edges and shares that do not grow, or shares outside (0, 1).
Result<void> check(const Progressive& sizes);

/// The pictures' edge in epoch `epoch`, counted from 0; in the last epoch `full`, the model's own.
int edge_in(const Progressive& sizes, int epoch, int epochs, int full);

/// Distances in pixels for pictures that are `scale` as large, rounded.
data::Augmentation scaled(data::Augmentation augmentation, double scale);

}  // namespace linnet::train
