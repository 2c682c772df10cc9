#include "cpu/executor.h"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "cpu/fused.h"
#include "cpu/layer.h"
#include "cpu/memory.h"
#include "graph/passes/passes.h"

namespace linnet::cpu {
namespace {

constexpr int kMaxThreads = 256;
constexpr NodeId kNobody = -1;

std::size_t index(NodeId id) { return static_cast<std::size_t>(id); }

/// Which nodes share a buffer, and who adds a residual.
struct Sharing {
  std::vector<NodeId> buffer;    ///< a node: the first node of those that share its bytes
  std::vector<NodeId> fused_by;  ///< an Add: the convolution that takes it over, or kNobody
  std::vector<NodeId> residual;  ///< a convolution: the other operand of the Add it takes over, or kNobody
};

bool is_elementwise(const Op& op) {
  return std::holds_alternative<Add>(op) || std::holds_alternative<Multiply>(op) ||
         std::holds_alternative<Activate>(op);
}

/// The operand of `add` that can take it over: a convolution without an activation that nothing else reads,
/// and which runs after the other operand.
NodeId fusing_operand(const Graph& graph, const Node& add, const std::vector<int>& uses) {
  const NodeId later = std::max(add.inputs[0], add.inputs[1]);
  const auto* convolution = std::get_if<Convolution>(&graph[later].op);
  const bool can = convolution && convolution->activation == Activation::kNone && uses[index(later)] == 1;
  return can && add.inputs[0] != add.inputs[1] ? later : kNobody;
}

/// `step`: when each node runs, at the latest.
Sharing share_buffers(const Graph& graph, const std::vector<NodeId>& step) {
  const std::vector<int> uses = count_uses(graph);
  std::vector<NodeId> last_reader(graph.nodes.size(), 0);
  for (NodeId id = 0; id < graph.size(); ++id)
    for (const NodeId input : graph[id].inputs)
      last_reader[index(input)] = std::max(last_reader[index(input)], step[index(id)]);
  last_reader[index(graph.output)] = graph.size();

  Sharing s;
  s.fused_by.assign(graph.nodes.size(), kNobody);
  s.residual.assign(graph.nodes.size(), kNobody);
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Node& node = graph[id];
    s.buffer.push_back(id);
    if (!is_elementwise(node.op)) continue;
    NodeId in_place = kNobody;
    if (std::holds_alternative<Add>(node.op)) {
      in_place = s.fused_by[index(id)] = fusing_operand(graph, node, uses);
      if (in_place != kNobody)
        s.residual[index(in_place)] = node.inputs[0] == in_place ? node.inputs[1] : node.inputs[0];
    }
    for (const NodeId input : node.inputs)
      if (in_place == kNobody && input != 0 && last_reader[index(input)] == id &&
          graph[input].shape == node.shape)
        in_place = input;
    if (in_place != kNobody) s.buffer[index(id)] = s.buffer[index(in_place)];
  }
  return s;
}

}  // namespace

/// Where every node's output lies.
struct Offsets {
  std::vector<std::int64_t> of;  ///< one a node, in floats; -1: not in the arena
  std::int64_t floats = 0;       ///< of the arena, for one image
};

struct CpuExecutor::State {
  Graph graph;
  Isa isa;
  ThreadPool pool;
  std::vector<Segment> segments;
  std::vector<NodeId> step;  ///< the node that runs this one: itself, or the last of its segment
  Sharing sharing;
  std::vector<std::unique_ptr<Layer>> layers;      ///< one a node; none for the Input
  std::vector<std::unique_ptr<FusedLayer>> fused;  ///< at the last node of each segment
  Offsets streamed;                                ///< of a run in segments: inside them nothing is stored
  Offsets observed;                                ///< of a run node by node
  std::int64_t scratch_floats = 0;                 ///< for all threads
  Workspace arena;
  Workspace scratch;

  State(Graph g, Isa i, const Options& options)
      : graph(std::move(g)),
        isa(i),
        pool(options.threads),
        segments(find_segments(graph, options.fuse_above_bytes)),
        step(steps()),
        sharing(share_buffers(graph, step)) {}

