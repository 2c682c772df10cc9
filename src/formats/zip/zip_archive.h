// Zip archives, as PyTorch and TensorFlow Lite put them into model files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"

struct zip;

namespace linnet::formats {

struct ZipEntry {
  std::uint64_t index = 0;
  std::uint64_t size = 0;  ///< bytes, unpacked
  bool is_stored = false;  ///< not compressed
};

/// By libzip, which is loaded when the first archive is opened (base/shared_library.h).
class ZipArchive {
 public:
  /// An archive that lies in `bytes`, or at their end; they must outlive it. Errors: no archive, damaged;
  /// this machine lacks libzip.
  static Result<ZipArchive> open(std::span<const std::byte> bytes);

  std::uint64_t entries() const;
  /// As it is written, whatever its encoding.
  std::string name(std::uint64_t index) const;
  /// Nothing where there is none, or its size is not known.
  std::optional<ZipEntry> find(const std::string& name) const;
  /// `out` has the entry's size. Errors: cannot be unpacked, shorter or longer than it says, a wrong
  /// checksum.
  Result<void> read(const ZipEntry& entry, std::span<std::byte> out) const;

 private:
  struct Close {
    void operator()(zip* archive) const;
  };
  std::unique_ptr<zip, Close> zip_;
};

}  // namespace linnet::formats
