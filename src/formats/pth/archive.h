// The zip archive that torch.save() writes: stored entries under one folder. Private to this room.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/aligned.h"
#include "base/result.h"
#include "formats/zip/zip_archive.h"

namespace linnet::formats {

class Archive {
 public:
  /// Opens an archive that lies in `bytes`, which must outlive it. Errors: no zip archive, damaged, no
  /// …/data.pkl.
  static Result<Archive> open(std::span<const std::byte> bytes);

  /// An entry under the folder of data.pkl. Errors: not there, larger than `limit` bytes, compressed
  /// (torch.save() never does, and a small file could blow up), damaged (its checksum is verified).
  Result<AlignedVector<std::byte>> read(const std::string& name, std::uint64_t limit) const;
  bool contains(const std::string& name) const;

 private:
  ZipArchive zip_;
  std::string folder_;  // "archive/"
};

}  // namespace linnet::formats
