// `linnet pull`: a known model into the user's cache, verified.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "hub/cache/cache.h"
#include "hub/cache/known_models.h"
#include "hub/pull/download.h"

namespace linnet::hub {

struct PullOptions {
  /// Where to get it instead: an address of a file or of the folder that holds the files, or such a path.
  /// Empty: where it is published. The hub's address is $LINNET_HUB_URL, else $HF_ENDPOINT, else
  /// https://huggingface.co.
  std::string from;
  Progress progress = {};
  /// Told of what takes time or matters: waiting for another pull, a file that the publisher lacks.
  std::function<void(const std::string&)> notice = {};
  std::chrono::milliseconds pause{500};  ///< before a second attempt
};

struct Pulled {
  CachedModel model;
  bool was_cached = false;  ///< nothing had to be fetched
};

/// Fetches every file of the model that is not in the cache yet; files of a repository are all of one
/// revision. Two pulls of one model wait for each other. Thread-safe between processes, not between threads
/// of one. Errors: usage() for a name that is not known; as download(); a cache that cannot be written.
Result<Pulled> pull(std::string_view name, const PullOptions& options);

}  // namespace linnet::hub
