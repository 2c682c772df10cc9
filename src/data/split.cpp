#include "data/split.h"

#include <map>

#include "data/stream.h"

namespace linnet::data {

Result<Split> split(const Dataset& all, std::size_t held_out, std::uint64_t seed) {
  if (!all.labelled())
    return fail("{}: some pictures have no class, so they cannot be split by class", all.name);
  if (held_out >= all.items.size())
    return usage("{}: {} pictures cannot be held back from {}; hold back fewer", all.name, held_out,
                 all.items.size());
  std::map<int, std::vector<std::size_t>> classes;
  for (std::size_t i = 0; i < all.items.size(); ++i) classes[*all.items[i].label].push_back(i);

  // Each class gives what brings the number given so far to its share of the number seen so far.
  std::vector<bool> is_held(all.items.size(), false);
  std::size_t seen = 0, given = 0;
  for (auto& [label, items] : classes) {
    shuffle(items, stream_of(seed, Draws::kSplit, 0, label));
    seen += items.size();
    const std::size_t due = seen * held_out / all.items.size();
    for (std::size_t i = 0; given < due; ++i, ++given) is_held[items[i]] = true;
  }
  Split parts;
  parts.train.name = parts.validation.name = all.name;
  parts.train.owner = parts.validation.owner = all.owner;
  for (std::size_t i = 0; i < all.items.size(); ++i)
    (is_held[i] ? parts.validation : parts.train).items.push_back(all.items[i]);
  return parts;
}

}  // namespace linnet::data
