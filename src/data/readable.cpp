#include "data/readable.h"

#include <atomic>
#include <map>

namespace linnet::data {

Result<Dataset> only_readable(Dataset set, ThreadPool& pool,
                              const std::function<void(const Error&)>& report) {
  std::vector<std::optional<Error>> errors(set.items.size());
  std::atomic<std::size_t> next = 0;  // pictures differ in size, so threads take them one by one
  pool.run([&](int) {
    for (std::size_t i = next++; i < set.items.size(); i = next++)
      if (set.items[i].planes.empty())
        if (const Result<image::Image> picture = load(set.items[i]); !picture) errors[i] = picture.error();
  });
  std::map<std::optional<int>, std::pair<std::size_t, std::size_t>> classes;  // pictures, good ones
  std::vector<Item> good;
  for (std::size_t i = 0; i < set.items.size(); ++i) {
    auto& [pictures, readable] = classes[set.items[i].label];
    ++pictures;
    if (errors[i]) {
      report(*errors[i]);
      continue;
    }
    ++readable;
    good.push_back(std::move(set.items[i]));
  }
  for (const auto& [label, counts] : classes)
    if (counts.second == 0)
      return fail("{}: none of the {} pictures{} can be read", set.name, counts.first,
                  label ? fmt::format(" of class {}", *label) : "");
  set.items = std::move(good);
  return set;
}

}  // namespace linnet::data
