#include "data/dataset.h"

#include <algorithm>
#include <charconv>

#include "base/file.h"
#include "data/cifar10.h"
#include "data/class_names.h"
#include "data/csv.h"
#include "data/labels.h"

namespace linnet::data {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kCifar10 = "cifar10:";
constexpr std::string_view kForms =
    "a data set is cifar10:DIR, a folder with one sub-folder a class, a folder with labels.csv, or a folder "
    "of pictures";

/// By extension; the contents decide when the picture is read.
bool is_picture(const fs::path& path) {
  static constexpr std::string_view kExtensions[] = {".jpg", ".jpeg", ".jpe", ".png", ".webp",
                                                     ".bmp", ".ppm",  ".pgm", ".pbm", ".pnm"};
  std::string extension = path.extension().string();
  for (char& c : extension)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return std::ranges::find(kExtensions, extension) != std::end(kExtensions);
}

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

/// What lies directly in a folder, hidden entries apart, sorted by the bytes of the names: the same on every
/// machine.
struct Listing {
  std::vector<fs::path> folders;
  std::vector<fs::path> pictures;
};

Result<Listing> list(const fs::path& folder) {
  Listing listing;
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    if (is_hidden(entries->path())) continue;
    std::error_code ignored;
    if (entries->is_directory(ignored))
      listing.folders.push_back(entries->path());
    else if (is_picture(entries->path()))
      listing.pictures.push_back(entries->path());
  }
  if (error) return fail("{}: cannot list the folder: {}", folder.string(), error.message());
  std::ranges::sort(listing.folders);
  std::ranges::sort(listing.pictures);
  return listing;
}

/// All pictures below a class's folder, however deep.
Result<void> add_class(const fs::path& root, const fs::path& folder, std::optional<int> label, int depth,
                       std::vector<Item>& items) {
  constexpr int kMaxDepth = 16;  // symbolic links may form a circle
  if (depth > kMaxDepth) return fail("{}: folders are nested more than {} deep", folder.string(), kMaxDepth);
  LINNET_TRY(const Listing listing, list(folder));
  for (const fs::path& picture : listing.pictures)
    items.push_back({picture.lexically_relative(root).string(), picture, {}, label});
  for (const fs::path& inner : listing.folders) LINNET_CHECK(add_class(root, inner, label, depth + 1, items));
  return {};
}

/// The class of each folder: all by name, or all by order.
Result<std::vector<int>> match_folders(const fs::path& root, const std::vector<fs::path>& folders,
                                       std::span<const std::string> labels, int classes) {
  const ClassNames names(labels, classes);
  std::vector<int> match;
  std::string first_problem;
  for (const fs::path& folder : folders) {
    const auto found = names.find(folder.filename().string());
    if (found)
      match.push_back(*found);
    else if (first_problem.empty())
      first_problem = found.error().message;
  }
  if (match.size() == folders.size()) {
    std::vector<int> sorted = match;
    std::ranges::sort(sorted);
    if (const auto twice = std::ranges::adjacent_find(sorted); twice != sorted.end())
      return fail("{}: two folders mean class {}; join them", root.string(), *twice);
    return match;
  }
  if (!match.empty())
    return fail("{}: {} of {} folders are named as classes of the model, but folder {}", root.string(),
                match.size(), folders.size(), first_problem);
  const int first = first_class(classes), count = classes - first;
  if (static_cast<int>(folders.size()) != count)
    return fail(
        "{}: folder {}; nor are there as many folders ({}) as classes ({}), so they cannot be numbered in "
        "order either",
        root.string(), first_problem, folders.size(), count);
  for (int i = 0; i < count; ++i) match.push_back(first + i);
  return match;
}

Result<std::vector<Item>> open_class_folders(const fs::path& root, const std::vector<fs::path>& folders,
                                             std::span<const std::string> labels, int classes) {
  std::vector<int> match;
  if (classes != 0) {
    LINNET_TRY(match, match_folders(root, folders, labels, classes));
  }
  std::vector<Item> items;
  for (std::size_t i = 0; i < folders.size(); ++i) {
    const std::size_t before = items.size();
    const std::optional<int> label = match.empty() ? std::optional<int>() : match[i];
    LINNET_CHECK(add_class(root, folders[i], label, 1, items));
    if (items.size() == before) return fail("{}: no pictures in this class's folder", folders[i].string());
  }
  return items;
}

