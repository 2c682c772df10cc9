// linnet models: what can be named as MODEL.
#include <nlohmann/json.hpp>

#include "api/model_list.h"
#include "print.h"
#include "verb.h"

namespace linnet::cli {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const ListedModel& model) {
  Json json = {{"name", model.name},
               {"family", model.family},
               {"cached", !model.path.empty()},
               {"default", model.is_default}};
  if (!model.path.empty()) json["path"] = model.path.string();
  if (model.bytes) json["bytes"] = *model.bytes;
  if (model.published_top1) json["published_top1"] = *model.published_top1;
  json["macs"] = model.macs;
  json["parameters"] = model.parameters;
  json["licence"] = model.licence;
  json["source"] = model.source;
  return json;
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
               {"top-1", Align::kRight},
               {"million MACs", Align::kRight},
               {"parameters", Align::kRight},
               {"size", Align::kRight},
               {"licence"}});
  for (const ListedModel& model : models)
    table.row({model.name,
               model.is_default     ? "default"
               : model.path.empty() ? ""
                                    : "yes",
               model.published_top1 ? percent(*model.published_top1 / 100, 1) : "",
               fmt::format("{:.1f}", static_cast<double>(model.macs) / 1e6), grouped(model.parameters),
               model.bytes ? size_text(*model.bytes) : "", model.licence});
  print(table.text());
  note(
      "top-1 is the publisher's, on ImageNet's validation set. linnet pull NAME fetches a model that is not "
      "here.");
  return 0;
}

}  // namespace

void add_models(CLI::App& app, Action& action) {
  CLI::App* verb =
      app.add_subcommand("models", "List the models that Linnet knows by name, and those in the cache");
  auto json = std::make_shared<bool>(false);
  verb->add_flag("--json", *json, "Print JSON");
  verb->footer("Example:\n  linnet models");
  verb->callback([&action, json] { action = [json] { return run(*json); }; });
}

}  // namespace linnet::cli
