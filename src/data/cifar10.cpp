#include "data/cifar10.h"

#include "base/file.h"
#include "data/class_names.h"

namespace linnet::data {
namespace {

using namespace cifar10;

/// The model's class for each of CIFAR-10's.
Result<std::vector<int>> match_names(std::span<const std::string> labels, int classes) {
  std::vector<int> match(kNames.size());
  if (classes != 10) return fail("CIFAR-10 has 10 classes, the model {}", classes);
  const ClassNames names(labels, classes);
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    match[i] = static_cast<int>(i);
    if (labels.empty()) continue;
    const auto found = names.by_label(kNames[i]);
    if (!found)
      return fail(
          "the model's labels (\"{}\", …) are not CIFAR-10's: \"{}\" is missing; name them with --labels",
          labels[0], kNames[i]);
    match[i] = *found;
  }
  return match;
}

}  // namespace

Result<Dataset> open_cifar10(const std::filesystem::path& folder, std::span<const std::string> labels,
                             int classes, Part part) {
  std::filesystem::path root = folder;
  std::error_code ignored;
  if (std::filesystem::is_directory(folder / "cifar-10-batches-bin", ignored)) root /= "cifar-10-batches-bin";
  const std::span all(kFiles);
  const auto files = part == Part::kTrain ? all.first(5) : all.last(1);

  std::vector<int> match;
  if (classes != 0) {
    auto matched = match_names(labels, classes);
    if (!matched) return fail("cifar10:{}: {}", folder.string(), matched.error().message);
    match = *std::move(matched);
  }
  Dataset set;
  auto owners = std::make_shared<std::vector<MappedFile>>();
  for (const std::string_view name : files) {
    const std::filesystem::path path = root / name;
    if (!std::filesystem::exists(path, ignored))
      return fail(
          "{}: is not there; cifar10:DIR wants the folder of the official binary batches ({}), as linnet "
          "pull "
          "cifar10 makes it, or as unpacked from cifar-10-binary.tar.gz",
          path.string(), files[0]);
    LINNET_TRY(MappedFile file, MappedFile::open(path));
    const std::span<const std::byte> bytes = file.bytes();
    if (bytes.size() != kRecord * kRecords)
      return fail("{}: {} bytes, but a batch of CIFAR-10 has {}; fetch it again", path.string(), bytes.size(),
                  kRecord * kRecords);
    for (std::size_t i = 0; i < kRecords; ++i) {
      const std::span<const std::byte> record = bytes.subspan(i * kRecord, kRecord);
      const auto label = static_cast<std::size_t>(record[0]);
      if (label >= kNames.size())
        return fail("{}: record {} has class {}, but CIFAR-10 has 0 to 9; is it CIFAR-100?", path.string(), i,
                    label);
      Item item{fmt::format("{} {}", name, i), {}, record.subspan(1), {}};
      if (!match.empty()) item.label = match[label];
      set.items.push_back(std::move(item));
    }
    owners->push_back(std::move(file));
  }
  set.owner = std::move(owners);
  return set;
}

image::Image picture_of_planes(std::span<const std::byte> planes) {
  image::Image picture{.height = kSide, .width = kSide, .pixels = std::vector<std::uint8_t>(kPlanes)};
  for (std::size_t i = 0; i < kPlane; ++i)
    for (std::size_t c = 0; c < 3; ++c)
      picture.pixels[i * 3 + c] = static_cast<std::uint8_t>(planes[c * kPlane + i]);
  return picture;
}

}  // namespace linnet::data
