// Random numbers by place instead of by order: a stream for each picture of each epoch, so that what is drawn
// depends neither on threads nor on where a run was broken off.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/random.h"

namespace linnet::data {

/// What a stream is for; streams of different uses are unrelated.
enum class Draws : std::uint64_t { kSplit, kShuffle, kPicture, kMixup };

/// The stream of one seed, use, epoch and index (of a picture, of a batch): a pure function of the four.
inline Random stream_of(std::uint64_t seed, Draws use, std::int64_t epoch = 0, std::int64_t index = 0) {
  std::uint64_t state = Random(seed).next();
  state = Random(state ^ static_cast<std::uint64_t>(use)).next();
  state = Random(state ^ static_cast<std::uint64_t>(epoch)).next();
  return Random(Random(state ^ static_cast<std::uint64_t>(index)).next());
}

/// Fisher and Yates' shuffle.
template <class Items>
void shuffle(Items& items, Random random) {
  for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random.below(i)]);
}

}  // namespace linnet::data
