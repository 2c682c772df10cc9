// By libarchive.
#include "hub/cifar10/archive.h"

#include <memory>
#include <string>
#include <vector>

#include <archive.h>
#include <archive_entry.h>

#include "base/file.h"

namespace linnet::hub {

Result<void> read_archive(
    const std::filesystem::path& path, const std::function<bool(std::string_view name)>& is_wanted,
    std::size_t largest,
    const std::function<Result<void>(std::string_view name, std::span<const std::byte> bytes)>& on_file) {
  LINNET_TRY(const MappedFile file, MappedFile::open(path));
  const std::unique_ptr<archive, int (*)(archive*)> reader(archive_read_new(), archive_read_free);
  if (!reader) return fail("{}: there is no memory to unpack it", path.string());
  archive_read_support_filter_gzip(reader.get());
  archive_read_support_format_tar(reader.get());
  const auto damaged = [&] {
    const char* reason = archive_error_string(reader.get());
    return fail("{}: cannot be unpacked: {}; it is cut short, damaged or no .tar.gz, so get it again",
                path.string(), reason ? reason : "no reason given");
  };
  if (archive_read_open_memory(reader.get(), file.bytes().data(), file.bytes().size()) != ARCHIVE_OK)
    return damaged();

  std::vector<std::byte> bytes;
  for (archive_entry* entry = nullptr;;) {
    const int code = archive_read_next_header(reader.get(), &entry);
    if (code == ARCHIVE_EOF) return {};
    if (code != ARCHIVE_OK && code != ARCHIVE_WARN) return damaged();
    const char* whole_name = archive_entry_pathname(entry);
    if (!whole_name || archive_entry_filetype(entry) != AE_IFREG) continue;
    const std::string name = std::filesystem::path(whole_name).filename().string();
    if (!is_wanted(name)) continue;
    const auto size = archive_entry_size(entry);
    if (size < 0 || static_cast<std::uint64_t>(size) > largest)
      return fail("{}: \"{}\" in it has {} bytes, which cannot be; get it again", path.string(), name, size);
    bytes.resize(static_cast<std::size_t>(size));
    for (std::size_t have = 0; have < bytes.size();) {
      const la_ssize_t n = archive_read_data(reader.get(), bytes.data() + have, bytes.size() - have);
      if (n <= 0) return damaged();
      have += static_cast<std::size_t>(n);
    }
    LINNET_CHECK(on_file(name, bytes));
  }
}

}  // namespace linnet::hub
