// When a graph's layers run and where every byte of its values lies: plain data, known before anything runs.
//
// A plan is a list of stages. Inside a stage values flow through rings and never exist whole; between stages
// they do. Back ends walk it: the CPU executor, the C emitter, the RTL emitter.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace linnet::plan {

inline constexpr NodeId kNobody = -1;

/// A node with the one behind it that is computed in the same go.
struct Layer {
  NodeId node = kNobody;
  NodeId taken_over = kNobody;  ///< an Add or an Activate
  std::int64_t tile = 0;        ///< output pixels computed at once, at most
  /// The node whose value it leaves.
  NodeId value() const { return taken_over == kNobody ? node : taken_over; }
  bool operator==(const Layer&) const = default;
};

/// Layers that run together, from inputs that exist whole to outputs that do.
struct Stage {
  std::vector<Layer> layers;  ///< in the graph's order
  bool operator==(const Stage&) const = default;
};

/// Bytes with a purpose.
struct Buffer {
  enum class Kind {
    kWhole,    ///< all pixels of a value
    kRing,     ///< pixel i, in raster order, in place i % pixels
    kSums,     ///< of a global average pool: 4 bytes a channel
    kScratch,  ///< a kernel's own, of whichever layer of the stage runs
  };
  Kind kind = Kind::kWhole;
  NodeId value = kNobody;  ///< whose values; kNobody: scratch
  std::int64_t pixels = 0;
  std::int64_t bytes = 0;   ///< of one copy
  int copies = 1;           ///< one a thread
  std::int64_t stride = 0;  ///< bytes from one copy to the next
  std::int64_t offset = 0;  ///< bytes from the start of the arena
  int first = 0;            ///< stages [first, last] need it
  int last = 0;
  bool operator==(const Buffer&) const = default;
};

struct Plan {
  std::vector<Stage> stages;
  std::vector<Buffer> buffers;
  std::int64_t value_bytes = 1;  ///< of one value
  std::int64_t arena_bytes = 0;  ///< the end of the last buffer
  /// Bytes at the start of the arena that every stage uses anew, for rings and scratch: they stay in the
  /// cache. 0 where rings lie wherever there is room.
  std::int64_t stage_bytes = 0;
  bool operator==(const Plan&) const = default;
};

/// Bytes that a stage's buffers occupy together: from the start of the arena to their last end.
std::int64_t live_bytes(const Plan& plan, int stage);

/// A few lines a stage: its layers with their tiles, its buffers with size and place. For people and for
/// golden tests.
std::string dump(const Graph& graph, const Plan& plan);

/// The buffer that holds `value` while `stage` runs; nullptr: it is the caller's, or none of the stage's.
const Buffer* find(const Plan& plan, int stage, NodeId value);
/// The sums of the pool `value` in a stage, or nullptr.
const Buffer* find_sums(const Plan& plan, int stage, NodeId value);
/// The stage's scratch, or nullptr.
const Buffer* find_scratch(const Plan& plan, int stage);

/// Input 1 of an Add that a layer took over: what is added to the layer's own result; or kNobody.
NodeId residual_of(const Graph& graph, const Layer& layer);

/// What the layers of a stage read from outside, each once, in the graph's order.
std::vector<NodeId> inputs_of(const Graph& graph, const Stage& stage);

}  // namespace linnet::plan
