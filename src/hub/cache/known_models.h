// The models that `linnet pull` knows by name: where they are published, and nothing that would have to be
// kept in step with them. Sizes and hashes are not here: the publisher's own answer declares them when a file
// is pulled.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace linnet::hub {

struct KnownModel {
  std::string_view name;        ///< what the user types; the last part of the published name
  std::string_view repository;  ///< on the Hugging Face hub, e.g. "google/mobilenet_v2_1.0_224"; else empty
  std::string_view url;         ///< of a single published file; empty where `repository` is not
  std::string_view family;      ///< the same network untrained, as `linnet info` takes it
  std::string_view licence;     ///< as the publisher states it
  double published_top1 = 0;  ///< per cent on ImageNet's validation set, by the publisher; 0: not known to us
  int shortest_edge =
      0;  ///< the publisher's resize where it is not the dialect's default and no file says it; else 0
};

/// All of them, in the order in which they are listed.
std::span<const KnownModel> known_models();

/// By name, or by repository ("google/mobilenet_v2_1.0_224"); null where there is none.
const KnownModel* find_known(std::string_view name);

/// The names, a line each, for an error message.
std::string known_names();

}  // namespace linnet::hub
