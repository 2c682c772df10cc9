// A web page in one file: nothing is fetched, nothing runs.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace linnet::report {

/// Text as it may stand in HTML and SVG, between tags and in attributes.
std::string escape(std::string_view text);

/// Bytes as an address that holds them: "data:image/png;base64,…" (RFC 2397).
std::string data_url(std::string_view media_type, std::span<const std::byte> bytes);

/// Content is appended in order; every function but raw() escapes its text.
class Page {
 public:
  explicit Page(std::string_view title);

  void heading(std::string_view text);
  void paragraph(std::string_view text);
  /// Big figures side by side, each over what it is: {"3.6 MB", "weights"}.
  void figures(const std::vector<std::pair<std::string, std::string>>& values);
  /// A box with a title and a line of facts {name, value}; pictures (SVG) stand below, side by side.
  void card(std::string_view title, std::string_view subtitle,
            const std::vector<std::pair<std::string, std::string>>& facts,
            const std::vector<std::string>& pictures);
  /// A command to be typed, as it stands.
  void command(std::string_view text);
  /// Rows of as many cells as there are headers; all but the first column are flush right.
  void table(const std::vector<std::string>& headers, const std::vector<std::vector<std::string>>& rows);
  struct Photograph {
    std::string url;  ///< data_url() of it
    int width = 0;    ///< pixels
    std::string title;
    std::vector<std::string> lines;  ///< below the title
  };
  /// Photographs side by side, each with its text below.
  void gallery(const std::vector<Photograph>& photographs);
  /// HTML or SVG as it stands.
  void raw(std::string_view html) { body_ += html; }

  /// The whole file.
  std::string text() const;

 private:
  std::string title_;
  std::string body_;
};

}  // namespace linnet::report