  std::vector<NodeId> steps() const {
    std::vector<NodeId> result(graph.nodes.size());
    std::iota(result.begin(), result.end(), 0);
    for (const Segment& s : segments)
      for (const NodeId id : {s.before, s.depthwise})
        if (id != Segment::kAbsent) result[index(id)] = s.last();
    return result;
  }

  void make_layers() {
    const Kernels& table = kernels(isa);
    for (NodeId id = 0; id < graph.size(); ++id) {
      const Node& node = graph[id];
      std::vector<Shape> inputs;
      for (const NodeId input : node.inputs) inputs.push_back(graph[input].shape);
      Activation residual_finish = Activation::kNone;
      for (NodeId add = id + 1; add < graph.size(); ++add)
        if (sharing.fused_by[index(add)] == id) residual_finish = std::get<Add>(graph[add].op).activation;
      layers.push_back(make_layer(node, inputs, table, residual_finish));
    }
    fused.resize(layers.size());
    for (const Segment& s : segments)
      fused[index(s.last())] = std::make_unique<FusedLayer>(graph, s, std::span(std::as_const(layers)));
    const auto reserve = [&](const Layer* layer) {
      if (layer) scratch_floats = std::max(scratch_floats, layer->scratch() * pool.threads());
    };
    for (const auto& layer : layers) reserve(layer.get());
    for (const auto& layer : fused) reserve(layer.get());
  }

  /// Gives every buffer its place in the arena; the one that holds the output is the caller's. In segments,
  /// what a segment reads lives until its last node, and what lies between its nodes does not exist.
  Offsets place_buffers(bool in_segments) const {
    const auto step_of = [&](NodeId id) { return in_segments ? step[index(id)] : id; };
    std::vector<int> last(graph.nodes.size(), 0);
    const auto lives_until = [&](NodeId id, int end) {
      int& now = last[index(sharing.buffer[index(id)])];
      now = std::max(now, end);
    };
    for (NodeId id = 0; id < graph.size(); ++id) {
      lives_until(id, step_of(id));
      for (const NodeId input : graph[id].inputs) lives_until(input, step_of(id));
    }
    const NodeId scores = sharing.buffer[index(graph.output)];
    std::vector<Lifetime> lifetimes;
    std::vector<NodeId> owners;
    for (NodeId id = 1; id < graph.size(); ++id) {
      if (sharing.buffer[index(id)] != id || id == scores || step_of(id) != id) continue;
      lifetimes.push_back({graph[id].shape.size(), id, last[index(id)]});
      owners.push_back(id);
    }
    const Placement placement = place(lifetimes);
    Offsets offsets;
    offsets.floats = placement.size;
    offsets.of.assign(graph.nodes.size(), -1);
    for (std::size_t i = 0; i < owners.size(); ++i) offsets.of[index(owners[i])] = placement.offsets[i];
    for (NodeId id = 1; id < graph.size(); ++id)
      offsets.of[index(id)] = offsets.of[index(sharing.buffer[index(id)])];
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
    float* arena;
    const Offsets& offsets;
    std::int64_t group;  ///< images whose values of one node lie side by side
  };

  float* output(const Memory& m, NodeId id, std::int64_t image) const {
    const std::int64_t offset = m.offsets.of[index(id)];
    const std::int64_t within = image * graph[id].shape.size();
    return offset < 0 ? m.scores + within : m.arena + offset * m.group + within;
  }
  const float* input(const Memory& m, NodeId id, std::int64_t image) const {
    return id == 0 ? m.images + image * graph.input_shape().size() : output(m, id, image);
  }

  /// One node alone.
  void run_node(const Memory& m, NodeId id, std::int64_t image) {
    const Node& node = graph[id];
    LayerIo io;
    io.a = input(m, node.inputs[0], image);
    if (node.inputs.size() > 1) io.b = input(m, node.inputs[1], image);
    io.y = output(m, id, image);
    io.scratch = scratch.data();
    layers[index(id)]->run(io, pool);
  }

