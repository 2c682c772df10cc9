// By libarchive, loaded when an archive is read (base/shared_library.h).
#include "hub/cifar10/archive.h"

#include <memory>
#include <string>
#include <vector>

#include <archive.h>
#include <archive_entry.h>

#include "base/file.h"
#include "base/shared_library.h"

namespace linnet::hub {
namespace {

struct ArchiveLibrary {
  decltype(&archive_read_new) read_new;
  decltype(&archive_read_free) read_free;
  decltype(&archive_read_support_filter_gzip) support_gzip;
  decltype(&archive_read_support_format_tar) support_tar;
  decltype(&archive_read_open_memory) open_memory;
  decltype(&archive_read_next_header) next_header;
  decltype(&archive_read_data) read_data;
  decltype(&archive_error_string) error_string;
  decltype(&archive_entry_pathname) pathname;
  decltype(&archive_entry_filetype) file_type;
  decltype(&archive_entry_size) size;
};

Result<ArchiveLibrary> load_library() {
  SharedLibrary shared(LINNET_ARCHIVE_LIBRARY);
  ArchiveLibrary library = {};
  shared.find(library.read_new, "archive_read_new");
  shared.find(library.read_free, "archive_read_free");
  shared.find(library.support_gzip, "archive_read_support_filter_gzip");
  shared.find(library.support_tar, "archive_read_support_format_tar");
  shared.find(library.open_memory, "archive_read_open_memory");
  shared.find(library.next_header, "archive_read_next_header");
  shared.find(library.read_data, "archive_read_data");
  shared.find(library.error_string, "archive_error_string");
  shared.find(library.pathname, "archive_entry_pathname");
  shared.find(library.file_type, "archive_entry_filetype");
  shared.find(library.size, "archive_entry_size");
  LINNET_CHECK(shared.result());
  return library;
}

}  // namespace

Result<void> read_archive(
    const std::filesystem::path& path, const std::function<bool(std::string_view name)>& is_wanted,
    std::size_t largest,
    const std::function<Result<void>(std::string_view name, std::span<const std::byte> bytes)>& on_file) {
  LINNET_TRY(const MappedFile file, MappedFile::open(path));
  static const Result<ArchiveLibrary> library = load_library();
  if (!library) return std::unexpected(library.error());
  const std::unique_ptr<archive, int (*)(archive*)> reader(library->read_new(), library->read_free);
  if (!reader) return fail("{}: there is no memory to unpack it", path.string());
  library->support_gzip(reader.get());
  library->support_tar(reader.get());
  const auto damaged = [&] {
    const char* reason = library->error_string(reader.get());
    return fail("{}: cannot be unpacked: {}; it is cut short, damaged or no .tar.gz, so get it again",
                path.string(), reason ? reason : "no reason given");
  };
  if (library->open_memory(reader.get(), file.bytes().data(), file.bytes().size()) != ARCHIVE_OK)
    return damaged();

  std::vector<std::byte> bytes;
  for (archive_entry* entry = nullptr;;) {
    const int code = library->next_header(reader.get(), &entry);
    if (code == ARCHIVE_EOF) return {};
    if (code != ARCHIVE_OK && code != ARCHIVE_WARN) return damaged();
    const char* whole_name = library->pathname(entry);
    if (!whole_name || library->file_type(entry) != AE_IFREG) continue;
    const std::string name = std::filesystem::path(whole_name).filename().string();
    if (!is_wanted(name)) continue;
    const auto size = library->size(entry);
    if (size < 0 || static_cast<std::uint64_t>(size) > largest)
      return fail("{}: \"{}\" in it has {} bytes, which cannot be; get it again", path.string(), name, size);
    bytes.resize(static_cast<std::size_t>(size));
    for (std::size_t have = 0; have < bytes.size();) {
      const la_ssize_t n = library->read_data(reader.get(), bytes.data() + have, bytes.size() - have);
      if (n <= 0) return damaged();
      have += static_cast<std::size_t>(n);
    }
    LINNET_CHECK(on_file(name, bytes));
  }
}

}  // namespace linnet::hub
