#include "cpu/executor.h"

#include <algorithm>
#include <chrono>

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

Sharing share_buffers(const Graph& graph) {
  const std::vector<int> uses = count_uses(graph);
  std::vector<NodeId> last_reader(graph.nodes.size(), 0);
  for (NodeId id = 0; id < graph.size(); ++id)
    for (const NodeId input : graph[id].inputs) last_reader[index(input)] = id;
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

struct CpuExecutor::State {
  Graph graph;
  Isa isa;
  ThreadPool pool;
  Sharing sharing;
  std::vector<std::unique_ptr<Layer>> layers;  ///< one a node; none for the Input
  std::vector<std::int64_t> offsets;           ///< one a node, in floats; -1: the caller's scores
  std::int64_t arena_floats = 0;               ///< for one image
  std::int64_t scratch_floats = 0;             ///< for all threads
  Workspace arena;
  Workspace scratch;

  State(Graph g, Isa i, int threads)
      : graph(std::move(g)), isa(i), pool(threads), sharing(share_buffers(graph)) {}

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
      if (layers.back()) scratch_floats = std::max(scratch_floats, layers.back()->scratch() * pool.threads());
    }
  }

  /// Gives every buffer its place in the arena; the one that holds the output is the caller's.
  void place_buffers() {
    std::vector<int> last(graph.nodes.size(), 0);
    const auto lives_until = [&](NodeId id, int step) {
      int& end = last[index(sharing.buffer[index(id)])];
      end = std::max(end, step);
    };
    for (NodeId id = 0; id < graph.size(); ++id) {
      lives_until(id, id);
      for (const NodeId input : graph[id].inputs) lives_until(input, id);
    }
    const NodeId scores = sharing.buffer[index(graph.output)];
    std::vector<Lifetime> lifetimes;
    std::vector<NodeId> owners;
    for (NodeId id = 1; id < graph.size(); ++id) {
      if (sharing.buffer[index(id)] != id || id == scores) continue;
      lifetimes.push_back({graph[id].shape.size(), id, last[index(id)]});
      owners.push_back(id);
    }
    const Placement placement = place(lifetimes);
    arena_floats = placement.size;
    offsets.assign(graph.nodes.size(), -1);
    for (std::size_t i = 0; i < owners.size(); ++i) offsets[index(owners[i])] = placement.offsets[i];
    for (NodeId id = 1; id < graph.size(); ++id)
      offsets[index(id)] = offsets[index(sharing.buffer[index(id)])];
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
    std::int64_t group;  ///< images whose values of one node lie side by side
  };

  float* output(const Memory& m, NodeId id, std::int64_t image) const {
    const std::int64_t offset = offsets[index(id)];
    const std::int64_t within = image * graph[id].shape.size();
    return offset < 0 ? m.scores + within : m.arena + offset * m.group + within;
  }
  const float* input(const Memory& m, NodeId id, std::int64_t image) const {
    return id == 0 ? m.images + image * graph.input_shape().size() : output(m, id, image);
  }

  void run_node(const Memory& m, NodeId id, std::int64_t image, bool fuse) {
    const Node& node = graph[id];
    LayerIo io;
    io.a = input(m, node.inputs[0], image);
    if (node.inputs.size() > 1) io.b = input(m, node.inputs[1], image);
    const NodeId residual = sharing.residual[index(id)];
    if (fuse && residual != kNobody) io.residual = input(m, residual, image);
    io.y = output(m, id, image);
    io.scratch = scratch.data();
    layers[index(id)]->run(io, pool);
  }

  bool runs_alone(NodeId id) const { return sharing.fused_by[index(id)] == kNobody; }

  void copy_input_only(int n, std::span<const float> images, std::span<float> scores) const {
    if (graph.output == 0) std::copy_n(images.begin(), n * graph.input_shape().size(), scores.begin());
  }
};

CpuExecutor::CpuExecutor(std::unique_ptr<State> state) : state_(std::move(state)) {}
CpuExecutor::~CpuExecutor() = default;

const Graph& CpuExecutor::graph() const { return state_->graph; }
Isa CpuExecutor::isa() const { return state_->isa; }
int CpuExecutor::threads() const { return state_->pool.threads(); }

std::string_view CpuExecutor::kernel_name(NodeId id) const {
  const NodeId fused_by = state_->sharing.fused_by[index(id)];
  const auto& layer = state_->layers[index(fused_by == kNobody ? id : fused_by)];
  return layer ? std::string_view(layer->kernel()) : std::string_view();
}

std::int64_t CpuExecutor::peak_activation_bytes() const {
  return (state_->arena_floats + state_->scratch_floats + state_->graph.output_shape().size()) *
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
      const State::Memory memory = {images.data() + image * s.graph.input_shape().size(),
                                    scores.data() + image * s.graph.output_shape().size(), s.arena.data(), 1};
      for (NodeId id = 1; id < s.graph.size(); ++id)
        if (s.runs_alone(id)) s.run_node(memory, id, 0, true);
    }
    return {};
  }

  LINNET_TRY(const Workspace arena, Workspace::allocate(s.arena_floats * n));
  const State::Memory memory = {images.data(), scores.data(), arena.data(), n};
  for (NodeId id = 0; id < s.graph.size(); ++id) {
    for (std::int64_t image = 0; id > 0 && image < n; ++image) s.run_node(memory, id, image, false);
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
  const State::Memory memory = {image.data(), scores.data(), s.arena.data(), 1};
  auto before = std::chrono::steady_clock::now();
  for (NodeId id = 1; id < s.graph.size(); ++id) {
    if (!s.runs_alone(id)) continue;
    s.run_node(memory, id, 0, true);
    const auto now = std::chrono::steady_clock::now();
    microseconds[index(id)] += std::chrono::duration<double, std::micro>(now - before).count();
    before = now;
  }
  return {};
}

Result<std::unique_ptr<CpuExecutor>> make_executor(const Graph& graph, const Options& options) {
  if (options.threads < 1 || options.threads > kMaxThreads)
    return usage("{} threads were asked for; 1 to {} can run", options.threads, kMaxThreads);
  LINNET_TRY(const Isa isa, options.isa ? parse_isa(to_string(*options.isa)) : selected_isa());
  LINNET_CHECK(validate(graph));
  auto state = std::make_unique<CpuExecutor::State>(canonical(graph), isa, options.threads);
  state->make_layers();
  state->place_buffers();
  LINNET_TRY(state->arena, Workspace::allocate(state->arena_floats));
  LINNET_TRY(state->scratch, Workspace::allocate(state->scratch_floats));
  return std::unique_ptr<CpuExecutor>(new CpuExecutor(std::move(state)));
}

}  // namespace linnet::cpu
