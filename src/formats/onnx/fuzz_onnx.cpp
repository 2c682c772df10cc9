// Any bytes: the reader returns a legal graph or an error, and what it reads, the writer writes and the
// reader reads again; an int8 graph is then the same one.
#include <cstdlib>

#include "formats/onnx/reader.h"
#include "formats/onnx/writer.h"
#include "graph/passes/passes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace linnet;
  const auto graph = formats::read_onnx(std::as_bytes(std::span(data, size)), "fuzz");
  if (!graph) {
    if (graph.error().message.empty()) std::abort();
    return 0;
  }
  if (!validate(canonical(*graph))) std::abort();
  const auto bytes = formats::onnx_bytes(*graph);
  if (!bytes) return 0;  // numbers in the preprocessing that JSON cannot say
  auto again = formats::read_onnx(std::as_bytes(std::span(*bytes)), "again");
  if (!again) std::abort();
  again->name = graph->name;
  if (is_int8(*graph) && *again != *graph) std::abort();
  return 0;
}
