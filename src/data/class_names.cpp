#include "data/class_names.h"

#include <algorithm>
#include <charconv>

#include "data/labels.h"

namespace linnet::data {
namespace {

constexpr int kSeveral = -1;

std::string normalised(std::string_view name) {
  std::string out(name);
  for (char& c : out) {
    if (c == '_') c = ' ';
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace

ClassNames::ClassNames(std::span<const std::string> labels, int classes) : classes_(classes) {
  for (int i = first_class(classes); i < static_cast<int>(labels.size()); ++i) {
    const Label label = split_label(labels[static_cast<std::size_t>(i)]);
    if (!label.synset.empty()) learn(synsets_, std::string(label.synset), i);
    learn(labels_, normalised(label.words), i);
    learn(short_labels_, normalised(label.words.substr(0, label.words.find(','))), i);
  }
}

void ClassNames::learn(std::unordered_map<std::string, int>& names, std::string key, int index) {
  const auto [entry, added] = names.emplace(std::move(key), index);
  if (!added) entry->second = kSeveral;
}

std::optional<int> ClassNames::by_label(std::string_view name) const {
  const std::string key = normalised(name);
  for (const auto* names : {&labels_, &short_labels_})
    if (const auto found = names->find(key); found != names->end() && found->second != kSeveral)
      return found->second;
  return {};
}

Result<int> ClassNames::find(std::string_view name) const {
  if (const auto found = synsets_.find(std::string(name));
      found != synsets_.end() && found->second != kSeveral)
    return found->second;
  if (const auto found = by_label(name)) return *found;
  if (short_labels_.contains(normalised(name)))
    return fail("\"{}\" is the label of several classes; name it by synset or by index", name);
  int index = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
  if (name.empty() || end != name.data() + name.size()) {
    const bool synset = !split_label(name).synset.empty() && synsets_.empty();
    return fail("\"{}\" is no label of the model{}", name,
                synset ? ", whose labels have no synsets; give them with --labels" : "");
  }
  if (error != std::errc() || index < first_class(classes_) || index >= classes_)
    return fail("class {} is outside of the model's {} to {}", name, first_class(classes_), classes_ - 1);
  return index;
}

}  // namespace linnet::data
