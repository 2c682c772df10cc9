#include "cpu/executor.h"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "cpu/fused.h"
#include "cpu/layer_parts.h"
#include "cpu/memory.h"
#include "cpu/storage.h"
#include "graph/passes/passes.h"
#include "graph/quantized.h"

namespace linnet::cpu {
namespace {

constexpr int kMaxThreads = 256;
constexpr NodeId kNobody = -1;

std::size_t index(NodeId id) { return static_cast<std::size_t>(id); }

/// What a layer computes besides its own node.
struct Takeovers {
  std::vector<NodeId> by;      ///< an Add, or in int8 an Activate: the layer that computes it too, or kNobody
  std::vector<NodeId> behind;  ///< a layer: the node that it took over, or kNobody
  std::vector<NodeId> residual;  ///< a convolution: the other operand of the Add it took over, or kNobody
};

bool is_elementwise(const Op& op) {
  return std::holds_alternative<Add>(op) || std::holds_alternative<Multiply>(op) ||
         std::holds_alternative<Activate>(op);
}

/// The operand of an Add that can take it over: a convolution that runs after the other operand. In float it
/// must have no activation of its own; int8 values are limited before they are added, as everywhere.
NodeId adding_operand(const Graph& graph, const Node& add) {
  const NodeId later = std::max(add.inputs[0], add.inputs[1]);
  const auto* convolution = std::get_if<Convolution>(&graph[later].op);
  const bool can = convolution && (is_int8(graph) || convolution->activation == Activation::kNone);
  return can && add.inputs[0] != add.inputs[1] ? later : kNobody;
}

/// In int8 the layer before an Activate can look its result up in the Activate's table.
NodeId activating_operand(const Graph& graph, const Node& activate) {
  const NodeId before = activate.inputs[0];
  return is_int8(graph) && layer_weights(graph[before].op) ? before : kNobody;
}

Takeovers find_takeovers(const Graph& graph) {
  const std::vector<int> uses = count_uses(graph);
  const std::vector<NodeId> nobody(graph.nodes.size(), kNobody);
  Takeovers t = {nobody, nobody, nobody};
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Node& node = graph[id];
    NodeId by = kNobody;
    if (std::holds_alternative<Add>(node.op)) by = adding_operand(graph, node);
    if (std::holds_alternative<Activate>(node.op)) by = activating_operand(graph, node);
    if (by == kNobody || uses[index(by)] != 1) continue;
    t.by[index(id)] = by;
    t.behind[index(by)] = id;
    if (std::holds_alternative<Add>(node.op))
      t.residual[index(by)] = node.inputs[0] == by ? node.inputs[1] : node.inputs[0];
  }
  return t;
}

/// For every node the first of those that share its bytes. `step`: when each node runs, at the latest.
std::vector<NodeId> share_buffers(const Graph& graph, const Takeovers& takeovers,
                                  const std::vector<NodeId>& step) {
  std::vector<NodeId> last_reader(graph.nodes.size(), 0);
  for (NodeId id = 0; id < graph.size(); ++id)
    for (const NodeId input : graph[id].inputs)
      last_reader[index(input)] = std::max(last_reader[index(input)], step[index(id)]);
  last_reader[index(graph.output)] = graph.size();

  std::vector<NodeId> buffer;
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Node& node = graph[id];
    buffer.push_back(id);
    if (!is_elementwise(node.op)) continue;
    NodeId in_place = takeovers.by[index(id)];
    for (const NodeId input : node.inputs)
      if (in_place == kNobody && input != 0 && last_reader[index(input)] == id &&
          graph[input].shape == node.shape)
        in_place = input;
    if (in_place != kNobody) buffer[index(id)] = buffer[index(in_place)];
  }
  return buffer;
}

}  // namespace

/// Where every node's output lies.
struct Offsets {
  std::vector<std::int64_t> of;  ///< one a node, in bytes; -1: not in the arena
  std::int64_t bytes = 0;        ///< of the arena, for one image
};

struct CpuExecutor::State {
  Graph graph;
  Isa isa;
  Storage storage;
  ThreadPool pool;
  Takeovers takeovers;
  std::vector<Segment> segments;
  std::vector<NodeId> step;  ///< the node that runs this one: itself, or the last of its segment
  std::vector<NodeId> buffer;
  std::vector<std::unique_ptr<Layer>> layers;      ///< one a node; none for the Input
  std::vector<std::unique_ptr<FusedLayer>> fused;  ///< at the last node of each segment
  Offsets streamed;                                ///< of a run in segments: inside them nothing is stored
  Offsets observed;                                ///< of a run node by node
  std::int64_t scratch_bytes = 0;                  ///< for all threads
  Workspace arena;
  Workspace scratch;

