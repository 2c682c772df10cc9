#include "cpu/executor.h"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "cpu/fused.h"
#include "cpu/layer_parts.h"
#include "cpu/memory.h"
#include "graph/passes/passes.h"
#include "graph/quantized.h"
#include "numerics/multiplier.h"

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

/// The steps of a job, with as few barriers between them as can be. Every thread makes the same calls.
class Steps {
 public:
  explicit Steps(Worker& worker) : worker_(worker) {}

  /// Calls work(worker) when all before it is done: on every thread, or where it is not `shared` on the first
  /// alone, as the only thread of its job.
  template <class Work>
  void step(bool shared, Work&& work) {
    if (behind_ == Behind::kShared || (behind_ == Behind::kAlone && shared)) worker_.barrier();
    behind_ = shared ? Behind::kShared : Behind::kAlone;
    if (shared)
      work(std::as_const(worker_));
    else if (worker_.thread() == 0)
      work(Worker());
  }

  /// Returns when the last step is done, on the first thread at least.
  void settle() {
    if (behind_ != Behind::kShared) return;
    worker_.barrier();
    behind_ = Behind::kNothing;
  }

 private:
  enum class Behind { kNothing, kAlone, kShared };
  Worker& worker_;
  Behind behind_ = Behind::kNothing;
};

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
  ThreadPool pool;
  std::int64_t value;  ///< bytes of one
  Takeovers takeovers;
  std::vector<Segment> segments;
  std::vector<NodeId> step;  ///< the node that runs this one: itself, or the last of its segment
  std::vector<NodeId> buffer;
  std::vector<std::unique_ptr<Layer>> layers;      ///< one a node; none for the Input
  std::vector<std::unique_ptr<FusedLayer>> fused;  ///< at the last node of each segment
  Offsets streamed;                                ///< of a run in segments: inside them nothing is stored
  Offsets observed;                                ///< of a run node by node
  std::int64_t scratch_bytes = 0;                  ///< of a thread
  Workspace arena;    ///< as many times as there are threads; all but the first for batches alone
  Workspace scratch;  ///< of all threads

  State(Graph g, Isa i, const Options& options)
      : graph(std::move(g)),
        isa(i),
        pool(options.threads),
        value(value_bytes(graph)),
        takeovers(find_takeovers(graph)),
        segments(find_segments(graph, takeovers.by, options.fuse_above_bytes)),
        step(steps()),
        buffer(share_buffers(graph, takeovers, step)) {}

  bool int8() const { return is_int8(graph); }

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
      layers.push_back(int8() ? make_layer_s8(graph, node, kernels_s8(isa))
                              : make_layer_f32(graph, node, kernels(isa)));
    }
    fused.resize(layers.size());
    for (const Segment& s : segments)
      fused[index(s.last())] = std::make_unique<FusedLayer>(graph, s, std::span(std::as_const(layers)));
    const auto reserve = [&](const Layer* layer) {
      if (layer) scratch_bytes = std::max(scratch_bytes, whole_lines(layer->scratch()));
    };
    for (const auto& layer : layers) reserve(layer.get());
    for (const auto& layer : fused) reserve(layer.get());
  }

  /// Whether a node's values are the caller's own memory: the float images, the float scores.
  bool is_callers(NodeId id) const {
    return !int8() && (id == 0 || buffer[index(id)] == buffer[index(graph.output)]);
  }

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
      lifetimes.push_back({graph[id].shape.size() * value, id, last[index(id)]});
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
    std::byte* scratch;
    const Offsets& offsets;
    std::int64_t group;  ///< images whose values of one node lie side by side
  };

  std::byte* output(const Memory& m, NodeId id, std::int64_t image) const {
    const std::int64_t within = image * graph[id].shape.size() * value;
    if (is_callers(id)) return reinterpret_cast<std::byte*>(m.scores) + within;
    return m.arena + m.offsets.of[index(id)] * m.group + within;
  }
  const std::byte* input(const Memory& m, NodeId id, std::int64_t image) const {
    if (id != 0 || int8()) return output(m, id, image);
    return reinterpret_cast<const std::byte*>(m.images + image * graph.input_shape().size());
  }
  std::int8_t* stored(const Memory& m, NodeId id) const {
    return reinterpret_cast<std::int8_t*>(output(m, id, 0));
  }

  /// int8 graphs: the images as stored values, this thread's part.
  void quantize_images(const Memory& m, const Worker& worker) const {
    const Quantization& q = *graph[0].quantization;
    const std::int64_t n = m.group * graph.input_shape().size();
    std::int8_t* const y = stored(m, 0);
    in_part<std::int8_t>(worker, n, [&](std::int64_t begin, std::int64_t end) {
      kernels_s8(isa).quantize_input.run(
          {m.images + begin, y + begin, end - begin, 1.0f / q.scale, q.zero_point});
    });
  }

  /// The real values of a node, of all images of the group.
  void dequantize_to(const Memory& m, NodeId id, std::span<float> real) const {
    const Quantization& q = *graph[id].quantization;
    const std::int8_t* const values = stored(m, id);
    for (std::size_t i = 0; i < real.size(); ++i)
      real[i] = numerics::dequantize_real(values[i], q.scale, q.zero_point);
  }

  /// One node alone.
  void run_node(const Memory& m, NodeId id, std::int64_t image) {
    const Node& node = graph[id];
    LayerIo io;
    io.a = input(m, node.inputs[0], image);
    if (node.inputs.size() > 1) io.b = input(m, node.inputs[1], image);
    io.y = output(m, id, image);
    io.scratch = m.scratch;
    io.alone = true;
    const Layer& layer = *layers[index(id)];
    pool.run_together([&](Worker& worker) {
      Steps(worker).step(layer.shared(), [&](const Worker& w) { layer.run(io, w); });
    });
  }

  /// A node with all that it took over: the rest of its segment, a residual Add, an Activate.
  void run_step(const Memory& m, NodeId id, Steps& steps, double* stage_seconds = nullptr) const {
    LayerIo io;
    NodeId first = id;
    for (const Segment& s : segments)
      if (s.last() == id) first = s.first();
    io.a = input(m, graph[first].inputs[0], 0);
    if (graph[id].inputs.size() > 1) io.b = input(m, graph[id].inputs[1], 0);
    if (takeovers.residual[index(id)] != kNobody) io.residual = input(m, takeovers.residual[index(id)], 0);
    io.y = output(m, id, 0);
    io.scratch = m.scratch;
    io.stage_seconds = stage_seconds;
    const Layer* layer = fused[index(id)].get();
    if (!layer) layer = layers[index(id)].get();
    steps.step(layer->shared(), [&](const Worker& worker) { layer->run(io, worker); });
  }

  /// Shares the time of a step out among the nodes of its segment, as its stages took theirs.
  void add_time(NodeId id, double elapsed, std::span<const double, 3> stages,
                std::span<double> microseconds) const {
    const double all_stages = stages[0] + stages[1] + stages[2];
    if (!fused[index(id)] || all_stages == 0) {
      microseconds[index(id)] += elapsed;
      return;
    }
    for (const Segment& segment : segments) {
      if (segment.last() != id) continue;
      const NodeId nodes[3] = {segment.before, segment.depthwise, segment.behind};
      for (std::size_t stage = 0; stage < 3; ++stage)
        if (nodes[stage] != Segment::kAbsent)
          microseconds[index(nodes[stage])] += elapsed * stages[stage] / all_stages;
    }
  }

  bool is_step(NodeId id) const { return step[index(id)] == id && takeovers.by[index(id)] == kNobody; }

  /// Where image `i` of the caller's lies, and the memory of thread `thread` for what is between.
  Memory streamed_memory(std::int64_t i, std::span<const float> images, std::span<float> scores,
                         int thread) const {
    return {images.data() + i * graph.input_shape().size(),
            scores.data() + i * graph.output_shape().size(),
            arena.data() + thread * whole_lines(streamed.bytes),
            scratch.data() + thread * scratch_bytes,
            streamed,
            1};
  }

  /// What happens around the steps of one image.
  void begin(const Memory& m, Steps& steps) const {
    if (int8()) steps.step(true, [&](const Worker& worker) { quantize_images(m, worker); });
    if (graph.output == 0 && !int8())
      steps.step(false, [&](const Worker&) { std::copy_n(m.images, graph.input_shape().size(), m.scores); });
  }
  void end(const Memory& m, Steps& steps) const {
    if (!int8()) return;
    const auto size = static_cast<std::size_t>(graph.output_shape().size());
    steps.step(false, [&](const Worker&) { dequantize_to(m, graph.output, {m.scores, size}); });
  }

  void run_image(const Memory& m, Steps& steps) const {
    begin(m, steps);
    for (NodeId id = 1; id < graph.size(); ++id)
      if (is_step(id)) run_step(m, id, steps);
    end(m, steps);
  }

  /// Whole images to threads as long as there is one for each; the rest one after the other, each shared.
  void run_images(int n, std::span<const float> images, std::span<float> scores) {
    const int whole = n - n % pool.threads();
    pool.run_together([&](Worker& worker) {
      if (const Range mine = split(whole, worker.thread(), worker.threads()); mine.begin < mine.end) {
        Worker alone;
        Steps steps(alone);
        for (std::int64_t image = mine.begin; image < mine.end; ++image)
          run_image(streamed_memory(image, images, scores, worker.thread()), steps);
        worker.barrier();
      }
      Steps steps(worker);
      for (std::int64_t image = whole; image < n; ++image)
        run_image(streamed_memory(image, images, scores, 0), steps);
    });
  }
};

