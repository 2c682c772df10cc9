#include "data/csv.h"

namespace linnet::data {

Result<std::vector<CsvRow>> parse_csv(std::string_view text, std::string_view name) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  std::vector<CsvRow> rows;
  int line = 1;
  std::size_t i = 0;
  const auto ends_row = [&] { return i == text.size() || text[i] == '\n' || text.substr(i, 2) == "\r\n"; };
  while (i < text.size()) {
    CsvRow row{line, {}};
    for (;;) {
      std::string& field = row.fields.emplace_back();
      if (i < text.size() && text[i] == '"') {
        const int opened = line;
        for (++i;; ++i) {
          if (i == text.size()) return fail("{}: line {}: a quote is opened and never closed", name, opened);
          if (text[i] == '"' && text.substr(i, 2) != "\"\"") break;
          if (text[i] == '"') ++i;  // two quotes stand for one
          if (text[i] == '\n') ++line;
          field += text[i];
        }
        ++i;
        if (!ends_row() && text[i] != ',')
          return fail("{}: line {}: text follows a closing quote; put a comma there", name, line);
      } else {
        while (!ends_row() && text[i] != ',') {
          if (text[i] == '"')
            return fail("{}: line {}: a quote stands inside a field; quote the whole field", name, line);
          field += text[i++];
        }
      }
      if (ends_row()) break;
      ++i;  // the comma
    }
    if (i < text.size()) i += text[i] == '\r' ? 2 : 1;
    ++line;
    if (row.fields.size() == 1 && row.fields[0].empty()) continue;
    if (!rows.empty() && row.fields.size() != rows[0].fields.size())
      return fail("{}: line {}: {} fields, but the first line has {}", name, row.line, row.fields.size(),
                  rows[0].fields.size());
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace linnet::data
