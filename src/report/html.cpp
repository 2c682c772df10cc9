#include "report/html.h"

namespace linnet::report {
namespace {

// Colours are variables, so that pictures follow the reader's light or dark setting.
constexpr std::string_view kColours = R"(
:root { color-scheme: light dark; --page: #f6f7f9; --box: #ffffff; --text: #1b2430; --quiet: #5b6775; --line: #d9dee5;
  --one: #2a6fbb; --two: #d9822b; --band: #2a6fbb22; }
@media (prefers-color-scheme: dark) { :root { --page: #14181d; --box: #1d232b; --text: #e4e9ef; --quiet: #9aa6b4;
  --line: #36404c; --one: #6aa9ec; --two: #f0a55a; --band: #6aa9ec2e; } }
)";

constexpr std::string_view kPictureStyle = R"(
svg text { fill: var(--quiet); font: 11px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
)";

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
svg.wide { width: 100%; height: auto; background: var(--box); border: 1px solid var(--line); border-radius: 8px; }
)";

}  // namespace

std::string_view picture_style() { return kPictureStyle; }

std::string with_light_colours(std::string text) {
  constexpr std::string_view kUse = "var(";
  for (std::size_t at = 0; (at = text.find(kUse, at)) != std::string::npos;) {
    const std::size_t end = text.find(')', at);
    const std::string name = text.substr(at + kUse.size(), end - at - kUse.size()) + ": ";
    const std::size_t value = kColours.find(name) + name.size();  // the light ones come first
    text.replace(at, end + 1 - at, kColours.substr(value, kColours.find(';', value) - value));
  }
  return text;
}

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

std::string Page::text() const {
  return "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>" +
         title_ + "</title>\n<style>" + std::string(kColours) + std::string(kPictureStyle) +
         std::string(kStyle) + "</style></head>\n<body>\n" + body_ + "</body></html>\n";
}

}  // namespace linnet::report
