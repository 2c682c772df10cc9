#include "cpu/executor.h"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "cpu/caches.h"
#include "cpu/fused.h"
#include "cpu/layer_parts.h"
#include "cpu/memory.h"
#include "cpu/storage.h"
#include "cpu/streamed.h"
#include "graph/passes/passes.h"
#include "graph/quantized.h"
#include "plan/cpu_target.h"
#include "plan/ram_target.h"
#include "plan/takeovers.h"

namespace linnet::cpu {
namespace {

constexpr int kMaxThreads = 256;
constexpr std::size_t kMostLayersOfAStage = 3;
using plan::kNobody;

std::size_t index(NodeId id) { return static_cast<std::size_t>(id); }

/// The steps of a job, with as few barriers between them as can be. Every thread makes the same calls.
class Walk {
 public:
  explicit Walk(Worker& worker) : worker_(worker) {}

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

/// A stage, ready to run.
struct Step {
  const Layer* layer;  ///< a node's, or the fused one of several
  NodeId a;            ///< the value that goes in first,
  NodeId b;            ///< second, or kNobody,
  NodeId residual;     ///< is added, or kNobody
  NodeId y;            ///< the value that comes out
};

void drop_weight(Op& op) {
  const auto drop = [](auto& layer) { layer.weight = layer.weight.without_values(); };
  std::visit(Overloaded{[&](Convolution& layer) { drop(layer); }, [&](Depthwise& layer) { drop(layer); },
                        [&](Linear& layer) { drop(layer); }, [](auto&) {}},
             op);
}

/// Where the values lie that exist whole, by node.
struct Places {
  static constexpr std::int64_t kCallers = -1;
  std::int64_t scratch = 0;      ///< bytes at the start of the arena for the stage that runs
  std::vector<std::int64_t> of;  ///< bytes behind those, or kCallers

  Places() = default;
  Places(const Graph& graph, const plan::Plan& plan)
      : scratch(plan.stage_bytes), of(graph.nodes.size(), kCallers) {
    for (const plan::Buffer& b : plan.buffers)
      if (b.kind == plan::Buffer::Kind::kWhole) of[index(b.value)] = b.offset - scratch;
  }
};

}  // namespace

struct CpuExecutor::State {
  Graph graph;
  Isa isa;
  Storage storage;
  ThreadPool pool;
  bool by_pixels;
  std::vector<std::unique_ptr<Layer>> layers;  ///< one a node; none for the Input
  AlignedVector<float> weights;                ///< of the dense layers of a float32 graph
  plan::Plan plan;                             ///< of a run without an observer
  plan::Plan observed;                         ///< of a run node by node
  Places places;                               ///< of `plan`
  std::vector<std::unique_ptr<FusedLayer>> fused;
  std::vector<Step> steps;                ///< one a stage of `plan`
  std::vector<const Layer*> computed_by;  ///< a node's own layer, or the one that took it over
  std::optional<StreamedPlan> streamed;   ///< runs `plan` where it is one for so many bytes or one stage
  Workspace arena;                        ///< one a thread; all but the first for batches alone

  State(Graph g, Isa i, Precision precision, const Options& options)
      : graph(std::move(g)),
        isa(i),
        storage(precision, isa, options.multiply_bf16, options.ram_bytes || options.one_stage),
        pool(options.threads),
        by_pixels(options.ram_bytes || options.one_stage),
        layers(make_layers(options.keep_constants)),
        observed(plan_for_cpu(graph, cpu_target(options, true))) {
    if (!by_pixels) choose_unsigned();
  }

  /// Everything that run() needs but memory.
  Result<void> make_plan(const Options& options) {
    weights = pack_weights_f32(layers);
    for (const auto& layer : layers) computed_by.push_back(layer.get());
    if (by_pixels) {
      LINNET_TRY(plan, options.one_stage ? plan_one_stage(graph, ram_target(options))
                                         : plan_for_ram(graph, ram_target(options)));
      streamed.emplace(graph, plan, std::span(std::as_const(layers)), storage.int8_kernels());
    } else {
      plan = plan_for_cpu(graph, cpu_target(options, false));
      make_steps();
    }
    for (const plan::Stage& stage : plan.stages)
      for (const plan::Layer& l : stage.layers)
        if (l.taken_over != kNobody) computed_by[index(l.taken_over)] = layers[index(l.node)].get();
    places = Places(graph, plan);
    return {};
  }

