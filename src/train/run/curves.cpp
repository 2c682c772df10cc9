#include "train/run/curves.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include <fmt/core.h>

#include "report/svg.h"

namespace linnet::train {
namespace {

using report::Axis;
using report::Colour;
using report::Svg;
using Anchor = Svg::Anchor;
using Points = std::vector<std::pair<double, double>>;

constexpr double kWidth = 460, kLeft = 46, kRight = 448, kTop = 34;

struct Curve {
  std::string name;
  Colour colour;
  Points points;  ///< {epoch, value}
};

struct Chart {
  std::string what;  ///< with its unit
  double height = 260;
  std::vector<Curve> curves;
  double low = 0;
  double high = 1;
  std::function<std::string(double)> label;  ///< of a value
};

void draw_grid(Svg& svg, const Chart& chart, const Axis& x, const Axis& y) {
  svg.text(8, 16, chart.what);
  for (const double value : report::ticks(chart.low, chart.high, chart.height > 200 ? 5 : 3)) {
    svg.line(kLeft, y(value), kRight, y(value), Colour::kLine);
    svg.text(kLeft - 6, y(value) + 4, chart.label(value), Anchor::kEnd);
  }
  for (const double epoch : report::ticks(x.low, x.high, 6))
    if (epoch == std::floor(epoch))
      svg.text(x(epoch), y.start + 16, fmt::format("{:.0f}", epoch), Anchor::kMiddle);
  svg.text(kRight, y.start + 30, "epoch", Anchor::kEnd);
}

std::string draw(const Chart& chart) {
  double first = INFINITY, last = -INFINITY;
  for (const Curve& curve : chart.curves)
    for (const auto& [epoch, value] : curve.points) {
      first = std::min(first, epoch);
      last = std::max(last, epoch);
    }
  const Axis x{first, last, kLeft + 8, kRight - 8};
  const Axis y{chart.low, chart.high, chart.height - 38, kTop};
  Svg svg(kWidth, chart.height, chart.what + " over the epochs");
  draw_grid(svg, chart, x, y);
  double legend = kRight;
  for (auto curve = chart.curves.rbegin(); curve != chart.curves.rend(); ++curve) {
    Points places;
    for (const auto& [epoch, value] : curve->points)
      places.emplace_back(x(epoch), y(std::clamp(value, chart.low, chart.high)));
    svg.curve(places, curve->colour);
    // A dot an epoch while there is room for it; the last one always.
    constexpr std::size_t kRoom = 60;
    for (std::size_t i = 0; i < places.size(); ++i) {
      if (places.size() > kRoom && i + 1 < places.size()) continue;
      const auto& [epoch, value] = curve->points[i];
      svg.circle(places[i].first, places[i].second, i + 1 < places.size() ? 2.5 : 4, curve->colour,
                 fmt::format("epoch {:.0f}: {} {}", epoch, chart.label(value), curve->name));
    }
    if (curve->name.empty()) continue;
    const std::string text =
        fmt::format("{}, {} at the end", curve->name, chart.label(curve->points.back().second));
    svg.text(legend, 16, text, Anchor::kEnd);
    legend -= 5.4 * static_cast<double>(text.size()) + 6;  // as wide as 11 pixels of a usual font are
    svg.line(legend - 14, 12, legend - 2, 12, curve->colour, 3);
    legend -= 26;
  }
  return svg.str();
}

template <class Value>
Points points_of(const std::vector<EpochRecord>& history, Value value) {
  Points points;
  for (const EpochRecord& record : history)
    if (const std::optional<double> v = value(record); v && std::isfinite(*v))
      points.emplace_back(static_cast<double>(record.epoch), *v);
  return points;
}

/// The curve of the training pictures and that of those held out, where there are any.
std::vector<Curve> two_curves(Points training, Points held_out) {
  std::vector<Curve> curves;
  if (!training.empty()) curves.push_back({"training", Colour::kOne, std::move(training)});
  if (!held_out.empty()) curves.push_back({"held out", Colour::kTwo, std::move(held_out)});
  return curves;
}

std::pair<double, double> range_of(const std::vector<Curve>& curves) {
  double low = INFINITY, high = -INFINITY;
  for (const Curve& curve : curves)
    for (const auto& [epoch, value] : curve.points) {
      low = std::min(low, value);
      high = std::max(high, value);
    }
  return {low, high};
}

/// The next round number above.
double round_up(double value) {
  if (!(value > 0)) return 1;
  const double power = std::pow(10.0, std::floor(std::log10(value)));
  for (const double step : {1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0})
    if (step * power >= value) return step * power;
  return 10 * power;
}

std::string one_from_zero(std::string what, Points points, const char* format) {
  std::vector<Curve> curves = {{"", Colour::kOne, std::move(points)}};
  const double high = round_up(range_of(curves).second);
  return draw({.what = std::move(what),
               .height = 170,
               .curves = std::move(curves),
               .low = 0,
               .high = high,
               .label = [format](double v) { return fmt::format(fmt::runtime(format), v); }});
}

}  // namespace

std::string loss_picture(const std::vector<EpochRecord>& history) {
  std::vector<Curve> curves =
      two_curves(points_of(history, [](const EpochRecord& r) { return std::optional(r.loss); }),
                 points_of(history, [](const EpochRecord& r) { return r.validation_loss; }));
  const double high = round_up(range_of(curves).second);
  return draw(
      {.what = "loss, nats", .curves = std::move(curves), .low = 0, .high = high, .label = [](double v) {
         return fmt::format("{:.3g}", v);
       }});
}

std::string accuracy_picture(const std::vector<EpochRecord>& history) {
  const auto percent = [](std::optional<double> share) {
    return share ? std::optional(100 * *share) : std::nullopt;
  };
  std::vector<Curve> curves =
      two_curves(points_of(history, [&](const EpochRecord& r) { return percent(r.top1); }),
                 points_of(history, [&](const EpochRecord& r) { return percent(r.validation_top1); }));
  const auto [low, high] = range_of(curves);
  const double floor = std::min(std::floor(low / 10) * 10, 90.0);
  return draw({.what = "top-1, %",
               .curves = std::move(curves),
               .low = floor,
               .high = std::max(std::ceil(high / 10) * 10, floor + 10),
               .label = [](double v) { return fmt::format("{:.4g}", v); }});
}

std::string rate_picture(const std::vector<EpochRecord>& history) {
  return one_from_zero(
      "learning rate, at each epoch's end",
      points_of(history, [](const EpochRecord& r) { return std::optional(double{r.learning_rate}); }),
      "{:.3g}");
}

std::string speed_picture(const std::vector<EpochRecord>& history) {
  return one_from_zero(
      "images a second, while training",
      points_of(history, [](const EpochRecord& r) { return std::optional(r.images_per_second); }), "{:.4g}");
}

}  // namespace linnet::train
