// Any bytes: the reader returns a legal graph or an error.
#include <cstdlib>

#include "formats/tflite/reader.h"
#include "graph/passes/passes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto graph = linnet::formats::read_tflite(std::as_bytes(std::span(data, size)), "fuzz");
  if (graph && !linnet::validate(linnet::canonical(*graph))) std::abort();
  return 0;
}
