// The walk through a stage: in which order its layers compute which pixels.
//
// It is pulled from the end. To compute pixels of a layer, its inputs are first advanced as far as the last
// of them needs, then the layer computes its next tile. So every layer runs as soon as it can, pixels flow in
// raster order, nothing is computed twice, and how many pixels a ring must hold follows from the walk alone:
// simulating it (measure()) gives the exact number, residual delays included.
#pragma once

#include <algorithm>
#include <vector>

#include "plan/plan.h"

namespace linnet::plan {

/// How a layer reads one of its inputs.
struct Link {
  enum class Kind {
    kPixel,   ///< step i reads pixel i
    kWindow,  ///< as a window does
    kWhole,   ///< every step reads all of it: the gate of squeeze-and-excite
  };
  static constexpr int kOutside = -1;
  Kind kind = Kind::kPixel;
  NodeId value = kNobody;
  int from = kOutside;    ///< the layer of the stage that computes it; kOutside: it exists whole
  bool in_place = false;  ///< each value is read just before the one that takes its place is written
  Shape in = {};
  Shape out = {};
  Window window = {};  ///< kWindow alone

  /// Pixels [0, n) of the input are needed to compute a tile that ends with step end - 1: all of one row
  /// where it is a window's.
  std::int64_t needed(std::int64_t end) const;
  /// Pixels before this one are no longer needed when `done` steps are. At most in.pixels().
  std::int64_t released(std::int64_t done) const;
};

/// Steps of a layer are output pixels; those of a global average pool are the input pixels that it adds up,
/// the last of which gives its output.
class Walk {
 public:
  /// `graph` is canonical. The stage's tiles say how many steps a layer takes at once, at most.
  Walk(const Graph& graph, const Stage& stage);

  /// Calls on_tile(layer, begin, end) for every tile of steps, in order: what it reads has been computed. Not
  /// thread-safe; allocates nothing.
  template <class OnTile>
  void run(OnTile&& on_tile) {
    for (State& layer : layers_) layer.done = 0;
    for (int layer = size() - 1; layer >= 0; --layer) advance(layer, at(layer).steps, on_tile);
  }

  int size() const { return static_cast<int>(layers_.size()); }
  std::int64_t steps(int layer) const { return at(layer).steps; }
  /// Steps done so far.
  std::int64_t done(int layer) const { return at(layer).done; }
  /// Whether a layer is a global average pool.
  bool pools(int layer) const { return at(layer).pools; }
  /// Gates first.
  const std::vector<Link>& links(int layer) const { return at(layer).links; }
  /// Output pixels that exist once `done` steps are.
  std::int64_t pixels(int layer, std::int64_t done) const {
    return at(layer).pools ? done / at(layer).steps : done;
  }

 private:
  struct State {
    std::int64_t steps = 0;
    std::int64_t tile = 1;
    /// Pixels in a row of a layer with a window, whose tiles end with it: the next row's first windows reach
    /// further. 0: they need not.
    std::int64_t row = 0;
    std::int64_t done = 0;
    bool pools = false;
    std::vector<Link> links;
  };
  const State& at(int layer) const { return layers_[static_cast<std::size_t>(layer)]; }
  std::vector<Link> links_of(const Graph& graph, const Stage& stage, const Layer& layer) const;

  template <class OnTile>
  void advance(int layer, std::int64_t to, OnTile& on_tile) {
    State& l = layers_[static_cast<std::size_t>(layer)];
    while (l.done < to) {
      std::int64_t end = std::min(l.done + l.tile, to);
      if (l.row > 0) end = std::min(end, (l.done / l.row + 1) * l.row);
      for (const Link& link : l.links)
        if (link.from != Link::kOutside) {
          const std::int64_t pixels = link.needed(end);
          advance(link.from, at(link.from).pools ? pixels * at(link.from).steps : pixels, on_tile);
        }
      on_tile(layer, l.done, end);
      l.done = end;
    }
  }

  std::vector<State> layers_;
};

/// What a stage needs of memory.
struct StageMemory {
  /// Pixels in the ring of each layer's value; all of them where it must exist whole.
  std::vector<std::int64_t> ring;
  /// A value that comes out and one that goes in, which may overlap if nobody reads that later (placement.h).
  struct Overlap {
    NodeId out;
    NodeId in;
    std::int64_t distance;  ///< bytes
    bool same_place;
  };
  std::vector<Overlap> overlaps;
};

/// Simulates the walk. whole[i]: the value of layer i must exist whole, since it is read elsewhere.
StageMemory measure(const Graph& graph, const Stage& stage, const std::vector<bool>& whole,
                    std::int64_t value_bytes);

}  // namespace linnet::plan
