// Pictures as SVG text that stands inside a page (html.h), whose colours they use.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace linnet::report {

/// The page's colours.
enum class Colour { kOne, kTwo, kBand, kBandTwo, kLine, kText, kQuiet };

/// Coordinates are pixels from the top left corner; the picture scales with its place on the page.
class Svg {
 public:
  enum class Size { kNatural, kWide };  ///< kWide: as wide as the page
  /// `what` says what the picture shows, to those who cannot see it.
  Svg(double width, double height, std::string_view what, Size size = Size::kNatural);

  /// `tip`, where given, is shown when the pointer rests on it.
  void rect(double x, double y, double width, double height, Colour fill, std::string_view tip = {},
            double opacity = 1);
  void line(double x1, double y1, double x2, double y2, Colour stroke, double width = 1, bool dashed = false);
  /// From point to point {x, y}.
  void curve(std::span<const std::pair<double, double>> points, Colour stroke, double width = 2);
  void circle(double x, double y, double radius, Colour fill, std::string_view tip = {});
  enum class Anchor { kStart, kMiddle, kEnd };
  /// `degrees` clockwise around x, y.
  void text(double x, double y, std::string_view text, Anchor anchor = Anchor::kStart, double degrees = 0,
            Colour colour = Colour::kQuiet);

  std::string str() const { return head_ + body_ + "</svg>\n"; }
  /// The same as a file of its own: on white, in the light colours, which it holds itself.
  std::string file() const;

 private:
  double width_;
  double height_;
  std::string head_;
  std::string body_;
};

/// From values to pixels.
struct Axis {
  double low = 0, high = 1;   ///< values
  double start = 0, end = 1;  ///< where they lie
  double operator()(double value) const {
    return high == low ? start : start + (value - low) / (high - low) * (end - start);
  }
};

/// Round values at equal distances, about `count` of them, from the first at or above `low` to the last at or
/// below `high`: what an axis is labelled with.
std::vector<double> ticks(double low, double high, int count);

}  // namespace linnet::report
