#include "quantize/page.h"

#include <algorithm>
#include <cmath>

#include "graph/quantized.h"
#include "report/html.h"
#include "report/svg.h"

namespace linnet::quantize {
namespace {

using report::Axis;
using report::Colour;
using report::Svg;
using Anchor = Svg::Anchor;

std::string decibel_text(double value) {
  return std::isinf(value) ? (value > 0 ? "no error" : "no signal") : fmt::format("{:.1f} dB", value);
}

std::string size_text(std::int64_t bytes) {
  return bytes < 1000000 ? fmt::format("{:.0f} kB", static_cast<double>(bytes) / 1e3)
                         : fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

/// The real values that a quantization has.
Range grid(const Quantization& q) {
  return {(-128 - q.zero_point) * double{q.scale}, (127 - q.zero_point) * double{q.scale}};
}

/// Dots along the network, the worst five named.
std::string decibels_picture(const Quantized& quantized, const std::vector<double>& decibels) {
  constexpr double kWidth = 1000, kHeight = 280, kLeft = 40, kBottom = 250, kTop = 20;
  const std::vector<NodeId>& layers = quantized.layers;
  const auto of = [&](std::size_t i) { return decibels[static_cast<std::size_t>(layers[i])]; };
  double highest = 30;
  std::vector<std::size_t> worst;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (std::isfinite(of(i))) highest = std::max(highest, of(i));
    worst.push_back(i);
  }
  std::ranges::stable_sort(worst, {}, of);
  worst.resize(std::min<std::size_t>(worst.size(), 5));
  const Axis x{0, std::max(1.0, static_cast<double>(layers.size()) - 1), kLeft + 10, kWidth - 15};
  const Axis y{0, std::ceil(highest / 10) * 10, kBottom, kTop};
  Svg svg(kWidth, kHeight, "signal-to-noise ratio of each layer in decibels", Svg::Size::kWide);
  for (double db = 0; db <= y.high; db += 10) {
    svg.line(kLeft, y(db), kWidth - 5, y(db), Colour::kLine);
    svg.text(kLeft - 6, y(db) + 4, fmt::format("{:.0f}", db), Anchor::kEnd);
  }
  svg.text(4, 12, "dB");
  svg.text(kLeft, kHeight - 10, "input");
  svg.text(kWidth - 5, kHeight - 10, "scores", Anchor::kEnd);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const bool bad = std::ranges::find(worst, i) != worst.end();
    const double shown = std::clamp(of(i), 0.0, y.high);
    svg.circle(x(static_cast<double>(i)), y(shown), bad ? 5 : 3.5, bad ? Colour::kTwo : Colour::kOne,
               quantized.graph[layers[i]].name + ": " + decibel_text(of(i)));
  }
  return svg.str();
}

/// Share of the values that lie beyond the grid, by bins of which no part is on it.
double clipped_share(const Histogram& values, const Range& range) {
  std::int64_t outside = 0;
  for (int i = 0; i < 2 * Histogram::kSide; ++i)
    if (const double edge = (i - Histogram::kSide) * values.width();
        edge + values.width() < range.low || edge > range.high)
      outside += values.bins()[static_cast<std::size_t>(i)];
  return values.count() ? static_cast<double>(outside) / static_cast<double>(values.count()) : 0;
}

/// How often each value was seen (the height is the logarithm), on the band that int8 covers.
std::string values_picture(const Histogram& values, const Range& range, bool clips_by_activation) {
  constexpr double kWidth = 460, kHeight = 130, kTop = 18, kBottom = 108;
  constexpr std::size_t kBars = 120;
  const Axis x{std::min<double>(values.low(), range.low), std::max<double>(values.high(), range.high), 8,
               kWidth - 8};
  std::vector<double> bars(kBars, 0.0);
  for (int i = 0; i < 2 * Histogram::kSide; ++i)
    if (const std::int64_t n = values.bins()[static_cast<std::size_t>(i)]; n > 0) {
      const double at = (std::clamp(values.middle(i), x.low, x.high) - x.low) / (x.high - x.low) * kBars;
      bars[std::min(static_cast<std::size_t>(at), kBars - 1)] += static_cast<double>(n);
    }
  const double most = std::log1p(std::ranges::max(bars));
  Svg svg(kWidth, kHeight, "how often each value was seen, and the range of int8");
  svg.rect(x(range.low), kTop, x(range.high) - x(range.low), kBottom - kTop, Colour::kBand);
  const double step = (x.end - x.start) / kBars;
  for (std::size_t i = 0; i < kBars; ++i)
    if (bars[i] > 0) {
      const double height = std::max(1.0, (kBottom - kTop) * std::log1p(bars[i]) / most);
      svg.rect(x.start + step * static_cast<double>(i), kBottom - height, step * 0.85, height, Colour::kOne);
    }
  svg.line(x.start, kBottom, x.end, kBottom, Colour::kLine);
  for (const double end : {range.low, range.high})
    svg.line(x(end), kTop, x(end), kBottom, Colour::kTwo, 1.5, true);
  svg.line(x(0), kBottom, x(0), kBottom + 4, Colour::kText);
  svg.text(8, 12,
           clips_by_activation
               ? "values (log of how often); the band is int8, what it cuts off below acts as 0"
               : "values (log of how often); the band is int8");
  svg.text(8, kHeight - 6, fmt::format("{:.3g}", x.low));
  svg.text(kWidth - 8, kHeight - 6, fmt::format("{:.3g}", x.high), Anchor::kEnd);
  if (x(0) > 60 && x(0) < kWidth - 60) svg.text(x(0), kHeight - 6, "0", Anchor::kMiddle);
  return svg.str();
}

/// The weight range of each output channel, in the order of the channels.
std::string weights_picture(const LayerWeights& layer) {
  constexpr double kWidth = 460, kHeight = 130, kTop = 18, kBottom = 108, kBars = 200;
  const auto scales = layer.weight_scale.values();
  double most = 0;
  for (const float s : scales) most = std::max(most, 127.0 * s);
  Svg svg(kWidth, kHeight, "weight range of each output channel");
  const Axis y{0, most, kBottom, kTop};
  const auto channels = static_cast<double>(scales.size());
  const double bars = std::min(kBars, channels), step = (kWidth - 16) / bars;
  for (double bar = 0; bar < bars; ++bar) {
    const auto begin = static_cast<std::size_t>(bar * channels / bars);
    const auto end = std::max(begin + 1, static_cast<std::size_t>((bar + 1) * channels / bars));
    const double largest = 127.0 * std::ranges::max(scales.subspan(begin, end - begin));
    svg.rect(8 + bar * step, y(largest), step * 0.85, kBottom - y(largest), Colour::kOne,
             fmt::format("channel {}: ±{:.3g}", begin, largest));
  }
  svg.line(8, kBottom, kWidth - 8, kBottom, Colour::kLine);
  svg.text(8, 12, fmt::format("largest weight of each output channel, up to {:.3g}", most));
  svg.text(8, kHeight - 6, "channel 0");
  svg.text(kWidth - 8, kHeight - 6, fmt::format("{}", scales.size() - 1), Anchor::kEnd);
  return svg.str();
}

}  // namespace

