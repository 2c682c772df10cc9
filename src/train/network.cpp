#include "train/network.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "cpu/memory.h"
#include "graph/passes/passes.h"
#include "plan/placement.h"
#include "train/constants.h"
#include "train/gradient_buckets.h"
#include "train/layer.h"
#include "train/quantizers.h"

namespace linnet::train {
namespace {

using cpu::Finish;

Finish finish_of(Activation activation) {
  switch (activation) {
    case Activation::kNone: return Finish::kNone;
    case Activation::kRelu: return Finish::kRelu;
    case Activation::kRelu6: return Finish::kRelu6;
    case Activation::kHardSwish: return Finish::kHardSwish;
    case Activation::kHardSigmoid: return Finish::kHardSigmoid;
  }
  return Finish::kNone;
}

/// A constant of the graph and where it lies.
struct Slot {
  NodeId node;
  Role role;
  std::span<float> value;
  std::span<float> gradient;  ///< empty for a statistic
};

std::size_t whole_lines(std::size_t n) { return (n + 15) / 16 * 16; }

/// The nodes that the output depends on.
std::vector<bool> needed_nodes(const Graph& graph) {
  std::vector<bool> needed(graph.nodes.size(), false);
  needed[static_cast<std::size_t>(graph.output)] = true;
  for (NodeId id = graph.output; id >= 0; --id)
    if (needed[static_cast<std::size_t>(id)])
      for (const NodeId input : graph[id].inputs) needed[static_cast<std::size_t>(input)] = true;
  return needed;
}

/// The layer behind the first `frozen` layers with weights, or 0 where there are none to freeze. Errors: no
/// layer is left.
Result<NodeId> first_trained_layer(const Graph& graph, int frozen) {
  if (frozen <= 0) return 0;
  const std::vector<bool> needed = needed_nodes(graph);
  int layers = 0;
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Op& op = graph[id].op;
    const bool weighted = std::holds_alternative<Convolution>(op) || std::holds_alternative<Depthwise>(op) ||
                          std::holds_alternative<Linear>(op);
    if (weighted && needed[static_cast<std::size_t>(id)] && layers++ == frozen) return id;
  }
  return usage("{}: has {} layers with weights, so {} cannot be frozen and one be left to train", graph.name,
               layers, frozen);
}

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

struct Network::Impl {
  Graph graph;
  int batch;
  ThreadPool& pool;
  NetworkOptions options;
  NodeId first_trained = 0;  ///< the nodes before it are frozen
  Machine machine;

  AlignedVector<float> values, gradients, statistics;
  std::vector<Slot> slots;
  std::vector<Parameter> parameters;

  std::vector<std::unique_ptr<Value>> all_values;  ///< the first is the images
  std::vector<std::unique_ptr<Layer>> layers;
  std::vector<LayerTime> times;
  Edge output;

  std::optional<Quantizers> quantizers;                ///< in quantisation-aware training
  std::vector<WeightQuantizer*> weight_quantizers;     ///< one a layer, or nullptr
  std::vector<AlignedVector<float>> quantized_blocks;  ///< one a thread

  cpu::Workspace activations;
  std::vector<Scratch> scratch;
  AlignedVector<float> scratch_memory;
  std::int64_t activation_bytes = 0;
  bool ready_for_backward = false;
  std::optional<GradientBuckets> buckets;  ///< where there are other ranks

  Impl(Graph g, int n, ThreadPool& p, const NetworkOptions& o)
      : graph(std::move(g)),
        batch(n),
        pool(p),
        options(o),
        machine{.kernels = cpu::kernels(o.isa),
                .train = cpu::kernels_train(o.isa),
                .threads = p.threads(),
                .batch = n,
                .mixed = o.precision == cpu::Precision::kBf16,
                .batch_norm_bf16 = cpu::batch_norm_bf16(o.isa),
                .kernels_bf16 = cpu::kernels_bf16(o.isa),
                .products = cpu::products_bf16(o.isa, o.multiplies_bf16)} {
    if (o.job && o.job->size() > 1 && o.sync_norms) machine.norms = o.job;
  }

