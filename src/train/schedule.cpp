#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace linnet::train {
namespace {

/// From `from` at share 0 to `to` at share 1 along half a cosine.
double half_cosine(double from, double to, double share) {
  return to + (from - to) * 0.5 * (1 + std::cos(std::numbers::pi * std::clamp(share, 0.0, 1.0)));
}

double share_of(double part, double whole) { return whole > 0 ? part / whole : 1.0; }

}  // namespace

float Schedule::rate(std::int64_t step) const {
  const auto at = static_cast<double>(step);
  const double top = double{base};
  if (kind == ScheduleKind::kOneCycle) {
    // The last step has the last rate, as the first has the first.
    const double end = static_cast<double>(steps) - 1;
    const double peak = std::floor(double{rise} * end);
    const double rate = at < peak ? half_cosine(top * double{first}, top, share_of(at, peak))
                                  : half_cosine(top, top * double{last}, share_of(at - peak, end - peak));
    return static_cast<float>(rate);
  }
  if (step < warm_up) return static_cast<float>(top * (at + 1) / static_cast<double>(warm_up));
  if (kind == ScheduleKind::kCosine) {
    const auto begin = static_cast<double>(warm_up);
    return static_cast<float>(
        half_cosine(top, top * double{last}, share_of(at - begin, static_cast<double>(steps) - begin)));
  }
  const std::int64_t epoch = step / std::max<std::int64_t>(1, epoch_steps);
  return static_cast<float>(top * std::pow(double{factor}, static_cast<double>(epoch / std::max(1, every))));
}

}  // namespace linnet::train
