// For tests: data sets of made-up pictures in memory.
#pragma once

#include <memory>
#include <vector>

#include "base/random.h"
#include "data/cifar10.h"

namespace linnet::data {

/// `n` pictures of noise in CIFAR-10's form, of classes 0, 1, … classes - 1 in turn.
inline Dataset made_up(std::size_t n, int classes, std::uint64_t seed = 1) {
  auto bytes = std::make_shared<std::vector<std::byte>>(n * cifar10::kPlanes);
  Random random(seed);
  for (std::byte& byte : *bytes) byte = static_cast<std::byte>(random.next() >> 56);
  Dataset set;
  set.name = "made up";
  for (std::size_t i = 0; i < n; ++i)
    set.items.push_back({fmt::format("{}", i),
                         {},
                         std::span(*bytes).subspan(i * cifar10::kPlanes, cifar10::kPlanes),
                         static_cast<int>(i % static_cast<std::size_t>(classes))});
  set.owner = std::move(bytes);
  return set;
}

}  // namespace linnet::data