CpuExecutor::CpuExecutor(std::unique_ptr<State> state) : state_(std::move(state)) {}
CpuExecutor::~CpuExecutor() = default;

const Graph& CpuExecutor::graph() const { return state_->graph; }
Isa CpuExecutor::isa() const { return state_->isa; }
int CpuExecutor::threads() const { return state_->pool.threads(); }
ThreadPool& CpuExecutor::pool() { return state_->pool; }

std::string_view CpuExecutor::kernel_name(NodeId id) const {
  const NodeId by = state_->takeovers.by[index(id)];
  const auto& layer = state_->layers[index(by == kNobody ? id : by)];
  return layer ? std::string_view(layer->kernel()) : std::string_view();
}

std::int64_t CpuExecutor::peak_activation_bytes() const {
  return state_->streamed.bytes + state_->scratch_bytes * state_->pool.threads() +
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
    s.run_images(n, images, scores);
    return {};
  }

  LINNET_TRY(const Workspace arena, Workspace::allocate(s.observed.bytes * n));
  const State::Memory memory = {images.data(), scores.data(), arena.data(), s.scratch.data(), s.observed, n};
  if (s.int8()) s.pool.run_together([&](Worker& worker) { s.quantize_images(memory, worker); });
  if (s.graph.output == 0 && !s.int8()) std::ranges::copy(images, scores.begin());
  AlignedVector<float> real;
  for (NodeId id = 0; id < s.graph.size(); ++id) {
    for (std::int64_t image = 0; id > 0 && image < n; ++image) s.run_node(memory, id, image);
    const auto size = static_cast<std::size_t>(n * s.graph[id].shape.size());
    if (s.int8()) {
      real.resize(size);
      s.dequantize_to(memory, id, real);
      observer(s.graph[id], real);
      if (id == s.graph.output) std::ranges::copy(real, scores.begin());
    } else {
      observer(s.graph[id], {reinterpret_cast<const float*>(s.input(memory, id, 0)), size});
    }
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
  const State::Memory memory = s.streamed_memory(0, image, scores, 0);
  s.pool.run_together([&](Worker& worker) {
    Steps steps(worker);
    s.begin(memory, steps);
    steps.settle();
    auto before = std::chrono::steady_clock::now();
    for (NodeId id = 1; id < s.graph.size(); ++id) {
      if (!s.is_step(id)) continue;
      double stages[3] = {};
      s.run_step(memory, id, steps, stages);
      steps.settle();
      const auto now = std::chrono::steady_clock::now();
      if (worker.thread() == 0)
        s.add_time(id, std::chrono::duration<double, std::micro>(now - before).count(), stages, microseconds);
      before = now;
    }
    s.end(memory, steps);
  });
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
  LINNET_TRY(state->arena, Workspace::allocate(whole_lines(state->streamed.bytes) * options.threads));
  LINNET_TRY(state->scratch, Workspace::allocate(state->scratch_bytes * options.threads));
  return std::unique_ptr<CpuExecutor>(new CpuExecutor(std::move(state)));
}

}  // namespace linnet::cpu
