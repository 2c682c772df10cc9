#include "quantize/range.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "numerics/int8.h"

namespace linnet::quantize {
namespace {

constexpr std::array<std::string_view, 4> kNames = {"minmax", "percentile", "mse", "kl"};
constexpr double kPercentile = 1e-4;  // of the values, on each side
constexpr int kLevels = 256;
constexpr int kSide = Histogram::kSide;
/// Scales stay so far inside of what a Graph may hold that ratios of two of them are harmless.
constexpr double kLeastScale = 0x1p-40, kMostScale = 0x1p40;

Range clipped(const Histogram& values) {
  const auto outside = static_cast<std::int64_t>(kPercentile * static_cast<double>(values.count()));
  const auto bins = values.bins();
  Range range{values.low(), values.high()};
  std::int64_t seen = 0;
  for (int i = 0; i < kSide; ++i) {
    seen += bins[static_cast<std::size_t>(i)];
    if (seen > outside) {
      range.low = std::max(range.low, (i - kSide) * values.width());
      break;
    }
    if (i == kSide - 1) range.low = 0;
  }
  seen = 0;
  for (int i = 2 * kSide - 1; i >= kSide; --i) {
    seen += bins[static_cast<std::size_t>(i)];
    if (seen > outside) {
      range.high = std::min(range.high, (i - kSide + 1) * values.width());
      break;
    }
    if (i == kSide) range.high = 0;
  }
  return range;
}

/// Sums over the bins beyond a threshold: what clipping there costs.
class Tail {
 public:
  /// side: +1 or -1.
  Tail(const Histogram& values, int side) : width_(values.width()) {
    for (int i = kSide - 1; i >= 0; --i) {
      const int bin = side > 0 ? kSide + i : kSide - 1 - i;
      const double x = (i + 0.5) * width_;
      const auto n = static_cast<double>(values.bins()[static_cast<std::size_t>(bin)]);
      const auto at = static_cast<std::size_t>(i);
      const auto above = at + 1;
      count_[at] = count_[above] + n;
      sum_[at] = sum_[above] + n * x;
      squares_[at] = squares_[above] + n * x * x;
    }
  }
  /// Sum of (x - threshold)^2 over all x beyond it.
  double cost(double threshold) const {
    const auto i = static_cast<std::size_t>(std::clamp(std::ceil(threshold / width_), 0.0, 1.0 * kSide));
    return squares_[i] - 2 * threshold * sum_[i] + threshold * threshold * count_[i];
  }

