// Reads CSV as RFC 4180 writes it. (Debian's libcsv has no line numbers for its errors, and the grammar is
// three states.)
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace linnet::data {

struct CsvRow {
  int line = 0;  ///< where it starts, from 1
  std::vector<std::string> fields;
};

/// All rows, the header among them; empty lines are passed over. A byte order mark at the start and lines
/// that end in CR LF or LF are accepted. Errors, with `name` and the line: a quote inside an unquoted field,
/// text behind a closing quote, a quote that is never closed, a row with another number of fields than the
/// first.
Result<std::vector<CsvRow>> parse_csv(std::string_view text, std::string_view name);

}  // namespace linnet::data
