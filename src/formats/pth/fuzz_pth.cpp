// Any bytes as a .pth file: tensors or an error, nothing else. The first byte chooses whether the rest is a
// whole file or the pickle inside of one, which a zip's checksums would otherwise shield.
#include "formats/pth/pickle.h"
#include "formats/pth/pth.h"
#include "formats/state_dict/state_dict.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace linnet;
  if (size == 0) return 0;
  const auto bytes = std::as_bytes(std::span(data, size)).subspan(1);
  if (data[0] == 'P') {
    formats::pickle::Machine machine(bytes);
    (void)machine.run();
    return 0;
  }
  const auto tensors = formats::parse_pth_tensors(bytes, "fuzz");
  if (tensors) (void)formats::graph_from_state_dict(*tensors, "fuzz");
  return 0;
}