  /// A node with all that it took over: the rest of its segment, a residual Add.
  void run_step(const Memory& m, NodeId id, double* stage_seconds = nullptr) {
    LayerIo io;
    NodeId first = id;
    for (const Segment& s : segments)
      if (s.last() == id) first = s.first();
    io.a = input(m, graph[first].inputs[0], 0);
    if (graph[id].inputs.size() > 1) io.b = input(m, graph[id].inputs[1], 0);
    if (sharing.residual[index(id)] != kNobody) io.residual = input(m, sharing.residual[index(id)], 0);
    io.y = output(m, id, 0);
    io.scratch = scratch.data();
    io.stage_seconds = stage_seconds;
    const Layer* layer = fused[index(id)].get();
    (layer ? layer : layers[index(id)].get())->run(io, pool);
  }

  bool is_step(NodeId id) const { return step[index(id)] == id && sharing.fused_by[index(id)] == kNobody; }

  Memory streamed_memory(const float* image, float* scores) const {
    return {image, scores, arena.data(), streamed, 1};
  }

  void copy_input_only(int n, std::span<const float> images, std::span<float> scores) const {
    if (graph.output == 0) std::copy_n(images.begin(), n * graph.input_shape().size(), scores.begin());
  }
};

CpuExecutor::CpuExecutor(std::unique_ptr<State> state) : state_(std::move(state)) {}
CpuExecutor::~CpuExecutor() = default;

const Graph& CpuExecutor::graph() const { return state_->graph; }
Isa CpuExecutor::isa() const { return state_->isa; }
int CpuExecutor::threads() const { return state_->pool.threads(); }
ThreadPool& CpuExecutor::pool() { return state_->pool; }

std::string_view CpuExecutor::kernel_name(NodeId id) const {
  const NodeId fused_by = state_->sharing.fused_by[index(id)];
  const auto& layer = state_->layers[index(fused_by == kNobody ? id : fused_by)];
  return layer ? std::string_view(layer->kernel()) : std::string_view();
}

std::int64_t CpuExecutor::peak_activation_bytes() const {
  return (state_->streamed.floats + state_->scratch_floats + state_->graph.output_shape().size()) *
         static_cast<std::int64_t>(sizeof(float));
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
  s.copy_input_only(n, images, scores);
  if (!observer) {
    for (std::int64_t image = 0; image < n; ++image) {
      const State::Memory memory = s.streamed_memory(images.data() + image * s.graph.input_shape().size(),
                                                     scores.data() + image * s.graph.output_shape().size());
      for (NodeId id = 1; id < s.graph.size(); ++id)
        if (s.is_step(id)) s.run_step(memory, id);
    }
    return {};
  }

  LINNET_TRY(const Workspace arena, Workspace::allocate(s.observed.floats * n));
  const State::Memory memory = {images.data(), scores.data(), arena.data(), s.observed, n};
  for (NodeId id = 0; id < s.graph.size(); ++id) {
    for (std::int64_t image = 0; id > 0 && image < n; ++image) s.run_node(memory, id, image);
    observer(s.graph[id], {s.input(memory, id, 0), static_cast<std::size_t>(n * s.graph[id].shape.size())});
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
  s.copy_input_only(1, image, scores);
  const State::Memory memory = s.streamed_memory(image.data(), scores.data());
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
  return {};
}

Result<std::unique_ptr<CpuExecutor>> make_executor(const Graph& graph, const Options& options) {
  if (options.threads < 1 || options.threads > kMaxThreads)
    return usage("{} threads were asked for; 1 to {} can run", options.threads, kMaxThreads);
  LINNET_TRY(const Isa isa, options.isa ? parse_isa(to_string(*options.isa)) : selected_isa());
  LINNET_CHECK(validate(graph));
  auto state = std::make_unique<CpuExecutor::State>(canonical(graph), isa, options);
  state->make_layers();
  state->streamed = state->place_buffers(true);
  state->observed = state->place_buffers(false);
  LINNET_TRY(state->arena, Workspace::allocate(state->streamed.floats));
  LINNET_TRY(state->scratch, Workspace::allocate(state->scratch_floats));
  return std::unique_ptr<CpuExecutor>(new CpuExecutor(std::move(state)));
}

}  // namespace linnet::cpu
