// Small models with one of everything that the reader reads: seeds for the fuzzer, and what the tests cut and
// damage.
#pragma once

#include <map>
#include <string>

namespace linnet::formats {

/// By file name. A few kilobytes each.
std::map<std::string, std::string> onnx_corpus();

}  // namespace linnet::formats
