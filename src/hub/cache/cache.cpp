#include "hub/cache/cache.h"

#include <algorithm>
#include <cstdlib>

#include <nlohmann/json.hpp>

#include "base/file.h"

namespace linnet::hub {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const char* file_name(Record record) { return record == Record::kPulled ? "pulled.json" : "pulling.json"; }

const char* environment(const char* name) {
  const char* value = std::getenv(name);
  return value && *value ? value : nullptr;
}

/// A record that somebody edited into something else is no record.
std::optional<CachedModel> parse_record(const std::string& text, const fs::path& folder) {
  const json record = json::parse(text, nullptr, false);
  if (!record.is_object()) return std::nullopt;
  CachedModel model;
  model.folder = folder;
  try {
    model.name = record.at("name").get<std::string>();
    model.commit = record.value("commit", "");
    for (const json& file : record.at("files")) {
      PulledFile pulled;
      pulled.name = file.at("name").get<std::string>();
      pulled.url = file.value("url", "");
      pulled.bytes = file.at("bytes").get<std::uint64_t>();
      pulled.sha256 = file.at("sha256").get<std::string>();
      pulled.verified_by = file.value("verified_by", "");
      // A name that leads out of the folder is not one that pull wrote.
      if (pulled.name.empty() || fs::path(pulled.name).filename() != pulled.name) return std::nullopt;
      model.files.push_back(std::move(pulled));
    }
  } catch (const json::exception&) {
    return std::nullopt;
  }
  if (model.files.empty()) return std::nullopt;
  return model;
}

}  // namespace

fs::path CachedModel::model_path() const {
  const auto is_config = [](const PulledFile& file) { return file.name == "config.json"; };
  return std::ranges::any_of(files, is_config) ? folder : folder / files.front().name;
}

Result<fs::path> cache_folder() {
  if (const char* folder = environment("LINNET_CACHE")) return fs::path(folder);
  if (const char* folder = environment("XDG_CACHE_HOME")) return fs::path(folder) / "linnet";
  if (const char* home = environment("HOME")) return fs::path(home) / ".cache" / "linnet";
  return fail(
      "there is no place for a cache: neither LINNET_CACHE nor XDG_CACHE_HOME nor HOME is set; set "
      "LINNET_CACHE");
}

fs::path model_folder(const fs::path& cache, std::string_view name) { return cache / "models" / name; }

fs::path data_folder(const fs::path& cache, std::string_view name) { return cache / "data" / name; }

std::optional<CachedModel> read_record(const fs::path& folder, Record record) {
  const auto text = read_text(folder / file_name(record));
  if (!text) return std::nullopt;
  auto model = parse_record(*text, folder);
  if (!model) return std::nullopt;
  for (const PulledFile& file : model->files) {
    std::error_code error;
    if (fs::file_size(folder / file.name, error) != file.bytes || error) return std::nullopt;
  }
  return model;
}

std::optional<CachedModel> find_cached(const fs::path& cache, std::string_view name, Record record) {
  return read_record(model_folder(cache, name), record);
}

std::vector<CachedModel> cached_models(const fs::path& cache) {
  std::vector<CachedModel> models;
  std::error_code error;
  for (fs::directory_iterator it(cache / "models", error), end; !error && it != end; it.increment(error))
    if (auto model = read_record(it->path(), Record::kPulled)) models.push_back(*std::move(model));
  std::ranges::sort(models, {}, &CachedModel::name);
  return models;
}

Result<void> write_record(const CachedModel& model, Record record) {
  json files = json::array();
  for (const PulledFile& file : model.files)
    files.push_back({{"name", file.name},
                     {"url", file.url},
                     {"bytes", file.bytes},
                     {"sha256", file.sha256},
                     {"verified_by", file.verified_by}});
  const json text = {{"name", model.name}, {"commit", model.commit}, {"files", files}};
  // A server's text may hold bytes that are not UTF-8; they are no reason to fail.
  LINNET_CHECK(write_file(model.folder / file_name(record),
                          text.dump(2, ' ', false, json::error_handler_t::replace) + "\n"));
  std::error_code ignored;
  if (record == Record::kPulled) fs::remove(model.folder / file_name(Record::kPulling), ignored);
  return {};
}

}  // namespace linnet::hub