/// The column's place in the header, or -1.
int column(const CsvRow& header, std::string_view name) {
  const auto found = std::ranges::find(header.fields, name);
  return found == header.fields.end() ? -1 : static_cast<int>(found - header.fields.begin());
}

Result<int> class_without_background(const std::string& text, int classes) {
  const int first = first_class(classes);
  int index = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  if (error != std::errc() || end != text.data() + text.size())
    return fail("class_index_0_999 is \"{}\", not a number", text);
  if (index < 0 || index >= classes - first)
    return fail("class {} is outside of the model's {} classes, which count from 0", index, classes - first);
  return index + first;
}

Result<std::vector<Item>> open_csv(const fs::path& root, std::span<const std::string> labels, int classes) {
  const fs::path path = root / "labels.csv";
  const std::string name = path.string();
  LINNET_TRY(const std::string text, read_text(path));
  LINNET_TRY(const std::vector<CsvRow> rows, parse_csv(text, name));
  if (rows.empty()) return fail("{}: the file is empty; its first line should be \"file,class\"", name);
  const int file_column = column(rows[0], "file");
  const int index_column = column(rows[0], "class_index_0_999");
  const int class_column = column(rows[0], "class");
  if (file_column < 0) return fail("{}: line 1: there is no column \"file\"", name);
  if (classes != 0 && index_column < 0 && class_column < 0)
    return fail("{}: line 1: there is no column \"class_index_0_999\" or \"class\"", name);

  const ClassNames names(labels, classes);
  std::vector<Item> items;
  for (const CsvRow& row : std::span(rows).subspan(1)) {
    const auto field = [&](int i) -> const std::string& { return row.fields[static_cast<std::size_t>(i)]; };
    Item item{field(file_column), root / field(file_column), {}, {}};
    std::error_code ignored;
    if (item.name.empty() || !fs::is_regular_file(item.path, ignored))
      return fail("{}: line {}: there is no file \"{}\" in the folder", name, row.line, item.name);
    if (classes != 0) {
      const auto label = index_column >= 0 ? class_without_background(field(index_column), classes)
                                           : names.find(field(class_column));
      if (!label) return fail("{}: line {}: {}", name, row.line, label.error().message);
      item.label = *label;
    }
    items.push_back(std::move(item));
  }
  if (items.empty()) return fail("{}: there is a header but no pictures", name);
  return items;
}

Result<std::vector<Item>> open_folder(const fs::path& root, std::span<const std::string> labels,
                                      int classes) {
  std::error_code error;
  if (!fs::exists(root, error)) return fail("{}: is not there; {}", root.string(), kForms);
  if (!fs::is_directory(root, error)) return fail("{}: is a file; {}", root.string(), kForms);
  if (fs::exists(root / "labels.csv", error)) return open_csv(root, labels, classes);
  LINNET_TRY(const Listing listing, list(root));
  if (listing.folders.empty() && listing.pictures.empty())
    return fail("{}: no pictures in the folder; {}", root.string(), kForms);
  if (!listing.folders.empty() && !listing.pictures.empty())
    return fail(
        "{}: holds {} folders and {} loose pictures ({}, …); put every picture into its class's folder",
        root.string(), listing.folders.size(), listing.pictures.size(),
        listing.pictures[0].filename().string());
  if (!listing.folders.empty()) return open_class_folders(root, listing.folders, labels, classes);
  std::vector<Item> items;
  for (const fs::path& picture : listing.pictures)
    items.push_back({picture.filename().string(), picture, {}, {}});
  return items;
}

}  // namespace

bool Dataset::labelled() const {
  return std::ranges::all_of(items, [](const Item& item) { return item.label.has_value(); });
}

Result<image::Image> load(const Item& item) {
  if (!item.planes.empty()) return picture_of_planes(item.planes);
  return image::read_image(item.path);
}

Result<Dataset> open_dataset(std::string_view spec, std::span<const std::string> labels, int classes,
                             Part part) {
  if (classes != 0 && !labels.empty() && labels.size() != static_cast<std::size_t>(classes))
    return fail("{} labels for a model of {} classes; there must be one a class", labels.size(), classes);
  Dataset set;
  if (spec.starts_with(kCifar10)) {
    LINNET_TRY(set, open_cifar10(spec.substr(kCifar10.size()), labels, classes, part));
  } else {
    LINNET_TRY(set.items, open_folder(fs::path(spec), labels, classes));
  }
  set.name = spec;
  return set;
}

}  // namespace linnet::data
