#include "data/labels.h"

#include <algorithm>

#include "base/file.h"
#include "base/utf8.h"

namespace linnet::data {
namespace {

constexpr std::size_t kMaxBytes = 16 << 20;

bool is_background(std::string_view label) { return label == "background" || label == "__background__"; }

/// Takes off the quotes around a line; inside, two of them stand for one.
std::string without_quotes(std::string_view line) {
  if (line.size() < 2 || (line.front() != '\'' && line.front() != '"') || line.front() != line.back())
    return std::string(line);
  std::string text;
  for (std::size_t i = 1; i + 1 < line.size(); ++i) {
    text += line[i];
    if (line[i] == line.front() && line[i + 1] == line.front() && i + 2 < line.size()) ++i;
  }
  return text;
}

}  // namespace

Result<std::vector<std::string>> read_labels(const std::filesystem::path& path) {
  LINNET_TRY(const MappedFile file, MappedFile::open(path));
  if (file.bytes().size() > kMaxBytes)
    return fail("{}: {} bytes are no list of labels", path.string(), file.bytes().size());
  std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  std::vector<std::string> labels;
  int empty_line = 0;
  for (int line_number = 1; !text.empty(); ++line_number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t'))
      line.remove_suffix(1);
    if (!is_utf8(line) || line.find('\0') != line.npos)
      return fail("{}: line {} is not UTF-8 text; is this a file of labels, one a line?", path.string(),
                  line_number);
    if (line.empty()) {
      if (empty_line == 0) empty_line = line_number;
      continue;
    }
    if (empty_line != 0)
      return fail(
          "{}: line {} is empty; every line is the label of one class, so the lines after it would shift",
          path.string(), empty_line);
    labels.push_back(without_quotes(line));
  }
  if (labels.empty()) return fail("{}: no labels in it; it should hold one a line", path.string());
  return labels;
}

Result<std::vector<std::string>> read_labels(const std::filesystem::path& path, int classes) {
  LINNET_TRY(std::vector<std::string> labels, read_labels(path));
  const auto wanted = static_cast<std::size_t>(classes);
  if (labels.size() + 1 == wanted && first_class(classes) == 1) labels.insert(labels.begin(), "background");
  if (labels.size() == wanted + 1 && is_background(labels[0])) labels.erase(labels.begin());
  if (labels.size() != wanted)
    return fail("{}: {} labels for a model of {} classes; there must be one a class", path.string(),
                labels.size(), classes);
  return labels;
}

Label split_label(std::string_view text) {
  constexpr std::size_t kSynset = 9;
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text.size() >= kSynset && text[0] == 'n' &&
      std::all_of(text.begin() + 1, text.begin() + kSynset, digit)) {
    if (text.size() == kSynset) return {text, text};
    if (text[kSynset] == ' ' || text[kSynset] == '\t')
      return {text.substr(0, kSynset), text.substr(kSynset + 1)};
  }
  return {{}, text};
}

}  // namespace linnet::data
