#include "hub/embedded/embedded.h"

namespace linnet::hub {

const EmbeddedModel* find_embedded(std::string_view name) {
  for (const EmbeddedModel& model : embedded_models())
    if (model.name == name) return &model;
  return nullptr;
}

}  // namespace linnet::hub
