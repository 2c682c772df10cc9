// The user's cache of pulled models: where it is, and what is in it. Needs the standard library alone, so
// that a program may look a name up without linking anything that can download.
//
//   CACHE/models/NAME/            one folder a model; what is given to the readers (or its one file)
//   CACHE/models/NAME/pulled.json what was pulled: each file's address, size and SHA-256, written last
//   (pulling.json until then)
//   CACHE/data/NAME/              one folder a data set, with such a record
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace linnet::hub {

/// $LINNET_CACHE, else $XDG_CACHE_HOME/linnet, else ~/.cache/linnet. Errors: none of them is set.
Result<std::filesystem::path> cache_folder();

/// One pulled file, as the record beside it states it.
struct PulledFile {
  std::string name;         ///< inside the model's folder, e.g. "model.safetensors"
  std::string url;          ///< where it came from; a path for `--from FILE`
  std::uint64_t bytes = 0;  ///< its size
  std::string sha256;       ///< computed from the bytes, in hex
  std::string verified_by;  ///< what the hash was checked against, e.g. "sha256 that the hub declares";
                            ///< empty: nothing
};

struct CachedModel {
  std::string name;
  std::filesystem::path folder;
  std::string commit;             ///< the hub's revision that all files are of; empty outside the hub
  std::vector<PulledFile> files;  ///< the first one holds the weights

  /// What a reader is given: the folder where it has a config.json, else the file of weights.
  std::filesystem::path model_path() const;
};

/// The folder of one model inside the cache, whether it exists or not.
std::filesystem::path model_folder(const std::filesystem::path& cache, std::string_view name);

/// The folder of one data set inside the cache, whether it exists or not.
std::filesystem::path data_folder(const std::filesystem::path& cache, std::string_view name);

enum class Record {
  kPulled,   ///< the model is whole
  kPulling,  ///< some of its files are here: what the next pull carries on from
};

/// The record in a folder. Nothing where there is none, or where a file is missing or has another size than
/// was recorded.
std::optional<CachedModel> read_record(const std::filesystem::path& folder, Record record);

/// read_record() of a model.
std::optional<CachedModel> find_cached(const std::filesystem::path& cache, std::string_view name,
                                       Record record = Record::kPulled);

/// All of them, sorted by name.
std::vector<CachedModel> cached_models(const std::filesystem::path& cache);

/// Writes the record of files that are in place; kPulled ends kPulling. Errors: as write_file.
Result<void> write_record(const CachedModel& model, Record record);

}  // namespace linnet::hub
