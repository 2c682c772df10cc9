#include "report/svg.h"

#include <cmath>

#include <fmt/core.h>

#include "report/colours.h"
#include "report/html.h"

namespace linnet::report {
namespace {

std::string css(Colour colour) {
  const auto named = [](std::string_view name) { return fmt::format("var(--{})", name); };
  switch (colour) {
    case Colour::kOne: return named("one");
    case Colour::kTwo: return named("two");
    case Colour::kBand: return named("band");
    case Colour::kBandTwo: return named("band-two");
    case Colour::kLine: return named("line");
    case Colour::kText: return named("text");
    case Colour::kQuiet: return named("quiet");
  }
  return "none";
}

std::string closed(std::string_view element, std::string_view tip) {
  return tip.empty() ? "/>\n" : fmt::format("><title>{}</title></{}>\n", escape(tip), element);
}

}  // namespace

Svg::Svg(double width, double height, std::string_view what, Size size)
    : width_(width),
      height_(height),
      head_(
          fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.7g} {:.7g}\" role=\"img\" "
                      "aria-label=\"{}\"{}>\n",
                      width, height, escape(what), size == Size::kWide ? " class=\"wide\"" : "")) {}

std::string Svg::file() const {
  std::string text = fmt::format(
      "{}<style>text {{ fill: var(--text); font: 11px sans-serif; }}</style>\n"
      "<rect width=\"{:.7g}\" height=\"{:.7g}\" fill=\"white\"/>\n{}</svg>\n",
      head_, width_, height_, body_);
  // Not every program that draws SVG knows variables.
  for (const NamedColour& colour : kColours) {
    const std::string variable = fmt::format("var(--{})", colour.name);
    for (std::size_t at = 0; (at = text.find(variable, at)) != std::string::npos;)
      text.replace(at, variable.size(), colour.light);
  }
  return text;
}

void Svg::rect(double x, double y, double width, double height, Colour fill, std::string_view tip,
               double opacity) {
  body_ +=
      fmt::format("<rect x=\"{:.2f}\" y=\"{:.2f}\" width=\"{:.2f}\" height=\"{:.2f}\" fill=\"{}\"{}{}", x, y,
                  width, height, css(fill),
                  opacity < 1 ? fmt::format(" fill-opacity=\"{:.3f}\"", opacity) : "", closed("rect", tip));
}

void Svg::curve(std::span<const std::pair<double, double>> points, Colour stroke, double width) {
  body_ += fmt::format(
      "<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"{:.7g}\" stroke-linejoin=\"round\" points=\"",
      css(stroke), width);
  for (const auto& [x, y] : points) body_ += fmt::format("{:.2f},{:.2f} ", x, y);
  body_ += "\"/>\n";
}

void Svg::line(double x1, double y1, double x2, double y2, Colour stroke, double width, bool dashed) {
  body_ += fmt::format(
      "<line x1=\"{:.2f}\" y1=\"{:.2f}\" x2=\"{:.2f}\" y2=\"{:.2f}\" stroke=\"{}\" "
      "stroke-width=\"{:.7g}\"{}/>\n",
      x1, y1, x2, y2, css(stroke), width, dashed ? " stroke-dasharray=\"4 3\"" : "");
}

void Svg::circle(double x, double y, double radius, Colour fill, std::string_view tip) {
  body_ += fmt::format("<circle cx=\"{:.2f}\" cy=\"{:.2f}\" r=\"{:.7g}\" fill=\"{}\"{}", x, y, radius,
                       css(fill), closed("circle", tip));
}

void Svg::text(double x, double y, std::string_view text, Anchor anchor, double degrees, Colour colour) {
  const char* name = anchor == Anchor::kStart ? "start" : anchor == Anchor::kMiddle ? "middle" : "end";
  const std::string turned =
      degrees == 0 ? "" : fmt::format(" transform=\"rotate({:.7g} {:.2f} {:.2f})\"", degrees, x, y);
  // The page's rule for text outweighs an attribute.
  const std::string coloured =
      colour == Colour::kQuiet ? "" : fmt::format(" style=\"fill: {}\"", css(colour));
  body_ += fmt::format("<text x=\"{:.2f}\" y=\"{:.2f}\" text-anchor=\"{}\"{}{}>{}</text>\n", x, y, name,
                       turned, coloured, escape(text));
}

std::vector<double> ticks(double low, double high, int count) {
  if (!(high > low) || count < 1) return {low};
  const double wanted = (high - low) / count;
  const double power = std::pow(10.0, std::floor(std::log10(wanted)));
  double step = 10 * power;
  for (const double round : {5.0, 2.0, 1.0})
    if (round * power >= wanted * (1 - 1e-9)) step = round * power;
  std::vector<double> result;
  const double slack = 1e-9 * step;
  for (double i = std::ceil((low - slack) / step); i * step <= high + slack; ++i)
    result.push_back(i * step + 0.0);  // no -0
  return result;
}

}  // namespace linnet::report
