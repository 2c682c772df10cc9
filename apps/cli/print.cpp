#include "print.h"

#include <algorithm>
#include <cstdio>

#include <fmt/core.h>
#include <unistd.h>

namespace linnet::cli {
namespace {

/// Characters, not bytes: labels are UTF-8.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0u) != 0x80u; }));
}

void append_cell(std::string& line, const std::string& cell, std::size_t column_width, Align align) {
  const std::string padding(column_width - width(cell), ' ');
  line += align == Align::kLeft ? cell + padding : padding + cell;
}

std::string line_of(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

}  // namespace

std::string Table::text() const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t widest = width(columns_[i].header);
    for (const auto& row : rows_)
      if (!row.empty()) widest = std::max(widest, width(row[i]));
    widths.push_back(widest);
  }
  std::size_t total = 2 * (columns_.size() - 1);
  for (const std::size_t w : widths) total += w;
  std::string rule;
  for (std::size_t i = 0; i < total; ++i) rule += "─";
  rule += "\n";

  const auto line = [&](const auto& cell_of) {
    std::string text;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (i > 0) text += "  ";
      append_cell(text, cell_of(i), widths[i], columns_[i].align);
    }
    return line_of(text);
  };
  std::string text = line([&](std::size_t i) { return columns_[i].header; }) + rule;
  for (const auto& row : rows_) text += row.empty() ? rule : line([&](std::size_t i) { return row[i]; });
  return text;
}

std::string grouped(std::int64_t value) {
  std::string digits = std::to_string(value);
  const std::size_t first = value < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3;) digits.insert(at -= 3, ",");
  return digits;
}

std::string percent(double share, int digits) { return fmt::format("{:.{}f} %", 100 * share, digits); }

std::string size_text(std::uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  if (bytes < 1'000'000) return fmt::format("{:.1f} KB", static_cast<double>(bytes) / 1e3);
  if (bytes < 1'000'000'000) return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
  return fmt::format("{:.2f} GB", static_cast<double>(bytes) / 1e9);
}

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void note(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fputc('\n', stderr);
}

ProgressBar::ProgressBar(std::string what, Unit unit)
    : what_(std::move(what)),
      unit_(unit),
      terminal_(::isatty(STDERR_FILENO) == 1),
      last_(std::chrono::steady_clock::now()) {}

ProgressBar::~ProgressBar() {
  if (done_ == 0 && total_ == 0) return;
  if (terminal_)
    fmt::print(stderr, "\r{:<{}}\n", line(), drawn_);
  else
    note(line());
}

std::string ProgressBar::line() const {
  const auto amount = [&](std::uint64_t n) {
    return unit_ == Unit::kBytes ? size_text(n) : grouped(static_cast<std::int64_t>(n));
  };
  if (total_ == 0) return fmt::format("{}  {}", what_, amount(done_));
  const double share = static_cast<double>(done_) / static_cast<double>(total_);
  std::string bar;
  if (terminal_) {
    constexpr int kCells = 24;
    const int full = static_cast<int>(share * kCells);
    for (int i = 0; i < kCells; ++i) bar += i < full ? "━" : "─";
    bar += "  ";
  }
  return fmt::format("{}  {}{:3.0f} %  {} of {}", what_, bar, 100 * share, amount(done_), amount(total_));
}

void ProgressBar::update(std::uint64_t done, std::uint64_t total) {
  done_ = done;
  total_ = total;
  using namespace std::chrono_literals;
  const auto now = std::chrono::steady_clock::now();
  if (now - last_ < (terminal_ ? 50ms : 5000ms)) return;
  last_ = now;
  if (!terminal_) return note(line());
  const std::string text = line();
  fmt::print(stderr, "\r{:<{}}", text, drawn_);
  std::fflush(stderr);
  drawn_ = width(text);
}

StatusLine::StatusLine() : terminal_(::isatty(STDERR_FILENO) == 1), last_(std::chrono::steady_clock::now()) {}

void StatusLine::update(const std::function<std::string()>& text) {
  using namespace std::chrono_literals;
  const auto now = std::chrono::steady_clock::now();
  if (now - last_ < (terminal_ ? 100ms : 30000ms)) return;
  last_ = now;
  const std::string line = text();
  if (!terminal_) return note(line);
  fmt::print(stderr, "\r{:<{}}", line, drawn_);
  std::fflush(stderr);
  drawn_ = width(line);
}

void StatusLine::clear() {
  if (drawn_ > 0) fmt::print(stderr, "\r{:<{}}\r", "", drawn_);
  drawn_ = 0;
}

}  // namespace linnet::cli