  bool frozen(NodeId node) const { return node < first_trained; }
  Result<void> take_constants();
  const Slot* find(NodeId node, Role role) const;
  Weights weights_of(NodeId node) const;

  Value& add_value(const Shape& shape, Finish finish, bool half);
  Value& add_layer(const std::string& name, Value& value, std::unique_ptr<Layer> layer);
  Value& copy(const std::string& name, Value& from, Finish finish, bool half);
  Result<void> add_layers();
  void add_norm(NodeId node, Value& value);
  void add_grids(NodeId node, Value& value);
  void order_readers();
  Result<void> place();
  void place_scratch();

  template <class Job>
  void on_each_thread(Job job) {
    pool.run([&](int thread) {
      job(thread, scratch[static_cast<std::size_t>(thread)], split(machine.images, thread, machine.threads));
    });
  }
  void sum_partials(std::span<float> gradient);
  void share_gradients(Layer& layer);
};

/// Copies the graph's constants into arenas.
Result<void> Network::Impl::take_constants() {
  std::size_t trained = 0;
  std::size_t followed = 0;
  for (const Node& node : graph.nodes)
    for_each_constant(node.op, [&](const Constant& constant, Role role, const char*) {
      (is_statistic(role) ? followed : trained) += whole_lines(constant.size());
    });
  const std::size_t constants = trained, followed_constants = followed;
  if (options.int8) {
    machine.grids = true;
    LINNET_TRY(quantizers, Quantizers::make(graph, *options.int8));
    options.int8.reset();  // only its scales are needed
    trained += quantizers->trained();
    followed += quantizers->followed();
  }
  values.resize(trained);
  gradients.resize(trained);
  statistics.resize(followed);
  trained = followed = 0;
  for (NodeId id = 0; id < graph.size(); ++id)
    for_each_constant(graph[id].op, [&](const Constant& constant, Role role, const char* suffix) {
      const bool statistic = is_statistic(role);
      std::size_t& begin = statistic ? followed : trained;
      Slot slot = {.node = id,
                   .role = role,
                   .value = std::span(statistic ? statistics : values).subspan(begin, constant.size()),
                   .gradient = {}};
      std::ranges::copy(constant.values(), slot.value.begin());
      if (!statistic) {
        slot.gradient = std::span(gradients).subspan(begin, constant.size());
        if (!frozen(id))
          parameters.push_back({graph[id].name + suffix, slot.value, slot.gradient, decays(role)});
      }
      begin += whole_lines(constant.size());
      slots.push_back(slot);
    });
  if (quantizers)
    quantizers->place(machine, std::span(values).subspan(constants), std::span(gradients).subspan(constants),
                      std::span(statistics).subspan(followed_constants), parameters,
                      [&](NodeId node) { return weights_of(node); });
  return {};
}

const Slot* Network::Impl::find(NodeId node, Role role) const {
  const auto found =
      std::ranges::find_if(slots, [&](const Slot& s) { return s.node == node && s.role == role; });
  return found == slots.end() ? nullptr : &*found;
}

/// As they are, not on their grids.
Weights Network::Impl::weights_of(NodeId node) const {
  const Slot* weight = find(node, Role::kWeight);
  const Slot* bias = find(node, Role::kBias);
  return {.value = weight->value, .gradient = weight->gradient, .bias = bias ? bias->value.data() : nullptr};
}

Value& Network::Impl::add_value(const Shape& shape, Finish finish, bool half) {
  return *all_values.emplace_back(std::make_unique<Value>(machine, shape, finish, half));
}

Value& Network::Impl::add_layer(const std::string& name, Value& value, std::unique_ptr<Layer> layer) {
  layers.push_back(std::move(layer));
  times.push_back({name});
  weight_quantizers.push_back(nullptr);
  return value;
}

Value& Network::Impl::copy(const std::string& name, Value& from, Finish finish, bool half) {
  Value& value = add_value(from.shape, finish, half);
  return add_layer(name, value, make_copy_layer(machine, {&from}, value));
}

void Network::Impl::add_norm(NodeId node, Value& value) {
  const auto c = static_cast<std::size_t>(value.shape.c);
  Norm norm = {.epsilon = std::get<BatchNorm>(graph[node].op).epsilon,
               .momentum = options.momentum,
               .frozen = options.frozen_norms || frozen(node),
               .scale = find(node, Role::kScale)->value,
               .offset = find(node, Role::kOffset)->value,
               .d_scale = find(node, Role::kScale)->gradient,
               .d_offset = find(node, Role::kOffset)->gradient,
               .running_mean = find(node, Role::kMean)->value,
               .running_variance = find(node, Role::kVariance)->value};
  for (auto* v : {&norm.mean, &norm.deviation, &norm.multiply, &norm.add, &norm.by_value, &norm.constant})
    v->resize(c);
  value.norm.push_back(std::move(norm));
}

/// The grids that int8 has at a node whose value this is.
void Network::Impl::add_grids(NodeId node, Value& value) {
  if (std::holds_alternative<Activate>(graph[node].op)) value.before = std::exchange(value.after, nullptr);
  if (ValueQuantizer* before = quantizers->before(node)) value.before = before;
  value.after = quantizers->output(node);
}

Result<void> Network::Impl::add_layers() {
  const std::vector<bool> needed = needed_nodes(graph);
  const std::vector<int> uses = count_uses(graph);
  std::vector<Value*> value_of(graph.nodes.size(), nullptr);
  NodeId classifier = -1;
  for (NodeId id = 0; id < graph.size(); ++id)
    if (needed[static_cast<std::size_t>(id)] && std::holds_alternative<Linear>(graph[id].op)) classifier = id;

  for (NodeId id = 0; id < graph.size(); ++id) {
    if (!needed[static_cast<std::size_t>(id)]) continue;
    const Node& node = graph[id];
    const auto input = [&](std::size_t i) -> Value& {
      return *value_of[static_cast<std::size_t>(node.inputs[i])];
    };
    // A norm or an activation joins the value before it, where nothing else reads that as it is.
    const auto joinable = [&](bool norm) {
      const Value& value = input(0);
      return node.inputs[0] != 0 && uses[static_cast<std::size_t>(node.inputs[0])] == 1 &&
             value.finish == Finish::kNone && frozen(node.inputs[0]) == frozen(id) &&
             (!norm || (value.norm.empty() && !(quantizers && quantizers->find(node.name))));
    };
    const auto layer = [&](Activation activation, auto make) -> Value* {
      Value& value = add_value(node.shape, finish_of(activation), machine.mixed && id != graph.output);
      if (const Slot* bias = find(id, Role::kBias)) value.d_bias = bias->gradient;
      add_layer(node.name, value, make(value));
      if (quantizers) weight_quantizers.back() = quantizers->weights(id);
      return &value;
    };
    const auto weights = [&] {
      Weights own = weights_of(id);
      if (quantizers) own.value = quantizers->weights(id)->quantized();
      return own;
    };
    Result<Value*> made = std::visit(
        Overloaded{
            [&](const Input&) -> Result<Value*> {
              Value& value = add_value(node.shape, Finish::kNone, false);
              value.needs_gradient = false;
              return &value;
            },
            [&](const Convolution& op) -> Result<Value*> {
              return layer(op.activation, [&](Value& value) {
                return make_matrix_layer(machine, {&input(0)}, value, op.window, weights());
              });
            },
            [&](const Linear& op) -> Result<Value*> {
              Value* x = &input(0);
              if (id == classifier && options.dropout > 0) {
                Value& dropped = add_value(x->shape, Finish::kNone, machine.mixed);
                x = &add_layer("dropout", dropped,
                               make_dropout_layer(machine, {x}, dropped, options.dropout, options.seed));
              }
              return layer(op.activation, [&](Value& value) {
                return make_matrix_layer(machine, {x}, value, Window{}, weights());
              });
            },
            [&](const Depthwise& op) -> Result<Value*> {
              return layer(op.activation, [&](Value& value) {
                return make_depthwise_layer(machine, {&input(0)}, value, op.window, weights());
              });
            },
            [&](const BatchNorm&) -> Result<Value*> {
              Value& value =
                  joinable(true) ? input(0) : copy(node.name, input(0), Finish::kNone, machine.mixed);
              add_norm(id, value);
              return &value;
            },
            [&](const Activate& op) -> Result<Value*> {
              if (!joinable(false))
                return &copy(node.name, input(0), finish_of(op.activation), machine.mixed);
              input(0).finish = finish_of(op.activation);
              return &input(0);
            },
            [&](const Add& op) -> Result<Value*> {
              return layer(op.activation, [&](Value& value) {
                return make_add_layer(machine, {&input(0)}, {&input(1)}, value);
              });
            },
            [&](const Multiply&) -> Result<Value*> {
              return layer(Activation::kNone, [&](Value& value) {
                return make_multiply_layer(machine, {&input(0)}, {&input(1)}, value);
              });
            },
            [&](const GlobalAveragePool&) -> Result<Value*> {
              return layer(Activation::kNone,
                           [&](Value& value) { return make_pool_layer(machine, {&input(0)}, value); });
            },
            [&](const Pad& op) -> Result<Value*> {
              return layer(Activation::kNone, [&](Value& value) {
                return make_pad_layer(machine, {&input(0)}, value, op.padding);
              });
            },
            [&](const Identity&) -> Result<Value*> { return &input(0); },
            [&](const Softmax&) -> Result<Value*> {
              return fail("{}: node \"{}\": a softmax that is not the last node cannot be trained",
                          graph.name, node.name);
            },
        },
        node.op);
    LINNET_TRY(Value* const value, std::move(made));
    if (frozen(id)) value->needs_gradient = false;
    if (quantizers) add_grids(id, *value);
    value_of[static_cast<std::size_t>(id)] = value;
  }
  Value* scores = value_of[static_cast<std::size_t>(graph.output)];
  if (!scores->plain() || scores->half || scores == all_values.front().get())
    scores = &copy("scores", *scores, Finish::kNone, false);
  output = {scores};
  return {};
}

/// Tells every edge whether it is the first or the last of its value's readers that delivers a gradient.
void Network::Impl::order_readers() {
  std::vector<Edge*> edges = {&output};
  for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer)
    for (auto edge = (*layer)->inputs().rbegin(); edge != (*layer)->inputs().rend(); ++edge)
      edges.push_back(&*edge);
  for (const auto& value : all_values) {
    Edge* last = nullptr;
    for (Edge* edge : edges) {
      if (edge->value != value.get()) continue;
      edge->first = last == nullptr;
      edge->last = false;
      last = edge;
    }
    if (last) last->last = true;
  }
}

