// Labelled pictures to test, calibrate and train with.
//
// Opening lists a data set and checks what can be checked without decoding: that its classes are the model's,
// that every file is there. Pictures are decoded one at a time by whoever uses them.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "image/image.h"

namespace linnet::data {

/// One picture: a file, or 32x32 pixels in memory.
struct Item {
  std::string name;            ///< for people: the path inside the data set, or "test_batch.bin 17"
  std::filesystem::path path;  ///< of the file; empty where the pixels are in memory
  /// CIFAR-10's record: 1024 bytes each of red, green and blue, row by row; empty for a file. Lives as long
  /// as the Dataset.
  std::span<const std::byte> planes;
  std::optional<int> label;  ///< the true class, an index of the model's own outputs; background (see
                             ///< first_class()) never occurs
};

struct Dataset {
  std::string name;  ///< as it was asked for
  std::vector<Item> items;
  std::shared_ptr<const void> owner;  ///< keeps Item::planes alive

  /// True if every item says its class.
  bool labelled() const;
};

/// Which half of a data set that has two; folders have one.
enum class Part { kTest, kTrain };

/// Opens what `spec` names, its items in an order that is the same on every machine:
///
/// - `cifar10:DIR`: the official binary batches in DIR or DIR/cifar-10-batches-bin, test_batch.bin or
///   data_batch_1.bin to data_batch_5.bin by `part`. Their sizes and labels are checked.
/// - A folder with labels.csv: the column `file` (a path inside the folder) and either `class_index_0_999`,
///   which counts without background, or `class`, which is matched as below. Other columns are passed over.
/// - A folder with one sub-folder a class. All are named by synset, or by label (whole, or up to its first
///   comma; case and underscores do not matter), or by the model's index. Where none is, and there are as
///   many folders as classes, they are numbered in sorted order.
/// - A flat folder of pictures, which have no class.
///
/// `labels` are the model's, one a class or none; `classes` is the number of its outputs. With classes = 0
/// the true classes are not looked for (calibration needs none), and every form is accepted. Errors say what
/// is there and what was expected: nothing there, no pictures, missing files, classes out of range or that
/// match nothing, loose pictures beside class folders.
Result<Dataset> open_dataset(std::string_view spec, std::span<const std::string> labels, int classes,
                             Part part = Part::kTest);

/// The picture itself. Thread-safe. Errors: those of image::read_image.
Result<image::Image> load(const Item& item);

}  // namespace linnet::data
