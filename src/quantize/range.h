// From how often each value occurs to the range that int8 should cover.
#pragma once

#include <string_view>

#include "base/result.h"
#include "graph/graph.h"
#include "quantize/histogram.h"

namespace linnet::quantize {

/// How the range of an activation is chosen from what was seen of it.
enum class Method {
  kMinMax,      ///< everything that was seen
  kPercentile,  ///< without the outermost ten-thousandth on each side
  kMse,         ///< the smallest expected square of rounding and clipping
  kKl,  ///< the smallest Kullback-Leibler divergence between the values and their int8 form (Migacz, "8-bit
        ///< inference with TensorRT", 2017)
};

/// "minmax", "percentile", "mse", "kl"
std::string_view to_string(Method method);
/// Errors: no such method (kUsage).
Result<Method> parse_method(std::string_view name);

/// Real values; low <= 0 <= high.
struct Range {
  double low = 0;
  double high = 0;
};

Range choose_range(const Histogram& values, Method method);

/// The finest quantization that has all of the range, and zero, on its grid, of a scale of at least
/// `least_scale`. An empty range gives the least scale, or 1 where that is 0.
Quantization quantization_of(Range range, double least_scale = 0);

}  // namespace linnet::quantize
