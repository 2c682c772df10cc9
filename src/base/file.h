// Files: mapped to be read, written so that a crash or a full disk never leaves half of one.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace linnet {

/// A whole file mapped read-only. The mapping lives as long as any copy of this object; copies share it.
/// Reading through it is thread-safe. A file that another process shortens meanwhile ends the program
/// (SIGBUS), as with every mapped file.
class MappedFile {
 public:
  /// Errors: not there, a directory, not a regular file, not readable.
  static Result<MappedFile> open(const std::filesystem::path& path);

  std::span<const std::byte> bytes() const { return bytes_; }
  /// Keeps the mapping alive for views into bytes().
  std::shared_ptr<const void> owner() const { return mapping_; }

 private:
  std::shared_ptr<const void> mapping_;
  std::span<const std::byte> bytes_;
};

/// Gives the memory behind `bytes` back to the system where `owner` is that of a MappedFile: they come from
/// the file again when somebody reads them. Does nothing for what has another owner.
void release_pages(const std::shared_ptr<const void>& owner, std::span<const std::byte> bytes);

/// A whole small text file. Errors as MappedFile::open.
Result<std::string> read_text(const std::filesystem::path& path);

/// Writes the parts one after the other beside `path`, syncs, then renames onto it: whoever opens `path` sees
/// the old file or the new one, never a part. Errors: the folder is missing or not writable, the disk is
/// full.
Result<void> write_file(const std::filesystem::path& path, std::span<const std::span<const std::byte>> parts);
Result<void> write_file(const std::filesystem::path& path, std::string_view text);

}  // namespace linnet