  State(Graph g, Isa i, Precision precision, const Options& options)
      : graph(std::move(g)),
        isa(i),
        storage(precision, isa, options.multiply_bf16),
        pool(options.threads),
        takeovers(find_takeovers(graph)),
        segments(find_segments(graph, takeovers.by, storage.bytes(), options.fuse_above_bytes)),
        step(steps()),
        buffer(share_buffers(graph, takeovers, step)) {}

  std::vector<NodeId> steps() const {
    std::vector<NodeId> result(graph.nodes.size());
    std::iota(result.begin(), result.end(), 0);
    for (const Segment& s : segments)
      for (const NodeId id : {s.before, s.depthwise})
        if (id != Segment::kAbsent) result[index(id)] = s.last();
    // Its Activate goes with a layer; an Add stays where it is, since the other operand must live until then.
    for (NodeId id = 0; id < graph.size(); ++id)
      if (takeovers.by[index(id)] != kNobody && std::holds_alternative<Activate>(graph[id].op))
        result[index(id)] = result[index(takeovers.by[index(id)])];
    return result;
  }

  void make_layers() {
    for (NodeId id = 0; id < graph.size(); ++id) {
      LayerNode node = {id};
      if (const NodeId behind = takeovers.behind[index(id)]; behind != kNobody) node.taken_over = behind;
      layers.push_back(storage.make_layer(graph, node));
    }
    fused.resize(layers.size());
    for (const Segment& s : segments)
      fused[index(s.last())] = std::make_unique<FusedLayer>(graph, storage.bytes(), s, std::span(std::as_const(layers)));
    const auto reserve = [&](const Layer* layer) {
      if (layer) scratch_bytes = std::max(scratch_bytes, whole_lines(layer->scratch()) * pool.threads());
    };
    for (const auto& layer : layers) reserve(layer.get());
    for (const auto& layer : fused) reserve(layer.get());
  }

  /// Whether a node's values are the caller's own memory: the float images, the float scores.
  bool is_callers(NodeId id) const {
    if (!storage.is_float32()) return layers[index(id)] && layers[index(id)]->gives_real();
    return id == 0 || buffer[index(id)] == buffer[index(graph.output)];
  }
  /// Whether the scores are stored as other values are, and become float32 last.
  bool stores_scores() const { return !storage.is_float32() && !is_callers(graph.output); }

  /// Gives every buffer its place in the arena, those excepted that are the caller's. In segments, what a
  /// segment reads lives until its last node, and what lies between its nodes does not exist.
  Offsets place_buffers(bool in_segments) const {
    const auto step_of = [&](NodeId id) { return in_segments ? step[index(id)] : id; };
    std::vector<int> last(graph.nodes.size(), 0);
    const auto lives_until = [&](NodeId id, int end) {
      int& now = last[index(buffer[index(id)])];
      now = std::max(now, end);
    };
    for (NodeId id = 0; id < graph.size(); ++id) {
      lives_until(id, step_of(id));
      for (const NodeId input : graph[id].inputs) lives_until(input, step_of(id));
    }
    lives_until(graph.output, graph.size());
    std::vector<Lifetime> lifetimes;
    std::vector<NodeId> owners;
    for (NodeId id = 0; id < graph.size(); ++id) {
      if (buffer[index(id)] != id || is_callers(id) || step_of(id) != id) continue;
      lifetimes.push_back({graph[id].shape.size() * storage.bytes(), id, last[index(id)]});
      owners.push_back(id);
    }
    const Placement placement = place(lifetimes);
    Offsets offsets;
    offsets.bytes = placement.size;
    offsets.of.assign(graph.nodes.size(), -1);
    for (std::size_t i = 0; i < owners.size(); ++i) offsets.of[index(owners[i])] = placement.offsets[i];
    for (NodeId id = 1; id < graph.size(); ++id) offsets.of[index(id)] = offsets.of[index(buffer[index(id)])];
    return offsets;
  }

