// One builder a family. They expect a config in range: build() has checked it.
#pragma once

#include "graph/families/family.h"

namespace linnet::families {

inline constexpr int kV1Blocks = 13;
inline constexpr int kV2Blocks = 17;
inline constexpr int kV3LargeBlocks = 15;
inline constexpr int kV3SmallBlocks = 11;
inline constexpr int kV4SmallBlocks = 16;
inline constexpr int kV4MediumBlocks = 22;

Result<Graph> mobilenet_v1(const FamilyConfig& config, const WeightSource& weights);
Result<Graph> mobilenet_v2(const FamilyConfig& config, const WeightSource& weights);
Result<Graph> mobilenet_v3(const FamilyConfig& config, const WeightSource& weights);  ///< Large and Small
Result<Graph> mobilenet_v4(const FamilyConfig& config,
                           const WeightSource& weights);  ///< Conv-Small and -Medium

/// Answers every request with random numbers from `seed`.
WeightSource untrained(std::uint64_t seed);

}  // namespace linnet::families
