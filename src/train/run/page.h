// What a training run did, as a web page for a person: one file that fetches nothing and runs nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "image/image.h"
#include "train/run/history.h"

namespace linnet::train {

/// A picture that was taken for another class.
struct Mistake {
  std::string name;      ///< of the file
  image::Image picture;  ///< RGB, of any size
  int label = 0;         ///< the true class
  int predicted = 0;
  double probability = 0;        ///< of the predicted class, 0 … 1
  double label_probability = 0;  ///< of the true class
};

/// How often the finished model is right on pictures that it was not trained on.
struct TestResult {
  std::string pictures;  ///< which they are: "the test pictures", "the pictures held out"
  std::int64_t images = 0;
  std::int64_t right = 0;
  std::optional<std::int64_t> int8_right = {};  ///< of the int8 model
  /// classes x classes: images of class r taken for class c, at r * classes + c.
  std::vector<std::int64_t> confusion = {};
};

struct TrainingReport {
  std::string title;
  std::string summary;  ///< a sentence: what was trained on what
  std::string command;
  std::vector<std::pair<std::string, std::string>> settings;
  std::vector<EpochRecord> history;
  std::vector<std::string> classes;
  std::optional<TestResult> result = {};
  std::vector<Mistake> mistakes = {};  ///< the worst ones first
};

/// The page. Errors: a picture without pixels.
Result<std::string> page(const TrainingReport& report);

}  // namespace linnet::train
