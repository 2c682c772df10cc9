#include "hub/pull/pull.h"

#include <algorithm>
#include <cstdlib>

#include "base/file.h"
#include "hub/pull/digest.h"
#include "hub/pull/folder_lock.h"

namespace linnet::hub {
namespace {

namespace fs = std::filesystem;

/// A file that a model consists of.
struct Wanted {
  std::string name;
  bool optional = false;  ///< the model can be read without it
};

/// Alternatives come in the order of preference; one of them is enough.
const std::vector<std::string> kWeights = {"model.safetensors", "pytorch_model.bin"};
const std::vector<Wanted> kConfiguration = {{"config.json", false}, {"preprocessor_config.json", true}};

std::string hub_address() {
  for (const char* name : {"LINNET_HUB_URL", "HF_ENDPOINT"})
    if (const char* value = std::getenv(name); value && *value) return value;
  return "https://huggingface.co";
}

std::string without_slash(std::string address) {
  while (!address.empty() && address.back() == '/') address.pop_back();
  return address;
}

bool is_address(std::string_view text) { return text.starts_with("http://") || text.starts_with("https://"); }

std::string last_part(std::string_view address) {
  address = address.substr(0, address.find_first_of("?#"));
  return std::string(address.substr(address.rfind('/') + 1));
}

bool names_weights(const std::string& name) {
  const std::string extension = fs::path(name).extension().string();
  return extension == ".safetensors" || extension == ".bin" || extension == ".pth";
}

/// torchvision's "mobilenet_v2-7ebf99e0.pth" names the first digits of its own SHA-256.
std::string hash_in_name(const KnownModel& known) {
  if (known.url.empty()) return "";
  const std::string stem = fs::path(last_part(known.url)).stem().string();
  const auto dash = stem.rfind('-');
  return dash == std::string::npos ? "" : stem.substr(dash + 1);
}

std::string how_by_hand(const KnownModel& known) {
  const std::string where = known.repository.empty()
                                ? std::string(known.url)
                                : without_slash(hub_address()) + "/" + std::string(known.repository);
  return fmt::format("Without a network here: get {} in another way, then linnet pull {} --from {}", where,
                     known.name, known.repository.empty() ? "FILE" : "FOLDER");
}

class Puller {
 public:
  /// `earlier`: what a pull that was interrupted left.
  Puller(const KnownModel& known, const PullOptions& options, fs::path folder,
         std::optional<CachedModel> earlier)
      : known_(known), options_(options), earlier_(std::move(earlier)) {
    model_.name = known.name;
    model_.folder = std::move(folder);
  }

  Result<CachedModel> run() {
    LINNET_CHECK(fetch_all());
    LINNET_CHECK(write_record(model_, Record::kPulled));
    return std::move(model_);
  }

 private:
  Result<void> fetch_all() {
    if (!options_.from.empty() && !is_address(options_.from)) return from_disk(options_.from);
    return known_.url.empty() ? repository() : single_file();
  }

  std::expected<void, DownloadError> fetch(const std::string& address, const std::string& name) {
    if (earlier_)
      for (const PulledFile& file : earlier_->files)
        if (file.name == name && file.url == address) {
          model_.commit = earlier_->commit;
          model_.files.push_back(file);
          return {};
        }
    DownloadRequest request;
    request.url = address;
    request.path = model_.folder / name;
    request.sha256_prefix = hash_in_name(known_);
    request.how_by_hand = how_by_hand(known_);
    request.pause = options_.pause;
    request.progress = options_.progress;
    auto file = download(request);
    if (!file) return std::unexpected(std::move(file).error());
    if (!file->commit.empty()) model_.commit = file->commit;
    model_.files.push_back({name, address, file->bytes, file->sha256, file->verified_by});
    if (auto kept = write_record(model_, Record::kPulling); !kept)
      return std::unexpected(DownloadError{std::move(kept).error()});
    return {};
  }

  Result<void> single_file() {
    const std::string address = options_.from.empty() ? std::string(known_.url) : options_.from;
    if (auto fetched = fetch(address, last_part(known_.url)); !fetched)
      return std::unexpected(std::move(fetched).error().error);
    return {};
  }

