#include "data/write_folders.h"

#include <unistd.h>

#include "base/file.h"
#include "image/encode.h"

namespace linnet::data {
namespace {

namespace fs = std::filesystem;

Result<void> write_part(const Dataset& set, std::span<const std::string_view> names, int per_class,
                        const fs::path& folder) {
  std::vector<int> written(names.size(), 0);
  std::error_code error;
  for (const std::string_view name : names) {
    fs::create_directories(folder / name, error);
    if (error) return fail("{}: cannot create the folder: {}", (folder / name).string(), error.message());
  }
  for (std::size_t i = 0; i < set.items.size(); ++i) {
    const Item& item = set.items[i];
    const auto label = static_cast<std::size_t>(item.label.value_or(-1));
    if (label >= names.size() || written[label] == per_class) continue;
    LINNET_TRY(const image::Image picture, load(item));
    LINNET_TRY(const std::vector<std::byte> png, image::encode_png(picture));
    const std::span<const std::byte> bytes = png;
    LINNET_CHECK(write_file(folder / names[label] / fmt::format("{:05}.png", i), std::span(&bytes, 1)));
    ++written[label];
  }
  for (std::size_t c = 0; c < names.size(); ++c)
    if (written[c] < per_class)
      return usage("{}: holds {} pictures of \"{}\", not {}; ask for fewer a class", set.name, written[c],
                   names[c], per_class);
  return {};
}

}  // namespace

Result<ClassFolders> write_class_folders(const Dataset& train, const Dataset& test,
                                         std::span<const std::string_view> names, int per_class,
                                         const fs::path& folder) {
  if (per_class < 3)
    return usage("{} pictures a class are too few: a third of them is held out, so ask for 3 at least",
                 per_class);
  std::error_code error;
  if (fs::exists(folder, error) && !(fs::is_directory(folder, error) && fs::is_empty(folder, error)))
    return fail("{}: is there already and not an empty folder; name a new one", folder.string());
  ClassFolders result{folder / "train", folder / "test", per_class - per_class / 3, per_class / 3};

  const fs::path target = folder.has_filename() ? folder : folder.parent_path();  // "photos/"
  const fs::path aside = target.string() + ".part-" + std::to_string(::getpid());
  Result<void> written = write_part(train, names, result.train_per_class, aside / "train");
  if (written) written = write_part(test, names, result.test_per_class, aside / "test");
  if (written) {
    fs::rename(aside, target, error);  // onto an empty folder, too
    if (error) written = fail("{}: cannot rename onto it: {}", target.string(), error.message());
  }
  if (!written) {
    fs::remove_all(aside, error);
    return std::unexpected(std::move(written).error());
  }
  return result;
}

}  // namespace linnet::data
