#include "api/model_list.h"

#include "api/model_source.h"
#include "graph/statistics.h"
#include "hub/cache/cache.h"

namespace linnet {
namespace {

/// Counts need shapes only, and zeros are faster than random weights.
Result<Totals> count(std::string_view family) {
  LINNET_TRY(const FamilyConfig config, parse_family(family));
  LINNET_TRY(const Graph graph, build(config, [](const WeightRequest& request) -> Result<Constant> {
               std::size_t size = 1;
               for (const int dim : request.dims) size *= static_cast<std::size_t>(dim);
               return Constant(request.dims, AlignedVector<float>(size));
             }));
  return totals(graph);
}

}  // namespace

Result<std::vector<ListedModel>> list_models() {
  std::vector<ListedModel> models;
  const auto cache = hub::cache_folder();
  const auto chosen = default_model();
  for (const hub::KnownModel& known : hub::known_models()) {
    ListedModel model;
    model.name = known.name;
    model.family = known.family;
    model.licence = known.licence;
    model.source = known.repository.empty() ? known.url : known.repository;
    if (known.published_top1 > 0) model.published_top1 = known.published_top1;
    LINNET_TRY(const Totals sum, count(known.family));
    model.macs = sum.macs;
    model.parameters = sum.parameters;
    if (const auto cached = cache ? hub::find_cached(*cache, known.name) : std::nullopt) {
      model.path = cached->model_path();
      model.bytes = cached->files.front().bytes;
    }
    model.is_default = chosen && chosen->known == &known;
    models.push_back(std::move(model));
  }
  return models;
}

}  // namespace linnet
