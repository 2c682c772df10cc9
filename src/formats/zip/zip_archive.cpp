#include "formats/zip/zip_archive.h"

#include <algorithm>

#include <zip.h>

#include "base/shared_library.h"

namespace linnet::formats {
namespace {

/// The functions of libzip that are called here.
struct ZipLibrary {
  decltype(&zip_error_init) error_init;
  decltype(&zip_error_fini) error_fini;
  decltype(&zip_error_strerror) error_text;
  decltype(&zip_source_buffer_create) source_create;
  decltype(&zip_source_free) source_free;
  decltype(&zip_open_from_source) open;
  decltype(&zip_discard) discard;
  decltype(&zip_get_num_entries) entries;
  decltype(&zip_get_name) name;
  decltype(&zip_stat) stat;
  decltype(&zip_fopen_index) open_entry;
  decltype(&zip_fread) read;
  decltype(&zip_fclose) close_entry;
  decltype(&zip_file_strerror) entry_error;
  decltype(&zip_strerror) archive_error;
};

Result<ZipLibrary> load_library() {
  SharedLibrary shared(LINNET_ZIP_LIBRARY);
  ZipLibrary library = {};
  shared.find(library.error_init, "zip_error_init");
  shared.find(library.error_fini, "zip_error_fini");
  shared.find(library.error_text, "zip_error_strerror");
  shared.find(library.source_create, "zip_source_buffer_create");
  shared.find(library.source_free, "zip_source_free");
  shared.find(library.open, "zip_open_from_source");
  shared.find(library.discard, "zip_discard");
  shared.find(library.entries, "zip_get_num_entries");
  shared.find(library.name, "zip_get_name");
  shared.find(library.stat, "zip_stat");
  shared.find(library.open_entry, "zip_fopen_index");
  shared.find(library.read, "zip_fread");
  shared.find(library.close_entry, "zip_fclose");
  shared.find(library.entry_error, "zip_file_strerror");
  shared.find(library.archive_error, "zip_strerror");
  LINNET_CHECK(shared.result());
  return library;
}

const Result<ZipLibrary>& library() {
  static const Result<ZipLibrary> loaded = load_library();
  return loaded;
}

}  // namespace

void ZipArchive::Close::operator()(zip* archive) const { library()->discard(archive); }

Result<ZipArchive> ZipArchive::open(std::span<const std::byte> bytes) {
  if (!library()) return std::unexpected(library().error());
  const ZipLibrary& zip = *library();
  zip_error_t error;
  zip.error_init(&error);
  const std::unique_ptr<zip_error_t, void (*)(zip_error_t*)> finish(&error, zip.error_fini);
  zip_source_t* source = zip.source_create(bytes.data(), bytes.size(), 0, &error);
  if (!source) return fail("cannot open the zip archive: {}", zip.error_text(&error));
  ZipArchive archive;
  archive.zip_.reset(zip.open(source, ZIP_RDONLY, &error));
  if (archive.zip_) return archive;
  zip.source_free(source);
  return fail("the zip archive is truncated or damaged: {}", zip.error_text(&error));
}

std::uint64_t ZipArchive::entries() const {
  return static_cast<std::uint64_t>(std::max<zip_int64_t>(library()->entries(zip_.get(), 0), 0));
}

std::string ZipArchive::name(std::uint64_t index) const {
  const char* const name = library()->name(zip_.get(), index, ZIP_FL_ENC_RAW);
  return name ? name : "";
}

std::optional<ZipEntry> ZipArchive::find(const std::string& name) const {
  constexpr zip_uint64_t kNeeded = ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_INDEX;
  zip_stat_t stat;
  if (library()->stat(zip_.get(), name.c_str(), ZIP_FL_ENC_RAW, &stat) != 0 ||
      (stat.valid & kNeeded) != kNeeded)
    return std::nullopt;
  return ZipEntry{stat.index, stat.size, stat.comp_method == ZIP_CM_STORE};
}

Result<void> ZipArchive::read(const ZipEntry& entry, std::span<std::byte> out) const {
  const ZipLibrary& zip = *library();
  const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> file(zip.open_entry(zip_.get(), entry.index, 0),
                                                               zip.close_entry);
  if (!file) return fail("it cannot be unpacked: {}", zip.archive_error(zip_.get()));
  for (std::size_t at = 0; at < out.size();) {
    const zip_int64_t n = zip.read(file.get(), out.data() + at, out.size() - at);
    if (n <= 0) return fail("it cannot be unpacked: {}", n < 0 ? zip.entry_error(file.get()) : "truncated");
    at += static_cast<std::size_t>(n);
  }
  // One byte more than there should be: libzip verifies the checksum only when it meets the end.
  std::byte beyond;
  if (zip.read(file.get(), &beyond, 1) != 0) return fail("its checksum is wrong; the file is damaged");
  return {};
}

}  // namespace linnet::formats
