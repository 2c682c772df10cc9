// Any text as a family: refused with an error, or read, said again and read to the same; small ones are
// built.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "graph/families/family.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace linnet;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto config = parse_family(text);
  if (!config) {
    if (config.error().message.empty()) std::abort();
    return 0;
  }
  const auto again = parse_family(to_string(*config));
  if (!again || *again != *config) std::abort();
  if (config->width <= 0.1 && config->classes <= 100) {
    const auto graph = build(*config);
    if (graph && !validate(*graph)) std::abort();
  }
  return 0;
}