 private:
  double width_;
  std::array<double, kSide + 1> count_ = {}, sum_ = {}, squares_ = {};
};

/// Both ends are drawn in, in steps of a hundredth, while that lowers the expected square of the error.
/// Inside, rounding costs step^2 / 12 a value, save where a value is zero, which is always on the grid.
Range least_squares(const Histogram& values) {
  constexpr int kSteps = 100;
  const Tail below(values, -1), above(values, 1);
  const auto rounded = static_cast<double>(values.count() - values.zeros());
  const double low = values.low(), high = values.high();
  const auto cost = [&](int l, int h) {
    const double a = low * l / kSteps, b = high * h / kSteps;
    const double step = (b - a) / (kLevels - 1);
    return rounded * step * step / 12 + below.cost(-a) + above.cost(b);
  };
  int l = kSteps, h = kSteps;
  for (bool moved = true; moved;) {
    moved = false;
    const auto draw_in = [&](int& end, bool has_side) {
      int best = end;
      const auto with = [&](int value) {
        const int before = std::exchange(end, value);
        const double c = cost(l, h);
        end = before;
        return c;
      };
      double least = with(end);
      for (int candidate = 1; has_side && candidate <= kSteps; ++candidate)
        if (const double c = with(candidate); c < least) {
          least = c;
          best = candidate;
        }
      moved = moved || best != end;
      end = best;
    };
    draw_in(h, high > 0);
    draw_in(l, low < 0);
  }
  return {low * l / kSteps, high * h / kSteps};
}

/// KL divergence between the magnitudes below `bins` bins, the rest put into the last one, and the same in
/// `levels` levels.
double divergence(const std::vector<double>& magnitudes, int bins, int levels) {
  std::vector<double> p(magnitudes.begin(), magnitudes.begin() + bins);
  std::vector<double> q(p.size(), 0.0);
  double total = 0, kept = 0;
  for (const double n : magnitudes) total += n;
  for (int level = 0; level < levels; ++level) {
    const auto begin = static_cast<std::size_t>(std::int64_t{bins} * level / levels);
    const auto end = static_cast<std::size_t>(std::int64_t{bins} * (level + 1) / levels);
    double sum = 0, occupied = 0;
    for (std::size_t i = begin; i < end; ++i) {
      sum += p[i];
      occupied += p[i] > 0;
    }
    for (std::size_t i = begin; i < end; ++i)
      if (p[i] > 0) q[i] = sum / occupied;
    kept += sum;
  }
  if (kept == 0) return std::numeric_limits<double>::infinity();
  p.back() += total - kept;
  constexpr double kNothing = 1e-10;  // what a level without a value is taken to hold
  double kl = 0;
  for (std::size_t i = 0; i < p.size(); ++i)
    if (p[i] > 0) kl += p[i] / total * std::log((p[i] / total) / std::max(q[i] / kept, kNothing));
  return kl;
}

Range least_divergence(const Histogram& values) {
  std::vector<double> magnitudes(kSide, 0.0);
  for (int i = 0; i < kSide; ++i)
    magnitudes[static_cast<std::size_t>(i)] =
        static_cast<double>(values.bins()[static_cast<std::size_t>(kSide + i)] +
                            values.bins()[static_cast<std::size_t>(kSide - 1 - i)]);
  // Zero is represented exactly and would drown the rest. (As TensorRT does, the first bin is left out.)
  magnitudes.front() = 0;
  int used = kSide;
  while (used > 1 && magnitudes[static_cast<std::size_t>(used - 1)] == 0) --used;
  const int levels = values.low() < 0 && values.high() > 0 ? kLevels / 2 : kLevels;
  int best = used;
  double least = std::numeric_limits<double>::infinity();
  for (int bins = levels; bins <= used; bins += 8)
    if (const double kl = divergence(magnitudes, bins, levels); kl < least) {
      least = kl;
      best = bins;
    }
  const double threshold = best * values.width();
  return {std::max<double>(values.low(), -threshold), std::min<double>(values.high(), threshold)};
}

}  // namespace

std::string_view to_string(Method method) { return kNames[static_cast<std::size_t>(method)]; }

Result<Method> parse_method(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<Method>(i);
  return usage("{}: is no way to choose ranges; there are minmax, percentile, mse and kl", name);
}

Range choose_range(const Histogram& values, Method method) {
  if (values.high() == values.low()) return {0, 0};
  switch (method) {
    case Method::kMinMax: break;
    case Method::kPercentile: return clipped(values);
    case Method::kMse: return least_squares(values);
    case Method::kKl: return least_divergence(values);
  }
  return {values.low(), values.high()};
}

Quantization quantization_of(Range range, double least_scale) {
  double low = std::min(range.low, 0.0), high = std::max(range.high, 0.0);
  double least = std::max(least_scale, kLeastScale);
  if (low == high && least_scale <= 0) least = 1;
  // What is wanting is added on the side that has values, above where there are none.
  if (const double wanting = least * (kLevels - 1) - (high - low); wanting > 0)
    (high == 0 && low < 0 ? low : high) += high == 0 && low < 0 ? -wanting : wanting;
  // The zero point is a whole number, so the scale grows until both ends are on the grid; of the two whole
  // numbers beside the ideal one that which needs less.
  constexpr double kLow = LINNET_INT8_MIN, kHigh = LINNET_INT8_MAX;
  double scale = std::numeric_limits<double>::infinity(), zero = 0;
  const double ideal = std::floor(kLow - low * (kLevels - 1) / (high - low));
  for (const double candidate : {ideal, ideal + 1}) {
    const double z = std::clamp(candidate, kLow + (low < 0 ? 1 : 0), kHigh - (high > 0 ? 1 : 0));
    const double needed = std::max(low < 0 ? -low / (z - kLow) : 0.0, high > 0 ? high / (kHigh - z) : 0.0);
    if (needed < scale) {
      scale = needed;
      zero = z;
    }
  }
  return {static_cast<float>(std::min(scale, kMostScale)), static_cast<int>(zero)};
}

}  // namespace linnet::quantize
