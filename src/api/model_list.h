// The models that a person may call by name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "hub/embedded/embedded.h"

namespace linnet {

struct ListedModel {
  std::string name;
  std::string family;                            ///< the same network untrained
  const hub::EmbeddedModel* embedded = nullptr;  ///< a part of the program
  std::filesystem::path path;                    ///< in the cache; empty: embedded, or not pulled yet
  bool is_default = false;                       ///< used where no model is named
  std::optional<std::uint64_t> bytes;            ///< of the weights, where they are here
  std::string data;                              ///< what it was trained and tested on
  std::optional<double> published_top1;          ///< per cent on ImageNet's validation set, by the publisher
  std::int64_t macs = 0;
  std::int64_t parameters = 0;
  std::string licence;
  std::string source;  ///< repository or address; of an embedded model, the command that trained it
};

/// Every embedded model, then every known one.
Result<std::vector<ListedModel>> list_models();

}  // namespace linnet