/// Finds a place for every z and every gradient. The steps are the layers forward, the scores' gradient, the
/// layers backward.
Result<void> Network::Impl::place() {
  const int count = static_cast<int>(layers.size());
  const auto backward = [&](int layer) { return 2 * count - layer; };
  std::vector<plan::Block> blocks;
  std::vector<std::byte**> owners;
  const auto live = [&](std::byte*& owner, const Value& value, int first, int last) {
    blocks.push_back({.bytes = std::int64_t{batch} * value.image_bytes(),
                      .first = first,
                      .last = last,
                      .alignment = kCacheLine});
    owners.push_back(&owner);
  };
  const auto trained = [&](int layer) {
    return layers[static_cast<std::size_t>(layer)]->output().needs_gradient;
  };
  for (int i = 0; i < count; ++i) {
    Value& value = layers[static_cast<std::size_t>(i)]->output();
    if (!trained(i)) {
      int last = i;
      for (int reader = 0; reader < count; ++reader)
        for (const Edge& edge : layers[static_cast<std::size_t>(reader)]->inputs())
          if (edge.value == &value) last = std::max(last, trained(reader) ? backward(reader) : reader);
      live(value.z, value, i, last);
      continue;
    }
    live(value.z, value, i, backward(i));
    int first = output.value == &value ? count : backward(i);
    for (int reader = 0; reader < count; ++reader)
      for (const Edge& edge : layers[static_cast<std::size_t>(reader)]->inputs())
        if (edge.value == &value) first = std::min(first, backward(reader));
    live(value.gradient, value, first, backward(i));
  }
  const plan::Placement placement = plan::place(blocks);
  LINNET_TRY(activations, cpu::Workspace::allocate(placement.bytes));
  activation_bytes = placement.bytes;
  for (std::size_t i = 0; i < owners.size(); ++i) *owners[i] = activations.data() + placement.offsets[i];
  return {};
}