  Result<void> check_sizes(int n, std::span<const float> images, std::span<float> scores) const {
    const auto count = static_cast<std::size_t>(std::max(n, 0));
    const auto image_size = static_cast<std::size_t>(graph.input_shape().size());
    const auto score_size = static_cast<std::size_t>(graph.output_shape().size());
    if (n < 1 || images.size() != count * image_size || scores.size() != count * score_size)
      return fail("{}: {} images of {} values give {} scores; {} and {} values were passed", graph.name, n,
                  image_size, count * score_size, images.size(), scores.size());
    return {};
  }

  /// Where images, scores and activations of a group of images lie.
  struct Memory {
    const float* images;
    float* scores;
    std::byte* arena;
    const Offsets& offsets;
    std::int64_t group;  ///< images whose values of one node lie side by side
  };

  std::byte* output(const Memory& m, NodeId id, std::int64_t image) const {
    const std::int64_t before = image * graph[id].shape.size();
    if (is_callers(id)) return reinterpret_cast<std::byte*>(m.scores + before);
    return m.arena + m.offsets.of[index(id)] * m.group + before * storage.bytes();
  }
  const std::byte* input(const Memory& m, NodeId id, std::int64_t image) const {
    if (id != 0 || !storage.is_float32()) return output(m, id, image);
    return reinterpret_cast<const std::byte*>(m.images + image * graph.input_shape().size());
  }

  /// The images as stored values.
  void store_images(const Memory& m) {
    if (storage.is_float32()) return;
    const auto n = static_cast<std::size_t>(m.group * graph.input_shape().size());
    storage.store_images(graph[0], {m.images, n}, output(m, 0, 0), pool);
  }

  /// One node alone.
  void run_node(const Memory& m, NodeId id, std::int64_t image) {
    const Node& node = graph[id];
    LayerIo io;
    io.a = input(m, node.inputs[0], image);
    if (node.inputs.size() > 1) io.b = input(m, node.inputs[1], image);
    io.y = output(m, id, image);
    io.scratch = scratch.data();
    io.alone = true;
    layers[index(id)]->run(io, pool);
  }

  /// A node with all that it took over: the rest of its segment, a residual Add, an Activate.
  void run_step(const Memory& m, NodeId id, double* stage_seconds = nullptr) {
    LayerIo io;
    NodeId first = id;
    for (const Segment& s : segments)
      if (s.last() == id) first = s.first();
    io.a = input(m, graph[first].inputs[0], 0);
    if (graph[id].inputs.size() > 1) io.b = input(m, graph[id].inputs[1], 0);
    if (takeovers.residual[index(id)] != kNobody) io.residual = input(m, takeovers.residual[index(id)], 0);
    io.y = output(m, id, 0);
    io.scratch = scratch.data();
    io.stage_seconds = stage_seconds;
    const Layer* layer = fused[index(id)].get();
    (layer ? layer : layers[index(id)].get())->run(io, pool);
  }

  bool is_step(NodeId id) const { return step[index(id)] == id && takeovers.by[index(id)] == kNobody; }

  Memory streamed_memory(const float* image, float* scores) const {
    return {image, scores, arena.data(), streamed, 1};
  }

  /// What happens around the steps of one image.
  void begin(const Memory& m) {
    store_images(m);
    if (graph.output == 0 && storage.is_float32()) std::copy_n(m.images, graph.input_shape().size(), m.scores);
  }
  void end(const Memory& m) const {
    const auto size = static_cast<std::size_t>(graph.output_shape().size());
    if (stores_scores()) storage.load(graph[graph.output], output(m, graph.output, 0), {m.scores, size});
  }
};

CpuExecutor::CpuExecutor(std::unique_ptr<State> state) : state_(std::move(state)) {}
CpuExecutor::~CpuExecutor() = default;

const Graph& CpuExecutor::graph() const { return state_->graph; }
Isa CpuExecutor::isa() const { return state_->isa; }
Precision CpuExecutor::precision() const { return state_->storage.precision(); }
int CpuExecutor::threads() const { return state_->pool.threads(); }
ThreadPool& CpuExecutor::pool() { return state_->pool; }

std::string_view CpuExecutor::kernel_name(NodeId id) const {
  const NodeId by = state_->takeovers.by[index(id)];
  const auto& layer = state_->layers[index(by == kNobody ? id : by)];
  return layer ? std::string_view(layer->kernel()) : std::string_view();
}

std::int64_t CpuExecutor::peak_activation_bytes() const {
  return state_->streamed.bytes + state_->scratch_bytes +
         state_->graph.output_shape().size() * static_cast<std::int64_t>(sizeof(float));
}