  /// Each layer packs its weights, and those that it was made of are let go before the next one is made.
  std::vector<std::unique_ptr<Layer>> make_layers(bool keep_constants) {
    std::vector<LayerNode> nodes;
    for (NodeId id = 0; id < graph.size(); ++id) nodes.push_back({id});
    for (const plan::Layer& layer : plan::layers_with_takeovers(graph))
      if (layer.taken_over != kNobody) nodes[index(layer.node)].taken_over = layer.taken_over;
    for (NodeId id = 0; id < graph.size(); ++id)
      if (const auto of = layer_weights(graph[id].op)) of->weight.release_pages();
    std::vector<std::unique_ptr<Layer>> made;
    for (const LayerNode& node : nodes) {
      made.push_back(storage.make_layer(graph, node));
      Op& op = graph[node.id].op;
      if (const auto of = layer_weights(op)) of->weight.release_pages();
      if (!keep_constants) drop_weight(op);
    }
    return made;
  }

  /// Has values stored as unsigned bytes that nobody reads but layers which multiply those.
  void choose_unsigned() {
    for (const plan::Layer& layer : plan::layers_with_takeovers(graph)) {
      Layer* const from = layers[index(layer.node)].get();
      if (!from || !from->can_store_unsigned() || layer.value() == graph.output) continue;
      std::vector<Layer*> readers;
      for (NodeId id = 0; id < graph.size(); ++id)
        if (std::ranges::count(graph[id].inputs, layer.value())) readers.push_back(layers[index(id)].get());
      if (!std::ranges::all_of(readers, &Layer::can_read_unsigned)) continue;
      from->store_unsigned();
      for (Layer* const reader : readers) reader->read_unsigned();
    }
  }

  /// Whether the scores are written where the caller wants them. If not, they become float32 last.
  bool callers_scores() const {
    const Layer* const last = layers[index(graph.output)].get();
    return storage.is_float32() || (last && last->gives_real());
  }

  plan::CpuTarget cpu_target(const Options& options, bool node_by_node) const {
    plan::CpuTarget target;
    target.value_bytes = storage.bytes();
    target.callers_images = storage.is_float32();
    target.callers_scores = callers_scores();
    target.threads = pool.threads();
    target.node_by_node = node_by_node;
    // Measured on a Zen 4 core with 1 MB: 192 KB of rows, and fusing is worth it above 512 KB.
    target.fuse_above_bytes = options.fuse_above_bytes.value_or(l2_bytes() / 2);
    target.rows_bytes = l2_bytes() / 16 * 3;
    target.scratch_bytes = [&](NodeId id) { return whole_lines(layers[index(id)]->scratch()); };
    return target;
  }

  plan::RamTarget ram_target(const Options& options) const {
    plan::RamTarget target;
    target.value_bytes = storage.bytes();
    target.callers_image = storage.is_float32();
    target.ram_bytes = options.ram_bytes.value_or(0);
    target.scratch_alignment = kCacheLine;
    target.scratch_bytes = [&](const plan::Layer& layer, std::int64_t pixels) {
      return layer.node == 0
                 ? 0
                 : streamed_scratch(graph, *layers[index(layer.node)], layer.node, storage.bytes(), pixels);
    };
    return target;
  }

  void make_steps() {
    for (int s = 0; s < static_cast<int>(plan.stages.size()); ++s) {
      const std::vector<plan::Layer>& in_stage = plan.stages[static_cast<std::size_t>(s)].layers;
      const std::vector<NodeId>& inputs = graph[in_stage.front().node].inputs;
      const Layer* layer = layers[index(in_stage.front().node)].get();
      if (in_stage.size() > 1) {
        fused.push_back(std::make_unique<FusedLayer>(graph, plan, s, std::span(std::as_const(layers))));
        layer = fused.back().get();
      }
      steps.push_back({layer, inputs[0], inputs.size() > 1 ? inputs[1] : kNobody,
                       residual_of(graph, in_stage.back()), in_stage.back().value()});
    }
  }

  /// Bytes of a plan's arena for every thread; one that streams pixels runs on one thread, in one arena.
  std::int64_t all_arenas() const {
    return streamed ? plan.arena_bytes : whole_lines(plan.arena_bytes) * pool.threads();
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
    const Places& places;
    std::int64_t group;  ///< images whose values of one node lie side by side
  };