std::int64_t constant_bytes(const Graph& graph) {
  std::int64_t bytes = 0;
  for (const Node& node : graph.nodes) {
    if (const auto layer = layer_weights(node.op))
      for (const Constant* c : {&layer->weight, &layer->bias, &layer->weight_scale})
        if (!c->absent()) bytes += std::ssize(c->bytes());
    if (const auto* norm = std::get_if<BatchNorm>(&node.op))
      for (const Constant* c : {&norm->scale, &norm->offset, &norm->mean, &norm->variance})
        bytes += std::ssize(c->bytes());
  }
  return bytes;
}

double median_decibels(const Quantized& quantized, std::span<const double> decibels) {
  std::vector<double> values;
  for (const NodeId id : quantized.layers) values.push_back(decibels[static_cast<std::size_t>(id)]);
  std::ranges::sort(values);
  const std::size_t n = values.size();
  return n == 0 ? 0 : n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

std::string page(const Quantized& quantized, const PageFacts& facts) {
  const Graph& graph = quantized.graph;
  report::Page page(facts.model + ", float32 to int8");
  page.paragraph(fmt::format("{}, calibrated on {}: ranges by {}, weight scales {}, biases {}, channels {}.",
                             graph.name, facts.images, to_string(facts.options.method),
                             facts.options.search_weights ? "searched" : "by their maximum",
                             facts.options.correct_bias ? "corrected" : "as they were",
                             facts.options.equalise ? "equalised" : "not equalised"));
  NodeId worst = quantized.layers.empty() ? 0 : quantized.layers.front();
  const auto decibels = [&](NodeId id) { return facts.decibels[static_cast<std::size_t>(id)]; };
  for (const NodeId id : quantized.layers)
    if (decibels(id) < decibels(worst)) worst = id;
  page.figures({{size_text(constant_bytes(quantized.real)), "weights in float32"},
                {size_text(constant_bytes(graph)), "weights in int8"},
                {decibel_text(median_decibels(quantized, facts.decibels)), "median of the layers"},
                {decibel_text(decibels(worst)), "worst: " + graph[worst].name},
                {decibel_text(decibels(graph.output)), "scores"}});
  page.heading("Signal to quantization noise along the network");
  page.paragraph(
      "Each dot is a layer: ten times the decimal logarithm of the energy of its float values over that of "
      "their difference to int8, errors of the layers before it included. 20 dB is an error of a tenth. The "
      "five lowest stand out; rest the pointer on a dot for its name.");
  page.raw(decibels_picture(quantized, facts.decibels));
  page.heading("Layer by layer");
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Node& node = graph[id];
    const Histogram& values = quantized.statistics[static_cast<std::size_t>(id)].values;
    const Range range = grid(*node.quantization);
    const bool inner = id != 0 && std::ranges::find(quantized.layers, id) == quantized.layers.end();
    std::vector<std::pair<std::string, std::string>> rows;
    if (!inner) rows.emplace_back("signal to noise", decibel_text(decibels(id)));
    rows.emplace_back("seen", fmt::format("{:.4g} … {:.4g}", values.low(), values.high()));
    rows.emplace_back("int8", fmt::format("{:.4g} … {:.4g}", range.low, range.high));
    rows.emplace_back("step", fmt::format("{:.4g}", node.quantization->scale));
    rows.emplace_back("zero point", fmt::format("{}", node.quantization->zero_point));
    rows.emplace_back("cut off", fmt::format("{:.3g} %", 100 * clipped_share(values, range)));
    if (const int enlarged = quantized.enlarged[static_cast<std::size_t>(id)]; enlarged > 0)
      rows.emplace_back("channels with a larger weight scale",
                        fmt::format("{} of {}", enlarged, node.shape.c));
    std::vector<std::string> pictures = {values_picture(values, range, inner)};
    if (const auto layer = layer_weights(node.op)) pictures.push_back(weights_picture(*layer));
    page.card(node.name, fmt::format("{}, {}", op_name(node.op), to_string(node.shape)), rows, pictures);
  }
  return page.text();
}

}  // namespace linnet::quantize
