// Any bytes as a .safetensors file: a Graph or an error, nothing else. A graph that is accepted must be
// legal, and one in Linnet's own form must say itself again.
#include <cstdlib>

#include "base/aligned.h"
#include "formats/safetensors/container.h"
#include "formats/safetensors/linnet_form.h"
#include "formats/state_dict/state_dict.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace linnet;
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto file = formats::parse_safetensors(bytes, nullptr, "fuzz");
  if (!file) return 0;
  if (!formats::is_linnet_form(*file)) {
    const auto graph = formats::graph_from_state_dict(file->tensors, "fuzz");
    if (graph && !validate(*graph)) std::abort();
    return 0;
  }
  const auto graph = formats::graph_from_linnet_form(*file, "fuzz");
  if (!graph) return 0;
  if (!validate(*graph) || !formats::linnet_form(*graph)) std::abort();
  return 0;
}