  std::byte* output(const Memory& m, NodeId id, std::int64_t image) const {
    const std::int64_t before = image * graph[id].shape.size();
    const std::int64_t offset = m.places.of[index(id)];
    if (offset == Places::kCallers) return reinterpret_cast<std::byte*>(m.scores + before);
    return m.arena + m.places.scratch + offset * m.group + before * storage.bytes();
  }
  const std::byte* input(const Memory& m, NodeId id, std::int64_t image) const {
    if (id != 0 || !storage.is_float32()) return output(m, id, image);
    return reinterpret_cast<const std::byte*>(m.images + image * graph.input_shape().size());
  }

  /// The images as stored values, this thread's part.
  void store_images(const Memory& m, const Worker& worker) const {
    const auto n = static_cast<std::size_t>(m.group * graph.input_shape().size());
    storage.store_images(graph[0], {m.images, n}, output(m, 0, 0), worker);
  }

  /// One node alone.
  void run_node(const Memory& m, NodeId id, std::int64_t image) {
    const Node& node = graph[id];
    LayerIo io;
    io.a = input(m, node.inputs[0], image);
    if (node.inputs.size() > 1) io.b = input(m, node.inputs[1], image);
    io.y = output(m, id, image);
    io.scratch = m.arena;
    io.alone = true;
    const Layer& layer = *layers[index(id)];
    pool.run_together([&](Worker& all) {
      Walk(all).step(layer.shared(), [&](const Worker& worker) { layer.run(io, worker); });
    });
  }

  void run_step(const Memory& m, const Step& step, Walk& walk, double* stage_seconds = nullptr) const {
    LayerIo io;
    io.a = input(m, step.a, 0);
    if (step.b != kNobody) io.b = input(m, step.b, 0);
    if (step.residual != kNobody) io.residual = input(m, step.residual, 0);
    io.y = output(m, step.y, 0);
    io.scratch = m.arena;
    io.stage_seconds = stage_seconds;
    walk.step(step.layer->shared(), [&](const Worker& worker) { step.layer->run(io, worker); });
  }

  /// Where image `i` of the caller's lies, and the memory of thread `thread` for what is between.
  Memory memory_of(std::int64_t i, std::span<const float> images, std::span<float> scores, int thread) const {
    return {images.data() + i * graph.input_shape().size(), scores.data() + i * graph.output_shape().size(),
            arena.data() + thread * whole_lines(plan.arena_bytes), places, 1};
  }

  /// What happens around the steps of one image.
  void begin(const Memory& m, Walk& walk) const {
    if (!storage.is_float32()) walk.step(true, [&](const Worker& worker) { store_images(m, worker); });
    if (graph.output == 0 && storage.is_float32())
      walk.step(false, [&](const Worker&) { std::copy_n(m.images, graph.input_shape().size(), m.scores); });
  }
  void end(const Memory& m, Walk& walk) const {
    if (callers_scores()) return;
    const auto size = static_cast<std::size_t>(graph.output_shape().size());
    walk.step(false, [&](const Worker&) {
      storage.load(graph[graph.output], output(m, graph.output, 0), {m.scores, size});
    });
  }

  void run_image(const Memory& m, Walk& walk) const {
    begin(m, walk);
    for (const Step& step : steps) run_step(m, step, walk);
    end(m, walk);
  }

  void run_streamed(int n, std::span<const float> images, std::span<float> scores) {
    const auto image_size = static_cast<std::size_t>(graph.input_shape().size());
    const auto score_size = static_cast<std::size_t>(graph.output_shape().size());
    for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i)
      streamed->run(arena.data(), images.subspan(i * image_size, image_size),
                    scores.subspan(i * score_size, score_size));
  }

