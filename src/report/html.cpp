#include "report/html.h"

#include <fmt/core.h>

#include "report/colours.h"

namespace linnet::report {
namespace {

constexpr std::string_view kStyle = R"(
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 68rem; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .5rem; }
p { max-width: 48rem; margin: .5rem 0; color: var(--quiet); }
.figures { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.25rem 0; }
.figures div { background: var(--box); border: 1px solid var(--line); border-radius: 8px; padding: .6rem 1rem; }
.figures b { display: block; font-size: 1.3rem; font-variant-numeric: tabular-nums; }
.figures span { color: var(--quiet); font-size: .85rem; }
.card { background: var(--box); border: 1px solid var(--line); border-radius: 8px; padding: .75rem 1rem; margin: .75rem 0;
  break-inside: avoid; }
.card h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
.card h3 span { font-weight: normal; color: var(--quiet); margin-left: .5rem; }
.card dl { display: flex; flex-wrap: wrap; gap: .1rem 1.5rem; margin: .35rem 0 .5rem; font-size: .85rem; }
.card dl div { display: flex; gap: .4rem; }
.card dt { color: var(--quiet); }
.card dd { margin: 0; font-variant-numeric: tabular-nums; }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem; }
.pictures svg { flex: 1 1 20rem; min-width: 0; max-width: 31.5rem; height: auto; }
.pictures svg:only-child { max-width: 44rem; }
svg.wide { width: 100%; height: auto; background: var(--box); border: 1px solid var(--line); border-radius: 8px; }
.wrap { overflow-x: auto; background: var(--box); border: 1px solid var(--line); border-radius: 8px; margin: .75rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th { color: var(--quiet); font-weight: normal; }
th, td { text-align: right; padding: .35rem .75rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
tr:last-child td { border-bottom: none; }
pre { overflow-x: auto; background: var(--box); border: 1px solid var(--line); border-radius: 8px; padding: .75rem 1rem;
  font: 13px/1.5 ui-monospace, "DejaVu Sans Mono", monospace; margin: .75rem 0; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .75rem; margin: .75rem 0; }
.gallery figure { margin: 0; background: var(--box); border: 1px solid var(--line); border-radius: 8px; overflow: hidden; }
.gallery img { display: block; width: 100%; aspect-ratio: 1; object-fit: contain; background: var(--page); }
.gallery img.small { image-rendering: pixelated; }
.gallery figcaption { padding: .5rem .7rem .6rem; font-size: .85rem; overflow-wrap: anywhere; }
.gallery b, .gallery span { display: block; }
.gallery span { color: var(--quiet); }
svg text { fill: var(--quiet); font: 11px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
)";

/// Colours are variables, so that pictures follow the reader's light or dark setting.
std::string colour_style() {
  std::string light, dark;
  for (const NamedColour& colour : kColours) {
    light += fmt::format(" --{}: {};", colour.name, colour.light);
    dark += fmt::format(" --{}: {};", colour.name, colour.dark);
  }
  return fmt::format(
      ":root {{ color-scheme: light dark;{} }}\n@media (prefers-color-scheme: dark) {{ :root {{{} }} }}",
      light, dark);
}

}  // namespace

std::string escape(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&': result += "&amp;"; break;
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '"': result += "&quot;"; break;
      default: result += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
    }
  }
  return result;
}

std::string data_url(std::string_view media_type, std::span<const std::byte> bytes) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text = fmt::format("data:{};base64,", media_type);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    unsigned word = 0;
    for (std::size_t k = 0; k < 3; ++k)
      word = word << 8 | (i + k < bytes.size() ? std::to_integer<unsigned>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k)
      text += i + k <= bytes.size() ? kDigits[word >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

Page::Page(std::string_view title) : title_(escape(title)) { body_ = "<h1>" + title_ + "</h1>\n"; }

void Page::heading(std::string_view text) { body_ += "<h2>" + escape(text) + "</h2>\n"; }

void Page::paragraph(std::string_view text) { body_ += "<p>" + escape(text) + "</p>\n"; }

void Page::figures(const std::vector<std::pair<std::string, std::string>>& values) {
  body_ += "<div class=\"figures\">\n";
  for (const auto& [value, what] : values)
    body_ += "<div><b>" + escape(value) + "</b><span>" + escape(what) + "</span></div>\n";
  body_ += "</div>\n";
}

void Page::card(std::string_view title, std::string_view subtitle,
                const std::vector<std::pair<std::string, std::string>>& facts,
                const std::vector<std::string>& pictures) {
  body_ +=
      "<section class=\"card\"><h3>" + escape(title) + "<span>" + escape(subtitle) + "</span></h3>\n<dl>";
  for (const auto& [name, value] : facts)
    body_ += "<div><dt>" + escape(name) + "</dt><dd>" + escape(value) + "</dd></div>";
  body_ += "</dl>\n<div class=\"pictures\">\n";
  for (const std::string& picture : pictures) body_ += picture;
  body_ += "</div></section>\n";
}

void Page::command(std::string_view text) { body_ += "<pre>" + escape(text) + "</pre>\n"; }

void Page::table(const std::vector<std::string>& headers, const std::vector<std::vector<std::string>>& rows) {
  body_ += "<div class=\"wrap\"><table>\n<tr>";
  for (const std::string& header : headers) body_ += "<th>" + escape(header) + "</th>";
  body_ += "</tr>\n";
  for (const auto& row : rows) {
    body_ += "<tr>";
    for (const std::string& cell : row) body_ += "<td>" + escape(cell) + "</td>";
    body_ += "</tr>\n";
  }
  body_ += "</table></div>\n";
}

void Page::gallery(const std::vector<Photograph>& photographs) {
  constexpr int kSmall = 100;  // pixels; enlarged, these should look like what they are
  body_ += "<div class=\"gallery\">\n";
  for (const Photograph& p : photographs) {
    body_ += fmt::format("<figure><img{} alt=\"{}\" src=\"{}\"/><figcaption><b>{}</b>",
                         p.width < kSmall ? " class=\"small\"" : "", escape(p.title), escape(p.url),
                         escape(p.title));
    for (const std::string& line : p.lines) body_ += "<span>" + escape(line) + "</span>";
    body_ += "</figcaption></figure>\n";
  }
  body_ += "</div>\n";
}

std::string Page::text() const {
  return "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>" +
         title_ + "</title>\n<style>\n" + colour_style() + std::string(kStyle) + "</style></head>\n<body>\n" +
         body_ + "</body></html>\n";
}

}  // namespace linnet::report