std::int64_t CpuExecutor::weight_bytes() const {
  std::int64_t bytes = 0;
  for (const auto& layer : state_->layers) bytes += layer ? layer->weight_bytes() : 0;
  return bytes;
}

Result<void> CpuExecutor::run(int n, std::span<const float> images, std::span<float> scores,
                              const Observer& observer) {
  State& s = *state_;
  LINNET_CHECK(s.check_sizes(n, images, scores));
  if (!observer) {
    for (std::int64_t image = 0; image < n; ++image) {
      const State::Memory memory = s.streamed_memory(images.data() + image * s.graph.input_shape().size(),
                                                     scores.data() + image * s.graph.output_shape().size());
      s.begin(memory);
      for (NodeId id = 1; id < s.graph.size(); ++id)
        if (s.is_step(id)) s.run_step(memory, id);
      s.end(memory);
    }
    return {};
  }

  LINNET_TRY(const Workspace arena, Workspace::allocate(s.observed.bytes * n));
  const State::Memory memory = {images.data(), scores.data(), arena.data(), s.observed, n};
  s.store_images(memory);
  if (s.graph.output == 0 && s.storage.is_float32()) std::ranges::copy(images, scores.begin());
  AlignedVector<float> real;
  for (NodeId id = 0; id < s.graph.size(); ++id) {
    for (std::int64_t image = 0; id > 0 && image < n; ++image) s.run_node(memory, id, image);
    const auto size = static_cast<std::size_t>(n * s.graph[id].shape.size());
    const std::byte* const stored = s.input(memory, id, 0);
    if (s.storage.is_float32() || s.is_callers(id)) {
      observer(s.graph[id], {reinterpret_cast<const float*>(stored), size});
      continue;
    }
    real.resize(size);
    s.storage.load(s.graph[id], stored, real);
    observer(s.graph[id], real);
    if (id == s.graph.output) std::ranges::copy(real, scores.begin());
  }
  return {};
}

Result<void> CpuExecutor::run_timed(std::span<const float> image, std::span<float> scores,
                                    std::span<double> microseconds) {
  State& s = *state_;
  LINNET_CHECK(s.check_sizes(1, image, scores));
  if (microseconds.size() != s.graph.nodes.size())
    return fail("{}: {} nodes were given room for {} times", s.graph.name, s.graph.size(),
                microseconds.size());
  const State::Memory memory = s.streamed_memory(image.data(), scores.data());
  s.begin(memory);
  auto before = std::chrono::steady_clock::now();
  for (NodeId id = 1; id < s.graph.size(); ++id) {
    if (!s.is_step(id)) continue;
    double stages[3] = {};
    s.run_step(memory, id, stages);
    const auto now = std::chrono::steady_clock::now();
    const double elapsed = std::chrono::duration<double, std::micro>(now - before).count();
    before = now;
    const double all_stages = stages[0] + stages[1] + stages[2];
    if (!s.fused[index(id)] || all_stages == 0) {
      microseconds[index(id)] += elapsed;
      continue;
    }
    for (const Segment& segment : s.segments) {
      if (segment.last() != id) continue;
      const NodeId nodes[3] = {segment.before, segment.depthwise, segment.behind};
      for (int stage = 0; stage < 3; ++stage)
        if (nodes[stage] != Segment::kAbsent)
          microseconds[index(nodes[stage])] += elapsed * stages[stage] / all_stages;
    }
  }
  s.end(memory);
  return {};
}

Result<std::unique_ptr<CpuExecutor>> make_executor(const Graph& graph, const Options& options) {
  if (options.threads < 1 || options.threads > kMaxThreads)
    return usage("{} threads were asked for; 1 to {} can run", options.threads, kMaxThreads);
  LINNET_TRY(const Isa isa, options.isa ? parse_isa(to_string(*options.isa)) : selected_isa());
  LINNET_CHECK(validate(graph));
  LINNET_TRY(const Precision precision, Storage::check(graph, options.precision));
  auto state = std::make_unique<CpuExecutor::State>(canonical(graph), isa, precision, options);
  state->make_layers();
  state->streamed = state->place_buffers(true);
  state->observed = state->place_buffers(false);
  LINNET_TRY(state->arena, Workspace::allocate(state->streamed.bytes));
  LINNET_TRY(state->scratch, Workspace::allocate(state->scratch_bytes));
  return std::unique_ptr<CpuExecutor>(new CpuExecutor(std::move(state)));
}

}  // namespace linnet::cpu
