// How results look on a terminal: aligned tables, grouped digits, progress.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace linnet::cli {

enum class Align { kLeft, kRight };

/// A table of text: columns two spaces apart, as wide as their widest cell, a line under the header, no
/// spaces at line ends. Widths count UTF-8 characters.
class Table {
 public:
  struct Column {
    std::string header;
    Align align = Align::kLeft;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// As many cells as there are columns.
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  /// A line across, before the next row: sums follow.
  void rule() { rows_.emplace_back(); }
  std::string text() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;  ///< an empty one is a rule
};

/// 300774272 as "300,774,272"
std::string grouped(std::int64_t value);
/// 0.7923 as "79.23 %"
std::string percent(double share, int digits = 2);
/// 14226432 as "14.2 MB"
std::string size_text(std::uint64_t bytes);

/// Results, to stdout.
void print(std::string_view text);
/// Everything else, to stderr; a line feed is added.
void note(std::string_view text);

/// How far a long piece of work is: a bar on a terminal that redraws itself, else a line every few seconds.
/// On stderr.
class ProgressBar {
 public:
  /// What is counted: bytes are printed as sizes.
  enum class Unit { kItems, kBytes };
  ProgressBar(std::string what, Unit unit);
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  /// Leaves the last state on its own line.
  ~ProgressBar();

  /// total 0: not known.
  void update(std::uint64_t done, std::uint64_t total);

 private:
  std::string line() const;

  std::string what_;
  Unit unit_;
  bool terminal_;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
  std::size_t drawn_ = 0;  ///< characters on the line now
  std::chrono::steady_clock::time_point last_;
};

/// One line about work under way: redrawn in its place on a terminal, else printed every half a minute. On
/// stderr.
class StatusLine {
 public:
  StatusLine();
  /// `text` is asked for only when it is time to draw it.
  void update(const std::function<std::string()>& text);
  /// Takes the line away, before something else is printed.
  void clear();

 private:
  bool terminal_;
  std::size_t drawn_ = 0;  ///< characters on the line now
  std::chrono::steady_clock::time_point last_;
};

}  // namespace linnet::cli
