#include "train/run/checkpoint.h"

#include <nlohmann/json.hpp>

#include "formats/safetensors/container.h"

namespace linnet::train {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kForm = "linnet training checkpoint 1";

}  // namespace

Result<void> write_checkpoint(const Checkpoint& checkpoint,
                              const std::map<std::string, std::span<const float>>& arrays,
                              const std::filesystem::path& path) {
  std::vector<formats::NamedConstant> tensors;
  for (const auto& [name, values] : arrays)
    if (!values.empty())
      tensors.push_back({name, Constant({static_cast<int>(values.size())}, values, nullptr)});
  const Json place = {{"step", checkpoint.step},
                      {"loss_sum", checkpoint.loss_sum},
                      {"correct", checkpoint.correct},
                      {"images", checkpoint.images},
                      {"seconds", checkpoint.seconds}};
  return formats::write_safetensors_file(tensors,
                                         {{"form", kForm},
                                          {"recipe", checkpoint.recipe},
                                          {"place", place.dump()},
                                          {"history", to_jsonl(checkpoint.history)}},
                                         path);
}

Result<Checkpoint> read_checkpoint(const std::filesystem::path& path) {
  const std::string name = path.string();
  LINNET_TRY(const MappedFile mapped, MappedFile::open(path));
  LINNET_TRY(const formats::SafetensorsFile file,
             formats::parse_safetensors(mapped.bytes(), mapped.owner(), name));
  const auto text = [&](const char* key) -> std::string {
    const auto found = file.metadata.find(key);
    return found == file.metadata.end() ? "" : found->second;
  };
  if (text("form") != kForm)
    return fail("{}: is no checkpoint that this version of linnet train reads", name);
  Checkpoint checkpoint{.recipe = text("recipe")};
  try {
    const Json place = Json::parse(text("place"));
    checkpoint.step = place.at("step").get<std::int64_t>();
    checkpoint.loss_sum = place.at("loss_sum").get<double>();
    checkpoint.correct = place.at("correct").get<std::int64_t>();
    checkpoint.images = place.at("images").get<std::int64_t>();
    checkpoint.seconds = place.at("seconds").get<double>();
  } catch (const Json::exception& error) {
    return fail("{}: does not say where the run is: {}", name, error.what());
  }
  LINNET_TRY(checkpoint.history, parse_jsonl(text("history"), name));
  for (const auto& [key, tensor] : file.tensors) {
    if (tensor.dtype != formats::Dtype::kF32 || tensor.dims.size() != 1)
      return fail("{}: \"{}\" is {}; a checkpoint holds rows of F32", name, key, formats::describe(tensor));
    LINNET_TRY(const Constant constant, formats::to_constant(tensor, {static_cast<int>(tensor.dims[0])}));
    const auto values = constant.values();
    checkpoint.arrays[key].assign(values.begin(), values.end());
  }
  return checkpoint;
}

}  // namespace linnet::train
