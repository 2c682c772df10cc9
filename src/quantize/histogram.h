// How often each value occurs, in memory that does not grow.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace linnet::quantize {

/// Counts of finite values in bins whose width is a power of two, the same number on each side of zero. A
/// value that lies outside doubles the width and joins the bins in pairs, so nothing need be known beforehand
/// and histograms of parts merge into that of the whole.
class Histogram {
 public:
  static constexpr int kSide = 2048;  ///< bins on each side of zero

  /// The values must be finite; nothing happens where one is not, and false is returned.
  bool add(std::span<const float> values);
  void merge(const Histogram& other);

  std::int64_t count() const { return count_; }
  std::int64_t zeros() const { return zeros_; }  ///< of count(), those that are exactly zero
  float low() const { return low_; }             ///< the smallest value, or 0 where that is smaller
  float high() const { return high_; }           ///< the largest value, or 0 where that is larger
  double width() const { return width_; }        ///< of a bin
  /// Bin i holds the values in [(i - kSide) * width, (i - kSide + 1) * width), zeros included.
  std::span<const std::int64_t> bins() const { return bins_; }
  /// The middle of bin i.
  double middle(int i) const { return (i - kSide + 0.5) * width_; }

 private:
  void grow_to(double width);

  std::array<std::int64_t, 2 * kSide> bins_ = {};
  double width_ = 0x1p-120;
  std::int64_t count_ = 0;
  std::int64_t zeros_ = 0;
  float low_ = 0;
  float high_ = 0;
};

}  // namespace linnet::quantize
