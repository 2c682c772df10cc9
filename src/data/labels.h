// Names of classes, as people's files give them.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace linnet::data {

/// Reads a file of labels, one a line, in the order of the classes: plain words, ImageNet's "n01440764 tench,
/// Tinca tinca", or either in quotes as Caffe writes them. A synset stays in front of its words, where
/// split_label() finds it. Errors, with the line: an empty line between others, text that is not UTF-8; an
/// empty file.
Result<std::vector<std::string>> read_labels(const std::filesystem::path& path);

/// The same for a model of `classes` classes: where it has one more class for background, in front
/// (TensorFlow's 1001), that label is added, or taken off where the file has it and the model has not.
/// Errors: any other number of labels.
Result<std::vector<std::string>> read_labels(const std::filesystem::path& path, int classes);

struct Label {
  std::string_view synset;  ///< "n01440764" (WordNet's offset of a noun), or empty
  std::string_view words;   ///< "tench, Tinca tinca"
};

/// Views into `text`.
Label split_label(std::string_view text);

/// The first class that counts. TensorFlow's ImageNet models have 1001 outputs, of which the first means
/// "background" and is never right: scores and rankings begin after it. A class index in this project is
/// always the model's own, background included.
constexpr int first_class(int classes) { return classes == 1001 ? 1 : 0; }

}  // namespace linnet::data
