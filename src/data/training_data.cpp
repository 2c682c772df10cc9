#include "data/training_data.h"

#include <algorithm>

#include "data/cifar10.h"

namespace linnet::data {
namespace {

namespace fs = std::filesystem;

/// Those of the training pictures (Krizhevsky's 50,000), as everyone rounds them.
constexpr std::array kCifarMean = {0.4914f, 0.4822f, 0.4465f};
constexpr std::array kCifarDeviation = {0.2470f, 0.2435f, 0.2616f};
/// Photographs in general: ImageNet's, as torchvision has them.
constexpr std::array kPhotographMean = {0.485f, 0.456f, 0.406f};
constexpr std::array kPhotographDeviation = {0.229f, 0.224f, 0.225f};

/// The sub-folders' names, sorted by their bytes, as open_dataset() numbers them.
Result<std::vector<std::string>> class_folders(const fs::path& root) {
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator entries(root, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    std::error_code ignored;
    std::string name = entries->path().filename().string();
    if (entries->is_directory(ignored) && !name.starts_with('.')) names.push_back(std::move(name));
  }
  if (error) return fail("{}: cannot list the folder: {}", root.string(), error.message());
  std::ranges::sort(names);
  if (names.size() < 2)
    return fail("{}: holds {} folders; to learn classes apart there must be one for each, two at least",
                root.string(), names.size());
  return names;
}

}  // namespace

Result<TrainingData> open_training_data(std::string_view spec) {
  TrainingData data;
  if (spec.starts_with("cifar10:")) {
    data.names.assign(cifar10::kNames.begin(), cifar10::kNames.end());
    data.resolution = cifar10::kSide;
    data.mean = kCifarMean;
    data.deviation = kCifarDeviation;
    LINNET_TRY(data.train, open_dataset(spec, data.names, 10, Part::kTrain));
    LINNET_TRY(data.test, open_dataset(spec, data.names, 10, Part::kTest));
    return data;
  }
  data.mean = kPhotographMean;
  data.deviation = kPhotographDeviation;
  const fs::path root(spec);
  std::error_code ignored;
  const bool halves = fs::is_directory(root / "train", ignored) && fs::is_directory(root / "test", ignored);
  const fs::path train = halves ? root / "train" : root;
  LINNET_TRY(data.names, class_folders(train));
  const auto classes = static_cast<int>(data.names.size());
  LINNET_TRY(data.train, open_dataset(train.string(), data.names, classes));
  if (halves) {
    LINNET_TRY(data.test, open_dataset((root / "test").string(), data.names, classes));
  }
  return data;
}

}  // namespace linnet::data
