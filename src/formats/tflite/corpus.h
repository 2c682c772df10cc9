// Small models with one of everything that the reader reads: seeds for the fuzzer, and what the tests cut and
// damage.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace linnet::formats {

/// By file name. A few kilobytes each.
std::map<std::string, std::vector<std::byte>> tflite_corpus();

/// `model` with a zip archive behind it that holds labels.txt with this text, as TFLite's tools append it.
std::vector<std::byte> with_labels(std::vector<std::byte> model, const std::string& labels);

}  // namespace linnet::formats