void Network::Impl::place_scratch() {
  ScratchSize most;
  std::size_t weights = 0;
  for (const auto& layer : layers) {
    const ScratchSize own = layer->scratch_size();
    most.x = std::max(most.x, own.x);
    most.dy = std::max(most.dy, own.dy);
    most.dx = std::max(most.dx, own.dx);
    most.columns = std::max(most.columns, own.columns);
    most.pairs = std::max(most.pairs, own.pairs);
    if (layer->has_partials()) weights = std::max(weights, layer->d_weight().size());
  }
  const std::size_t sizes[] = {
      static_cast<std::size_t>(most.x),         static_cast<std::size_t>(most.dy),
      static_cast<std::size_t>(most.dx),        static_cast<std::size_t>(most.columns),
      static_cast<std::size_t>(most.pairs / 2), weights};
  std::size_t total = 0;
  for (const std::size_t size : sizes) total += whole_lines(size);
  scratch_memory.resize(total * static_cast<std::size_t>(machine.threads));
  float* next = scratch_memory.data();
  const auto take = [&](std::size_t size) { return std::exchange(next, next + whole_lines(size)); };
  for (int thread = 0; thread < machine.threads; ++thread)
    scratch.push_back({.x = take(sizes[0]),
                       .dy = take(sizes[1]),
                       .dx = take(sizes[2]),
                       .columns = take(sizes[3]),
                       .pairs = reinterpret_cast<cpu::Bf16*>(take(sizes[4])),
                       .partial = take(sizes[5])});
  if (!quantizers) return;
  std::int64_t block = 0;
  for (const auto& value : all_values)
    block = std::max(block, block_pixels_quantized(value->shape.c) * value->shape.c);
  for (int thread = 0; thread < machine.threads; ++thread)
    machine.blocks.push_back(
        quantized_blocks.emplace_back(static_cast<std::size_t>(kQuantizedBlocks * block)).data());
}

