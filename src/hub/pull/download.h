// One file from one address, whole and verified, however often it takes.
//
// The bytes go into PATH.part as they come, and what is needed to carry on lies in PATH.part.json, so that a
// cut line, Ctrl-C or a power failure costs only what was in flight. PATH itself appears once its length and
// hash are right.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "base/result.h"

namespace linnet::hub {

/// Told as bytes arrive: of which file, how many are here, how many there will be (0: the server does not
/// say).
using Progress = std::function<void(const std::string& file, std::uint64_t done, std::uint64_t total)>;

struct DownloadRequest {
  std::string url;             ///< http or https; redirects are followed, never from https to http
  std::filesystem::path path;  ///< where the file ends up; its folder exists
  std::string sha256_prefix;   ///< hex digits that the publisher put into the file's name; may be empty
  /// The address means the same bytes for ever, and the caller checks them: a cut download carries on
  /// although the server names no version of the file (ETag).
  bool immutable = false;
  std::string how_by_hand;               ///< ends an error about the network: what to do without one
  int attempts = 4;                      ///< in a row without a single new byte
  std::chrono::milliseconds pause{500};  ///< before the second attempt; doubles after each
  Progress progress = {};
};

struct Downloaded {
  std::uint64_t bytes = 0;
  std::string sha256;       ///< computed from the bytes
  std::string verified_by;  ///< what the bytes were checked against besides their length; empty: the server
                            ///< declares nothing
  std::string commit;       ///< X-Repo-Commit: the hub's revision; empty elsewhere
};

struct DownloadError {
  Error error;
  bool absent = false;  ///< the server says that there is no such file (404)
};

/// Errors: no network, refused (401, 403), absent (404), another status, cut off once too often, a length or
/// hash that is not the declared one (the bytes are then discarded), a full disk (the bytes are kept).
std::expected<Downloaded, DownloadError> download(const DownloadRequest& request);

}  // namespace linnet::hub
