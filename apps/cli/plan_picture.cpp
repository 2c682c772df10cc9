#include "plan_picture.h"

#include "print.h"
#include "report/svg.h"

namespace linnet::cli {
namespace {

using plan::Buffer;
using report::Axis;
using report::Colour;
using report::Svg;
using Anchor = Svg::Anchor;

constexpr double kLeft = 84, kTop = 34, kHeight = 560, kBelow = 64, kColumn = 176;
constexpr double kLetter = 6;  ///< wide, about

std::string fitting(const std::string& text, double width) {
  const auto letters = static_cast<std::size_t>(std::max(width / kLetter, 0.0));
  return text.size() <= letters ? text : letters < 4 ? "" : text.substr(0, letters - 1) + "…";
}

std::string name_of(const Graph& graph, const Buffer& buffer) {
  switch (buffer.kind) {
    case Buffer::Kind::kWhole: return graph[buffer.value].name;
    case Buffer::Kind::kRing: return fmt::format("ring {}", graph[buffer.value].name);
    case Buffer::Kind::kSums: return fmt::format("sums {}", graph[buffer.value].name);
    case Buffer::Kind::kScratch: return "scratch";
  }
  return "";
}

struct Colours {
  Colour fill, line;
};
Colours colours_of(Buffer::Kind kind) {
  if (kind == Buffer::Kind::kWhole) return {Colour::kBand, Colour::kOne};
  if (kind == Buffer::Kind::kRing) return {Colour::kBandTwo, Colour::kTwo};
  return {Colour::kLine, Colour::kQuiet};
}

/// A round number of bytes between two lines, at most ten of them.
std::int64_t grid_step(std::int64_t bytes) {
  std::int64_t step = 256;
  while (bytes / step > 10) step *= 2;
  return step;
}

}  // namespace

std::string plan_picture(const Graph& graph, const plan::Plan& plan) {
  const auto stages = static_cast<double>(plan.stages.size());
  const double right = kLeft + stages * kColumn;
  Svg svg(right + 12, kTop + kHeight + kBelow,
          fmt::format("the memory of {}: {} bytes in {} stages", graph.name, plan.arena_bytes,
                      plan.stages.size()));
  const Axis y = {0, static_cast<double>(plan.arena_bytes), kTop + kHeight, kTop};
  svg.text(4, 14, fmt::format("{}: {} bytes", graph.name, grouped(plan.arena_bytes)));

  const std::int64_t step = grid_step(plan.arena_bytes);
  for (std::int64_t bytes = 0; bytes <= plan.arena_bytes; bytes += step) {
    const double at = y(static_cast<double>(bytes));
    svg.line(kLeft, at, right, at, Colour::kLine, 0.5);
    svg.text(kLeft - 6, at + 4, grouped(bytes), Anchor::kEnd);
  }
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    const double left = kLeft + static_cast<double>(s) * kColumn;
    const std::vector<plan::Layer>& layers = plan.stages[s].layers;
    svg.line(left, kTop, left, kTop + kHeight + 6, Colour::kLine, 1, true);
    svg.text(left + 6, kTop + kHeight + 18,
             fmt::format("stage {}, {} pixels at once", s + 1, layers.back().tile));
    svg.text(left + 6, kTop + kHeight + 34, fitting(graph[layers.front().node].name, kColumn - 8));
    if (layers.size() > 1)
      svg.text(left + 6, kTop + kHeight + 50,
               fitting("to " + graph[layers.back().value()].name, kColumn - 8));
  }
  svg.line(right, kTop, right, kTop + kHeight + 6, Colour::kLine, 1, true);

  for (const Buffer& buffer : plan.buffers)
    for (int copy = 0; copy < buffer.copies; ++copy) {
      const std::int64_t from = buffer.offset + copy * buffer.stride;
      const double x0 = kLeft + buffer.first * kColumn + 2;
      const double x1 = kLeft + (buffer.last + 1) * kColumn - 2;
      const double y1 = y(static_cast<double>(from));
      const double y0 = y(static_cast<double>(from + buffer.bytes));
      const auto [fill, line] = colours_of(buffer.kind);
      const std::string text = fmt::format("{} {}", grouped(buffer.bytes), name_of(graph, buffer));
      svg.rect(
          x0, y0, x1 - x0, y1 - y0, fill,
          fmt::format("{}, {} bytes at {}", name_of(graph, buffer), grouped(buffer.bytes), grouped(from)));
      svg.line(x0, y0, x1, y0, line, 0.7);
      svg.line(x0, y1, x1, y1, line, 0.7);
      svg.line(x0, y0, x0, y1, line, 0.7);
      svg.line(x1, y0, x1, y1, line, 0.7);
      if (y1 - y0 >= 12) svg.text(x0 + 4, (y0 + y1) / 2 + 4, fitting(text, x1 - x0 - 6));
    }
  return svg.file();
}

}  // namespace linnet::cli
