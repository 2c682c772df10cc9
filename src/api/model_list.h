// The models that a person may call by name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace linnet {

struct ListedModel {
  std::string name;
  std::string family;                    ///< the same network untrained
  std::filesystem::path path;            ///< in the cache; empty: not pulled yet
  bool is_default = false;               ///< used where no model is named
  std::optional<std::uint64_t> bytes;    ///< of the weights, where they are here
  std::optional<double> published_top1;  ///< per cent on ImageNet's validation set, by the publisher
  std::int64_t macs = 0;
  std::int64_t parameters = 0;
  std::string licence;
  std::string source;  ///< repository or address
};

/// Every known model, and the default one where it is none of them.
Result<std::vector<ListedModel>> list_models();

}  // namespace linnet
