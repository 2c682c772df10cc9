#include "train/run/history.h"

#include <sstream>

#include <nlohmann/json.hpp>

namespace linnet::train {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const EpochRecord& r) {
  Json json = {{"epoch", r.epoch}, {"learning_rate", r.learning_rate}, {"loss", r.loss}, {"top1", r.top1}};
  if (r.validation_loss) json["validation_loss"] = *r.validation_loss;
  if (r.validation_top1) json["validation_top1"] = *r.validation_top1;
  json["seconds"] = r.seconds;
  json["images_per_second"] = r.images_per_second;
  return json;
}

EpochRecord from_json(const Json& json) {
  const auto maybe = [&](const char* name) {
    const auto found = json.find(name);
    return found == json.end() ? std::nullopt : std::optional(found->get<double>());
  };
  return {.epoch = json.at("epoch").get<std::int64_t>(),
          .learning_rate = json.at("learning_rate").get<float>(),
          .loss = json.at("loss").get<double>(),
          .top1 = json.at("top1").get<double>(),
          .validation_loss = maybe("validation_loss"),
          .validation_top1 = maybe("validation_top1"),
          .seconds = json.at("seconds").get<double>(),
          .images_per_second = json.at("images_per_second").get<double>()};
}

}  // namespace

std::string to_jsonl(const std::vector<EpochRecord>& history) {
  std::string text;
  for (const EpochRecord& record : history) text += to_json(record).dump() + "\n";
  return text;
}

Result<std::vector<EpochRecord>> parse_jsonl(std::string_view text, std::string_view file) {
  std::vector<EpochRecord> history;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    try {
      history.push_back(from_json(Json::parse(line)));
    } catch (const Json::exception& error) {
      return fail("{}: line {}: is no record of an epoch: {}", file, history.size() + 1, error.what());
    }
  }
  return history;
}

}  // namespace linnet::train