  /// Whole images to threads as long as there is one for each; the rest one after the other, each shared.
  void run_images(int n, std::span<const float> images, std::span<float> scores) {
    const int whole = n - n % pool.threads();
    pool.run_together([&](Worker& worker) {
      if (const Range mine = split(whole, worker.thread(), worker.threads()); mine.begin < mine.end) {
        Worker alone;
        Walk walk(alone);
        for (std::int64_t image = mine.begin; image < mine.end; ++image)
          run_image(memory_of(image, images, scores, worker.thread()), walk);
        worker.barrier();
      }
      Walk walk(worker);
      for (std::int64_t image = whole; image < n; ++image)
        run_image(memory_of(image, images, scores, 0), walk);
    });
  }
};

CpuExecutor::CpuExecutor(std::unique_ptr<State> state) : state_(std::move(state)) {}
CpuExecutor::~CpuExecutor() = default;

const Graph& CpuExecutor::graph() const { return state_->graph; }
Isa CpuExecutor::isa() const { return state_->isa; }
Precision CpuExecutor::precision() const { return state_->storage.precision(); }
int CpuExecutor::threads() const { return state_->pool.threads(); }
ThreadPool& CpuExecutor::pool() { return state_->pool; }

const plan::Plan& CpuExecutor::plan() const { return state_->plan; }

std::string_view CpuExecutor::kernel_name(NodeId id) const {
  const Layer* const layer = state_->computed_by[index(id)];
  return layer ? std::string_view(layer->kernel()) : std::string_view();
}

std::int64_t CpuExecutor::peak_activation_bytes() const {
  if (state_->by_pixels) return state_->plan.arena_bytes;
  return state_->plan.arena_bytes +
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
    if (s.streamed)
      s.run_streamed(n, images, scores);
    else
      s.run_images(n, images, scores);
    return {};
  }

  const Places places(s.graph, s.observed);
  const std::int64_t wholes = s.observed.arena_bytes - s.observed.stage_bytes;
  LINNET_TRY(const Workspace arena, Workspace::allocate(s.observed.stage_bytes + wholes * n));
  const State::Memory memory = {images.data(), scores.data(), arena.data(), places, n};
  if (!s.storage.is_float32()) s.pool.run_together([&](Worker& worker) { s.store_images(memory, worker); });
  if (s.graph.output == 0 && s.storage.is_float32()) std::ranges::copy(images, scores.begin());
  AlignedVector<float> real;
  for (NodeId id = 0; id < s.graph.size(); ++id) {
    for (std::int64_t image = 0; id > 0 && image < n; ++image) s.run_node(memory, id, image);
    const auto size = static_cast<std::size_t>(n * s.graph[id].shape.size());
    const std::byte* const stored = s.input(memory, id, 0);
    if (s.storage.is_float32() || (id == s.graph.output && s.callers_scores())) {
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
  if (s.streamed) {
    std::vector<double> seconds(microseconds.size(), 0.0);
    s.streamed->run(s.arena.data(), image, scores, seconds);
    for (std::size_t i = 0; i < seconds.size(); ++i) microseconds[i] += seconds[i] * 1e6;
    return {};
  }
  const State::Memory memory = s.memory_of(0, image, scores, 0);
  s.pool.run_together([&](Worker& worker) {
    Walk walk(worker);
    s.begin(memory, walk);
    walk.settle();
    auto before = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < s.steps.size(); ++i) {
      double seconds[kMostLayersOfAStage] = {};
      s.run_step(memory, s.steps[i], walk, seconds);
      walk.settle();
      if (worker.thread() != 0) continue;
      const auto now = std::chrono::steady_clock::now();
      const double elapsed = std::chrono::duration<double, std::micro>(now - before).count();
      before = now;
      const double all = std::accumulate(std::begin(seconds), std::end(seconds), 0.0);
      const std::vector<plan::Layer>& in_stage = s.plan.stages[i].layers;
      for (std::size_t l = 0; l < in_stage.size(); ++l)
        microseconds[index(in_stage[l].node)] += all > 0 ? elapsed * seconds[l] / all : l == 0 ? elapsed : 0;
    }
    s.end(memory, walk);
  });
  return {};
}

Result<std::unique_ptr<CpuExecutor>> make_executor(const Graph& graph, const Options& options) {
  if (options.threads < 1 || options.threads > kMaxThreads)
    return usage("{} threads were asked for; 1 to {} can run", options.threads, kMaxThreads);
  LINNET_TRY(const Isa isa, options.isa ? parse_isa(to_string(*options.isa)) : selected_isa());
  LINNET_CHECK(validate(graph));
  LINNET_TRY(const Precision precision, Storage::check(graph, options.precision));
  if ((options.ram_bytes || options.one_stage) &&
      (precision == Precision::kBf16 || precision == Precision::kFp16))
    return fail("{}: pixel by pixel it runs in float32 or int8, not in {}", graph.name, to_string(precision));
  auto state = std::make_unique<CpuExecutor::State>(canonical(graph), isa, precision, options);
  LINNET_CHECK(state->make_plan(options));
  LINNET_TRY(state->arena, Workspace::allocate(state->all_arenas()));
  return std::unique_ptr<CpuExecutor>(new CpuExecutor(std::move(state)));
}

}  // namespace linnet::cpu
