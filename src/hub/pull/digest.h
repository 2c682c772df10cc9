// Hashes of files, to check what was downloaded against what its publisher declares.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "base/result.h"

namespace linnet::hub {

struct Digests {
  std::string sha256;    ///< 64 hex digits
  std::string git_blob;  ///< 40 hex digits: SHA-1 of "blob SIZE\0" and the bytes, by which git names a file
};

/// Both in one pass. Errors: the file cannot be read.
Result<Digests> digests_of_file(const std::filesystem::path& path);

/// SHA-256 of the parts one after the other, 64 hex digits. Errors: OpenSSL is configured without it.
Result<std::string> sha256_of(std::span<const std::span<const std::byte>> parts);

}  // namespace linnet::hub
