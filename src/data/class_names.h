// Finds the class that a name means: a synset, a label or an index.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"

namespace linnet::data {

class ClassNames {
 public:
  /// labels: one a class, or none.
  ClassNames(std::span<const std::string> labels, int classes);

  /// By synset, else by label, else by index: the first of them that knows the name. Background is no class.
  /// Errors: a name that means none or several, an index out of range; without the place where it stands.
  Result<int> find(std::string_view name) const;
  /// By the whole label, or by its part before the first comma, whatever the case; '_' counts as a space.
  std::optional<int> by_label(std::string_view name) const;

 private:
  void learn(std::unordered_map<std::string, int>& names, std::string key, int index);

  int classes_;
  std::unordered_map<std::string, int> synsets_;
  std::unordered_map<std::string, int> labels_;  ///< -1: means several
  std::unordered_map<std::string, int> short_labels_;
};

}  // namespace linnet::data
