// linnet models: what can be named as MODEL.
#include <nlohmann/json.hpp>

#include "api/model_list.h"
#include "print.h"
#include "verb.h"

namespace linnet::cli {
namespace {

using Json = nlohmann::ordered_json;

/// Of the images of its test set, a share.
double measured_top1(const hub::EmbeddedModel& model) {
  return static_cast<double>(model.right) / static_cast<double>(model.images);
}

Json to_json(const ListedModel& model) {
  Json json = {{"name", model.name},
               {"family", model.family},
               {"embedded", model.embedded != nullptr},
               {"cached", !model.path.empty()},
               {"default", model.is_default},
               {"data", model.data}};
  if (!model.path.empty()) json["path"] = model.path.string();
  if (model.bytes) json["bytes"] = *model.bytes;
  if (model.published_top1) json["published_top1"] = *model.published_top1;
  if (model.embedded) {
    json["top1"] = measured_top1(*model.embedded);
    json["images"] = model.embedded->images;
    json["right_first"] = model.embedded->right;
  }
  json["macs"] = model.macs;
  json["parameters"] = model.parameters;
  json["licence"] = model.licence;
  json["source"] = model.source;
  return json;
}

std::string top1_text(const ListedModel& model) {
  if (model.embedded) return percent(measured_top1(*model.embedded));
  return model.published_top1 ? percent(*model.published_top1 / 100, 1) : "";
}

std::string here_text(const ListedModel& model) {
  const char* const where = model.embedded ? "embedded" : model.path.empty() ? "" : "cached";
  return model.is_default ? fmt::format("{}, default", where) : where;
}

Result<int> run(bool json) {
  LINNET_TRY(const std::vector<ListedModel> models, list_models());
  if (json) {
    Json list = Json::array();
    for (const ListedModel& model : models) list.push_back(to_json(model));
    print(Json{{"models", list}}.dump() + "\n");
    return 0;
  }
  Table table({{"model"},
               {"here"},
               {"trained on"},
               {"top-1", Align::kRight},
               {"million MACs", Align::kRight},
               {"parameters", Align::kRight},
               {"size", Align::kRight},
               {"licence"}});
  for (const ListedModel& model : models)
    table.row({model.name, here_text(model), model.data, top1_text(model),
               fmt::format("{:.1f}", static_cast<double>(model.macs) / 1e6), grouped(model.parameters),
               model.bytes ? size_text(*model.bytes) : "", model.licence});
  print(table.text());
  note(
      "top-1 of an embedded model is its own, on the whole test set (models/README.md); of any other the "
      "publisher's, on ImageNet's validation set. linnet pull NAME fetches a model that is not here.");
  return 0;
}

}  // namespace

void add_models(CLI::App& app, Action& action) {
  CLI::App* verb =
      app.add_subcommand("models", "List the models that have names: embedded, in the cache, to be pulled");
  auto json = std::make_shared<bool>(false);
  verb->add_flag("--json", *json, "Print JSON");
  verb->footer("Example:\n  linnet models");
  verb->callback([&action, json] { action = [json] { return run(*json); }; });
}

}  // namespace linnet::cli
