// How many random cases a test takes.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdlib>

namespace linnet::testing {

/// `usual`, or an eighth of it where LINNET_FEW_CASES is set: ./check sets it under the sanitizers, and for
/// qemu, which make a program ten times as slow and look for what shows in any case rather than in a rare one.
template <std::integral T>
T cases(T usual) {
  return std::getenv("LINNET_FEW_CASES") ? std::max(usual / T{8}, std::min(usual, T{4})) : usual;
}

/// The same; `in_long` where LINNET_LONG is set, as in ./check --long.
template <std::integral T>
T cases(T usual, T in_long) {
  return std::getenv("LINNET_LONG") ? in_long : cases(usual);
}

}  // namespace linnet::testing
