#include "formats/pth/archive.h"

#include <zip.h>

namespace linnet::formats {
namespace {

constexpr std::string_view kPickle = "/data.pkl";

std::string reason(zip_error_t& error) {
  std::string text = zip_error_strerror(&error);
  zip_error_fini(&error);
  return text;
}

}  // namespace

void Archive::Close::operator()(zip* archive) const { zip_discard(archive); }

Result<Archive> Archive::open(std::span<const std::byte> bytes) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
  if (!source) return fail("cannot open the zip archive: {}", reason(error));
  Archive archive;
  archive.zip_.reset(zip_open_from_source(source, ZIP_RDONLY, &error));
  if (!archive.zip_) {
    zip_source_free(source);
    return fail("the zip archive is truncated or damaged: {}", reason(error));
  }
  zip_error_fini(&error);
  const zip_int64_t entries = zip_get_num_entries(archive.zip_.get(), 0);
  for (zip_int64_t i = 0; i < entries; ++i) {
    const char* name = zip_get_name(archive.zip_.get(), static_cast<zip_uint64_t>(i), ZIP_FL_ENC_RAW);
    if (!name || !std::string_view(name).ends_with(kPickle)) continue;
    archive.folder_ = std::string(name, std::string_view(name).size() - kPickle.size() + 1);
    return archive;
  }
  return fail(
      "a zip archive without data.pkl: not a file that torch.save() wrote (a TorchScript file is none "
      "either)");
}

bool Archive::contains(const std::string& name) const {
  return zip_name_locate(zip_.get(), (folder_ + name).c_str(), ZIP_FL_ENC_RAW) >= 0;
}

Result<AlignedVector<std::byte>> Archive::read(const std::string& name, std::uint64_t limit) const {
  const std::string path = folder_ + name;
  zip_stat_t stat;
  if (zip_stat(zip_.get(), path.c_str(), ZIP_FL_ENC_RAW, &stat) != 0)
    return fail("the archive has no \"{}\"", path);
  constexpr zip_uint64_t kNeeded = ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_INDEX;
  if ((stat.valid & kNeeded) != kNeeded) return fail("\"{}\" has no size; the archive is damaged", path);
  if (stat.comp_method != ZIP_CM_STORE)
    return fail("\"{}\" is compressed, which torch.save() never does; save the weights again with PyTorch",
                path);
  if (stat.size > limit) return fail("\"{}\" has {} bytes, expected at most {}", path, stat.size, limit);
  const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> file(zip_fopen_index(zip_.get(), stat.index, 0),
                                                               zip_fclose);
  if (!file) return fail("\"{}\": {}", path, zip_strerror(zip_.get()));
  AlignedVector<std::byte> bytes(stat.size);
  // One byte more than there should be: libzip verifies the checksum only when it meets the end.
  std::size_t at = 0;
  while (at < bytes.size()) {
    const zip_int64_t n = zip_fread(file.get(), bytes.data() + at, bytes.size() - at);
    if (n <= 0) return fail("\"{}\": {}", path, n < 0 ? zip_file_strerror(file.get()) : "truncated");
    at += static_cast<std::size_t>(n);
  }
  std::byte beyond;
  if (zip_fread(file.get(), &beyond, 1) != 0)
    return fail("\"{}\": its checksum is wrong; the file is damaged", path);
  return bytes;
}

}  // namespace linnet::formats