/// Adds the other threads' gradients of a layer's weights to the first's, in their order.
void Network::Impl::sum_partials(std::span<float> gradient) {
  if (machine.threads == 1 || gradient.empty()) return;
  const auto lines = static_cast<std::int64_t>(whole_lines(gradient.size()) / 16);
  pool.parallel_for(lines, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t first = begin * 16;
    const std::int64_t count = std::min<std::int64_t>(end * 16, std::ssize(gradient)) - first;
    float* const sum = gradient.data() + first;
    for (std::size_t thread = 1; thread < scratch.size(); ++thread)
      machine.kernels.add.run({sum, scratch[thread].partial + first, sum, count, Finish::kNone});
  });
}

/// After a layer's backward pass: its own gradients, and those of the norm behind it, are final.
void Network::Impl::share_gradients(Layer& layer) {
  if (!buckets) return;
  buckets->done(layer.d_weight());
  buckets->done(layer.output().d_bias);
  for (const Norm& norm : layer.output().norm) {
    buckets->done(norm.d_scale);
    buckets->done(norm.d_offset);
  }
}

Result<Network> Network::make(const Graph& graph, int batch, ThreadPool& pool,
                              const NetworkOptions& options) {
  if (is_int8(graph))
    return fail("{}: an int8 graph cannot be trained; train its float32 original", graph.name);
  if (batch < 1) return usage("a batch has at least one image, not {}", batch);
  if (options.precision != cpu::Precision::kFloat32 && options.precision != cpu::Precision::kBf16)
    return usage("training runs in float32 or bf16, not {}", cpu::to_string(options.precision));
  if (options.int8 && options.precision != cpu::Precision::kFloat32)
    return usage("quantisation-aware training runs in float32, not {}", cpu::to_string(options.precision));
  if (!(options.dropout >= 0 && options.dropout < 1))
    return usage("dropout is at least 0 and below 1, not {}", options.dropout);
  auto impl =
      std::make_unique<Impl>(canonical_padding(remove_identity(strip_softmax(graph))), batch, pool, options);
  LINNET_TRY(impl->first_trained, first_trained_layer(impl->graph, options.frozen_layers));
  LINNET_CHECK(impl->take_constants());
  if (options.job && options.job->size() > 1) {
    std::vector<std::span<float>> parts;
    for (const Parameter& parameter : impl->parameters) parts.push_back(parameter.gradient);
    impl->buckets.emplace(impl->gradients, parts, *options.job);
  }
  LINNET_CHECK(impl->add_layers());
  impl->order_readers();
  LINNET_CHECK(impl->place());
  impl->place_scratch();
  return Network(std::move(impl));
}

