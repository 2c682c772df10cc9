// A data set as folders of PNG files, as people keep their own pictures.
#pragma once

#include <filesystem>
#include <span>
#include <string_view>

#include "data/dataset.h"

namespace linnet::data {

struct ClassFolders {
  std::filesystem::path train;  ///< FOLDER/train, with one sub-folder a class
  std::filesystem::path test;   ///< FOLDER/test, likewise
  int train_per_class = 0;
  int test_per_class = 0;
};

/// Writes `per_class` pictures of every class: two thirds of them, the first ones of `train`, into
/// FOLDER/train/CLASS/00042.png, the rest, the first ones of `test`, into FOLDER/test/CLASS; the number is
/// the place in the data set. FOLDER appears when all of it is written. `names` are the classes'. Errors:
/// fewer than 3 a class asked for or more than there are; FOLDER is there and not empty; the disk is full.
Result<ClassFolders> write_class_folders(const Dataset& train, const Dataset& test,
                                         std::span<const std::string_view> names, int per_class,
                                         const std::filesystem::path& folder);

}  // namespace linnet::data
