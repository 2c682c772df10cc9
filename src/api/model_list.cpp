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

Result<ListedModel> listed(std::string_view name, std::string_view family, std::string_view data,
                           std::string_view licence, std::string_view source) {
  LINNET_TRY(const Totals sum, count(family));
  ListedModel model;
  model.name = name;
  model.family = family;
  model.data = data;
  model.licence = licence;
  model.source = source;
  model.macs = sum.macs;
  model.parameters = sum.parameters;
  return model;
}

}  // namespace

Result<std::vector<ListedModel>> list_models() {
  std::vector<ListedModel> models;
  const auto cache = hub::cache_folder();
  const auto chosen = default_model();
  for (const hub::EmbeddedModel& embedded : hub::embedded_models()) {
    LINNET_TRY(ListedModel model,
               listed(embedded.name, embedded.family, embedded.data, embedded.licence, embedded.command));
    model.embedded = &embedded;
    model.bytes = embedded.file.size();
    model.is_default = chosen && chosen->embedded == &embedded;
    models.push_back(std::move(model));
  }
  for (const hub::KnownModel& known : hub::known_models()) {
    LINNET_TRY(ListedModel model, listed(known.name, known.family, "ImageNet", known.licence,
                                         known.repository.empty() ? known.url : known.repository));
    if (known.published_top1 > 0) model.published_top1 = known.published_top1;
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
