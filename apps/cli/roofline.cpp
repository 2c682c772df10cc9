#include "roofline.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include <fmt/core.h>

#include "report/svg.h"

namespace linnet::cli {
namespace {

using report::Axis;
using report::Colour;
using report::Svg;

constexpr double kWidth = 1120;
constexpr double kHeight = 720;

struct Box {
  double x, y, width, height;
  bool meets(const Box& o) const {
    return x < o.x + o.width && o.x < x + width && y < o.y + o.height && o.y < y + height;
  }
};

struct Dot {
  const cpu::LayerTime* layer;
  double x, y;
};

/// Finds places for labels where nothing else stands.
class Labels {
 public:
  explicit Labels(Box frame) : frame_(frame) {}
  void taken(Box box) { boxes_.push_back(box); }
  /// The left end of the text's baseline near (x, y), or nothing where all places are taken.
  std::optional<std::pair<double, double>> place(double x, double y, std::string_view text) {
    constexpr double kLine = 12;
    const double width = 6.3 * static_cast<double>(text.size());
    for (const double away : {0.0, 12.0, 24.0, 40.0, 60.0}) {
      for (const auto& [dx, dy] : {std::pair{7 + away, 4.0},
                                   {-7 - away - width, 4.0},
                                   {-width / 2, -8 - away},
                                   {-width / 2, 16 + away},
                                   {7 + away, -8 - away},
                                   {7 + away, 14 + away},
                                   {-7 - away - width, -8 - away},
                                   {-7 - away - width, 14 + away}}) {
        const Box box = {x + dx, y + dy - kLine + 3, width, kLine};
        const bool inside = box.x >= frame_.x && box.y >= frame_.y &&
                            box.x + box.width <= frame_.x + frame_.width &&
                            box.y + box.height <= frame_.y + frame_.height;
        if (!inside || std::ranges::any_of(boxes_, [&](const Box& other) { return box.meets(other); }))
          continue;
        boxes_.push_back(box);
        return std::pair{x + dx, y + dy};
      }
    }
    return {};
  }