  /// Weights first, so that the record names them first; then everything else of the same revision.
  Result<void> repository() {
    const auto address_of = [&](const std::string& name) {
      if (!options_.from.empty()) {
        const std::string from = without_slash(options_.from);
        return (names_weights(last_part(from)) ? from.substr(0, from.rfind('/')) : from) + "/" + name;
      }
      return fmt::format("{}/{}/resolve/{}/{}", without_slash(hub_address()), known_.repository,
                         model_.commit.empty() ? "main" : model_.commit, name);
    };
    std::vector<std::string> weights = kWeights;
    if (const std::string named = last_part(options_.from); names_weights(named)) weights = {named};
    std::expected<void, DownloadError> fetched;
    for (const std::string& name : weights) {
      fetched = fetch(address_of(name), name);
      if (fetched || !fetched.error().absent) break;
    }
    if (!fetched) return std::unexpected(std::move(fetched).error().error);
    for (const Wanted& wanted : kConfiguration) {
      fetched = fetch(address_of(wanted.name), wanted.name);
      if (!fetched && !(wanted.optional && fetched.error().absent))
        return std::unexpected(std::move(fetched).error().error);
    }
    return {};
  }

  Result<void> copy(const fs::path& from, const std::string& name) {
    LINNET_TRY(const MappedFile file, MappedFile::open(from));
    const fs::path path = model_.folder / name;
    const std::span<const std::byte> bytes = file.bytes();
    LINNET_CHECK(write_file(path, std::span(&bytes, 1)));
    LINNET_TRY(const Digests digests, digests_of_file(path));
    const std::string prefix = hash_in_name(known_);
    if (!digests.sha256.starts_with(prefix)) {
      std::error_code ignored;
      fs::remove(path, ignored);
      return fail("{}: is not the published {}: its SHA-256 is {}, the published name says {}…",
                  from.string(), name, digests.sha256, prefix);
    }
    model_.files.push_back({name, fs::absolute(from).string(), bytes.size(), digests.sha256,
                            prefix.empty() ? "" : "SHA-256 prefix in the published name"});
    return {};
  }

  Result<void> from_disk(const fs::path& from) {
    std::error_code error;
    const bool is_folder = fs::is_directory(from, error);
    if (!fs::exists(from, error))
      return fail("{}: there is no such file or folder; --from takes one, or an http(s) address",
                  from.string());
    if (!known_.url.empty()) {
      const std::string name = last_part(known_.url);
      return copy(is_folder ? from / name : from, name);
    }
    const fs::path folder = is_folder ? from : from.parent_path();
    if (!is_folder) {
      // A renamed download is still one of the two forms, and the readers go by the name.
      const std::string extension = from.extension().string();
      if (!names_weights(from.filename().string()))
        return fail(
            "{}: is neither .safetensors nor .bin; --from takes the weights or the folder that holds them",
            from.string());
      LINNET_CHECK(copy(from, extension == ".safetensors" ? kWeights[0] : kWeights[1]));
    } else {
      const auto present =
          std::ranges::find_if(kWeights, [&](const std::string& name) { return fs::exists(folder / name); });
      if (present == kWeights.end())
        return fail("{}: holds neither {} nor {}; download one of them from {}/{} into it", from.string(),
                    kWeights[0], kWeights[1], without_slash(hub_address()), known_.repository);
      LINNET_CHECK(copy(folder / *present, *present));
    }
    for (const Wanted& wanted : kConfiguration) {
      if (fs::exists(folder / wanted.name)) {
        LINNET_CHECK(copy(folder / wanted.name, wanted.name));
      } else if (!wanted.optional) {
        return fail("{}: lacks {}, without which the weights cannot be read; download it from {}/{} into it",
                    folder.string(), wanted.name, without_slash(hub_address()), known_.repository);
      }
    }
    return {};
  }

  const KnownModel& known_;
  const PullOptions& options_;
  const std::optional<CachedModel> earlier_;
  CachedModel model_;
};

/// Every byte is still what was pulled.
bool is_intact(const CachedModel& model) {
  return std::ranges::all_of(model.files, [&](const PulledFile& file) {
    const auto digests = digests_of_file(model.folder / file.name);
    return digests && digests->sha256 == file.sha256;
  });
}

}  // namespace

Result<Pulled> pull(std::string_view name, const PullOptions& options) {
  const KnownModel* known = find_known(name);
  if (!known) return usage("{}: is not a model that can be pulled; these are:{}", name, known_names());
  LINNET_TRY(const fs::path cache, cache_folder());
  const fs::path folder = model_folder(cache, known->name);
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    return fail("{}: cannot create the folder: {}; LINNET_CACHE names another cache", folder.string(),
                error.message());
  LINNET_TRY(const FolderLock lock, FolderLock::take(folder, [&] {
               if (options.notice)
                 options.notice(fmt::format("waiting for another linnet that pulls {}", known->name));
             }));
  // A source that the user names is meant to be used, whatever is there already.
  if (options.from.empty())
    if (auto model = find_cached(cache, known->name); model && is_intact(*model))
      return Pulled{*std::move(model), true};
  LINNET_TRY(CachedModel model,
             Puller(*known, options, folder, find_cached(cache, known->name, Record::kPulling)).run());
  return Pulled{std::move(model), false};
}

}  // namespace linnet::hub