Network::Network(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Network::Network(Network&&) noexcept = default;
Network& Network::operator=(Network&&) noexcept = default;
Network::~Network() = default;

Result<std::span<const float>> Network::forward(std::span<const float> images, bool training) {
  Impl& m = *impl_;
  const auto size = static_cast<std::size_t>(m.graph.input_shape().size());
  const std::size_t n = images.size() / size;
  if (n < 1 || n > static_cast<std::size_t>(m.batch) || n * size != images.size())
    return fail("{}: a step takes 1 to {} images of {} values; {} values were passed", m.graph.name, m.batch,
                size, images.size());
  m.machine.images = static_cast<int>(n);
  m.machine.first_image = m.options.job ? m.options.job->rank() * static_cast<std::int64_t>(n) : 0;
  m.machine.training = training;
  if (training) ++m.machine.step;
  m.ready_for_backward = training;
  // Nothing writes to the images: a layer writes only what it owns.
  m.all_values.front()->z = reinterpret_cast<std::byte*>(const_cast<float*>(images.data()));
  for (std::size_t i = 0; i < m.layers.size(); ++i) {
    const double begin = seconds();
    Layer& layer = *m.layers[i];
    if (WeightQuantizer* weights = m.weight_quantizers[i])
      m.pool.run([&](int thread) { weights->apply(thread); });
    m.pool.run([&](int thread) { layer.pack_forward(thread); });
    m.on_each_thread(
        [&](int thread, const Scratch& scratch, Range range) { layer.forward(thread, scratch, range); });
    layer.output().close_forward();
    m.times[i].forward += seconds() - begin;
  }
  const Value& scores = *m.output.value;
  return std::span(reinterpret_cast<const float*>(scores.z),
                   n * static_cast<std::size_t>(scores.shape.size()));
}

Result<void> Network::restate_norms(std::span<const float> images) {
  impl_->machine.restating = true;
  const auto scores = forward(images, false);
  impl_->machine.restating = false;
  if (!scores) return std::unexpected(scores.error());
  return {};
}

Result<void> Network::backward(std::span<const float> d_scores) {
  Impl& m = *impl_;
  const std::int64_t size = m.output.value->shape.size();
  if (!m.ready_for_backward)
    return fail("{}: backward() needs a forward pass in training before it", m.graph.name);
  if (std::ssize(d_scores) != m.machine.images * size)
    return fail("{}: {} images have {} scores; {} gradients were passed", m.graph.name, m.machine.images,
                m.machine.images * size, d_scores.size());
  m.ready_for_backward = false;
  m.on_each_thread([&](int thread, const Scratch&, Range range) {
    const std::int64_t pixels = m.output.value->shape.pixels();
    m.output.deliver(thread, range.begin * pixels, (range.end - range.begin) * pixels,
                     d_scores.data() + range.begin * size);
  });
  for (std::size_t i = m.layers.size(); i-- > 0;) {
    const double begin = seconds();
    Layer& layer = *m.layers[i];
    if (!layer.output().needs_gradient) continue;
    layer.output().close_backward();
    m.pool.run([&](int thread) { layer.pack_backward(thread); });
    m.on_each_thread(
        [&](int thread, const Scratch& scratch, Range range) { layer.backward(thread, scratch, range); });
    if (layer.has_partials()) m.sum_partials(layer.d_weight());
    if (WeightQuantizer* weights = m.weight_quantizers[i])
      m.pool.run([&](int thread) { weights->through(thread); });
    m.share_gradients(layer);
    m.times[i].backward += seconds() - begin;
  }
  if (m.buckets) m.buckets->finish();
  return {};
}

void Network::freeze_statistics(bool frozen) { impl_->machine.frozen = frozen; }

std::span<const Parameter> Network::parameters() const { return impl_->parameters; }
std::span<float> Network::values() { return impl_->values; }
std::span<float> Network::gradients() { return impl_->gradients; }
std::span<float> Network::statistics() { return impl_->statistics; }

Graph Network::to_graph() const {
  Graph graph = impl_->graph;
  auto slot = impl_->slots.begin();
  for (Node& node : graph.nodes)
    for_each_constant(node.op, [&](Constant& constant, Role, const char*) {
      AlignedVector<float> values(slot->value.begin(), slot->value.end());
      constant = Constant(constant.dims(), std::move(values));
      ++slot;
    });
  return graph;
}

Result<Graph> Network::to_int8() const {
  if (!impl_->quantizers)
    return fail("{}: has no int8 scales; it was not made for quantisation-aware training", impl_->graph.name);
  return impl_->quantizers->to_int8(to_graph());
}

Result<AlignedVector<float>> Network::stored_values(std::string_view name) const {
  const ValueQuantizer* grid = impl_->quantizers ? impl_->quantizers->find(name) : nullptr;
  for (const auto& value : impl_->all_values) {
    if (!grid || (value->before != grid && value->after != grid)) continue;
    AlignedVector<float> y(static_cast<std::size_t>(impl_->machine.images * value->shape.size()));
    value->read(*grid, impl_->machine.images * value->shape.pixels(), y.data());
    return y;
  }
  return fail("{}: node \"{}\" has no grid", impl_->graph.name, name);
}

void Network::set_steps(std::uint64_t steps) { impl_->machine.step = steps; }

std::int64_t Network::bytes() const {
  const Impl& m = *impl_;
  const std::size_t floats =
      m.values.size() + m.gradients.size() + m.statistics.size() + m.scratch_memory.size();
  return m.activation_bytes + static_cast<std::int64_t>(floats * sizeof(float));
}

std::vector<LayerTime> Network::times() const { return impl_->times; }

void Network::reset_times() {
  for (LayerTime& time : impl_->times) time.forward = time.backward = 0;
}

}  // namespace linnet::train