 private:
  Box frame_;
  std::vector<Box> boxes_;
};

double gmacs(const cpu::LayerTime& layer) {
  return 1e-3 * static_cast<double>(layer.macs) / layer.microseconds;
}
double intensity(const cpu::LayerTime& layer) {
  return static_cast<double>(layer.macs) / static_cast<double>(layer.bytes);
}

/// 10^n, 2 * 10^n and 5 * 10^n within a logarithmic axis.
std::vector<double> ticks(const Axis& axis) {
  std::vector<double> result;
  for (int power = static_cast<int>(std::floor(axis.low)); power <= static_cast<int>(std::ceil(axis.high));
       ++power)
    for (const double digit : {1.0, 2.0, 5.0})
      if (const double log = power + std::log10(digit); log >= axis.low && log <= axis.high)
        result.push_back(std::pow(10, log));
  return result;
}

}  // namespace

std::string draw_roofline(const cpu::Ceiling& c, const cpu::BenchResult& result, const std::string& precision,
                          const std::string& model) {
  const double roof = precision == "int8" && c.int8_gmacs > 0   ? c.int8_gmacs
                      : precision == "bf16" && c.bf16_gmacs > 0 ? c.bf16_gmacs
                                                                : c.float32_gmacs;
  std::vector<const cpu::LayerTime*> layers;
  for (const cpu::LayerTime& layer : result.layers)
    if (layer.macs > 0 && layer.microseconds > 0) layers.push_back(&layer);

  // Logarithmic axes that hold every dot, the roof and where it meets the memory's line.
  const Box frame = {70, 60, kWidth - 90, kHeight - 120};
  double least = 1, most = 2 * roof / std::max(c.memory_gb_s, 1e-3), lowest = roof / 10;
  for (const cpu::LayerTime* layer : layers) {
    least = std::min(least, intensity(*layer));
    most = std::max(most, intensity(*layer));
    lowest = std::min(lowest, gmacs(*layer));
  }
  const Axis across{std::log10(0.8 * least), std::log10(1.25 * most), frame.x, frame.x + frame.width};
  const Axis up{std::log10(0.7 * lowest), std::log10(1.6 * roof), frame.y + frame.height, frame.y};
  const auto x = [&](double value) { return across(std::log10(value)); };
  const auto y = [&](double value) { return up(std::log10(value)); };

  Svg svg(kWidth, kHeight, "roofline of " + model, Svg::Size::kWide);
  svg.text(frame.x, 24,
           fmt::format("{} in {}, {} thread{}: {:.3f} ms, {:.1f} GMAC/s, {:.1f} % of the ceiling", model,
                       precision, c.threads, c.threads == 1 ? "" : "s", result.median_ms,
                       result.gmacs_per_second, 100 * result.share_of_ceiling));
  svg.circle(frame.x + 4, 40, 4, Colour::kOne);
  svg.text(frame.x + 12, 44, "convolution, linear");
  svg.circle(frame.x + 144, 40, 4, Colour::kTwo);
  svg.text(frame.x + 152, 44, "depthwise");
  svg.text(frame.x + frame.width, 44, "up: 10^9 multiply-adds a second", Svg::Anchor::kEnd);
  for (const double tick : ticks(across)) {
    svg.line(x(tick), frame.y, x(tick), frame.y + frame.height, Colour::kLine, 0.5);
    svg.text(x(tick), frame.y + frame.height + 16, fmt::format("{:.3g}", tick), Svg::Anchor::kMiddle);
  }
  for (const double tick : ticks(up)) {
    svg.line(frame.x, y(tick), frame.x + frame.width, y(tick), Colour::kLine, 0.5);
    svg.text(frame.x - 8, y(tick) + 4, fmt::format("{:.3g}", tick), Svg::Anchor::kEnd);
  }
  svg.text(frame.x + frame.width / 2, kHeight - 16, "multiply-adds a byte of input, output and weights",
           Svg::Anchor::kMiddle);

  Labels labels(frame);
  const auto named = [&](double left, double baseline, const std::string& text) {
    svg.text(left, baseline, text);
    labels.taken({left, baseline - 10, 6.3 * static_cast<double>(text.size()), 13});
  };
  // GB/s times multiply-adds a byte are GMAC/s. Every line ends at the roof.
  double left_end = frame.x + frame.width;
  for (const auto& [name, rate] :
       {std::pair{"L1", c.l1_gb_s}, {"L2", c.l2_gb_s}, {"L3", c.l3_gb_s}, {"memory", c.memory_gb_s}}) {
    if (rate <= 0) continue;
    const double from = std::max(std::pow(10, across.low), std::pow(10, up.low) / rate);
    const double to = std::min(std::pow(10, across.high), roof / rate);
    if (from >= to) continue;
    svg.line(x(from), y(from * rate), x(to), y(to * rate), Colour::kText, 1.5);
    left_end = std::min(left_end, x(to));
    const double at = std::pow(10, 0.8 * std::log10(from) + 0.2 * std::log10(to));
    named(x(at) + 6, y(at * rate) + 14, fmt::format("{} {:.0f} GB/s", name, rate));
  }
  svg.line(left_end, y(roof), frame.x + frame.width, y(roof), Colour::kText, 1.5);
  labels.taken({left_end, y(roof) - 3, frame.x + frame.width - left_end, 6});
  named(frame.x + frame.width - 190, y(roof) - 6, fmt::format("{} {:.1f} GMAC/s", precision, roof));

  std::vector<Dot> dots;
  for (const cpu::LayerTime* layer : layers) dots.push_back({layer, x(intensity(*layer)), y(gmacs(*layer))});
  for (const Dot& dot : dots) labels.taken({dot.x - 4, dot.y - 4, 8, 8});
  // What takes most of the time gets its label first.
  std::ranges::sort(dots, std::greater{}, [](const Dot& dot) { return dot.layer->microseconds; });
  for (const Dot& dot : dots) {
    const cpu::LayerTime& layer = *dot.layer;
    svg.circle(
        dot.x, dot.y, 4, layer.op == "depthwise" ? Colour::kTwo : Colour::kOne,
        fmt::format("{}: {:.1f} µs, {:.1f} GMAC/s, {:.1f} multiply-adds a byte, {:.0f} % of the ceiling",
                    layer.name, layer.microseconds, gmacs(layer), intensity(layer),
                    100 * layer.share_of_ceiling));
    const auto place = labels.place(dot.x, dot.y, layer.name);
    if (!place) continue;
    const double width = 6.3 * static_cast<double>(layer.name.size());
    const double nearest = std::clamp(dot.x, place->first, place->first + width);
    if (std::hypot(nearest - dot.x, place->second - 4 - dot.y) > 14)
      svg.line(dot.x, dot.y, nearest, place->second - 4, Colour::kLine, 0.7);
    svg.text(place->first, place->second, layer.name);
  }
  return svg.file();
}

}  // namespace linnet::cli
