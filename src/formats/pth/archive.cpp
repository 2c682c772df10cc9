#include "formats/pth/archive.h"

namespace linnet::formats {
namespace {

constexpr std::string_view kPickle = "/data.pkl";

}  // namespace

Result<Archive> Archive::open(std::span<const std::byte> bytes) {
  Archive archive;
  LINNET_TRY(archive.zip_, ZipArchive::open(bytes));
  for (std::uint64_t i = 0; i < archive.zip_.entries(); ++i) {
    const std::string name = archive.zip_.name(i);
    if (!name.ends_with(kPickle)) continue;
    archive.folder_ = name.substr(0, name.size() - kPickle.size() + 1);
    return archive;
  }
  return fail(
      "a zip archive without data.pkl: not a file that torch.save() wrote (a TorchScript file is none "
      "either)");
}

bool Archive::contains(const std::string& name) const { return zip_.find(folder_ + name).has_value(); }

Result<AlignedVector<std::byte>> Archive::read(const std::string& name, std::uint64_t limit) const {
  const std::string path = folder_ + name;
  const std::optional<ZipEntry> entry = zip_.find(path);
  if (!entry) return fail("the archive has no \"{}\", or not its size", path);
  if (!entry->is_stored)
    return fail("\"{}\" is compressed, which torch.save() never does; save the weights again with PyTorch",
                path);
  if (entry->size > limit) return fail("\"{}\" has {} bytes, expected at most {}", path, entry->size, limit);
  AlignedVector<std::byte> bytes(entry->size);
  if (const auto read = zip_.read(*entry, bytes); !read)
    return fail("\"{}\": {}", path, read.error().message);
  return bytes;
}

}  // namespace linnet::formats
