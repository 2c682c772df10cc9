// Times full training steps (forward, backward, update) on random images and says where the time goes.
//   training_speed MODEL [BATCH [THREADS [SECONDS [PRECISION]]]]
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <string_view>

#include <fmt/core.h>

#include "base/random.h"
#include "cpu/ceiling.h"
#include "graph/families/family.h"
#include "graph/statistics.h"
#include "train/initialise.h"
#include "train/loss.h"
#include "train/network.h"
#include "train/optimizer.h"

namespace {

using namespace linnet;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

template <class T>
T number(int argc, char** argv, int index, T otherwise) {
  if (index < argc) {
    const std::string_view text = argv[index];
    std::from_chars(text.data(), text.data() + text.size(), otherwise);
  }
  return otherwise;
}

int run(int argc, char** argv) {
  const auto config = parse_family(argc > 1 ? argv[1] : "mobilenet_v1:resolution=32,classes=10");
  const int batch = number(argc, argv, 2, 128);
  const int threads = number(argc, argv, 3, 2);
  const double limit = number(argc, argv, 4, 5.0);
  const auto isa = cpu::selected_isa();
  const auto precision = cpu::parse_precision(argc > 5 ? argv[5] : "float32");
  for (const auto& error : {config ? "" : config.error().message, isa ? "" : isa.error().message,
                            precision ? "" : precision.error().message})
    if (!error.empty()) return fmt::print(stderr, "{}\n", error), 2;
  const auto untrained = build(*config);
  if (!untrained) return fmt::print(stderr, "{}\n", untrained.error().message), 2;

  ThreadPool pool(threads);
  const Graph graph = train::initialise(*untrained, train::Initialisation::kHeFanOut, 1);
  auto network = train::Network::make(graph, batch, pool, {.isa = *isa, .precision = *precision});
  if (!network) return fmt::print(stderr, "{}\n", network.error().message), 1;
  const auto optimizer =
      train::make_sgd(network->parameters(), {.momentum = 0.9f, .nesterov = true, .weight_decay = 5e-4f});

  Random random(1);
  AlignedVector<float> images(static_cast<std::size_t>(batch * graph.input_shape().size()));
  for (float& x : images) x = random.uniform(-2, 2);
  const int classes = graph.output_shape().c;
  std::vector<int> labels(static_cast<std::size_t>(batch));
  for (int& label : labels) label = static_cast<int>(random.below(static_cast<std::uint64_t>(classes)));
  std::vector<float> targets(labels.size() * static_cast<std::size_t>(classes));
  std::vector<float> d_scores(targets.size());
  train::fill_targets(labels, classes, 0, targets);

  cpu::CeilingSampler ceiling(*isa, pool);
  const double gmacs = 3.0 * batch * static_cast<double>(totals_of(graph, graph.output).macs) * 1e-9;
  std::vector<double> forward, backward, update, shares;
  double loss = 0;
  const double start = now();
  for (int step = 0; step < 3 || now() - start < limit; ++step) {
    if (step == 2) network->reset_times();
    const double before = ceiling.gmacs();
    const double begin = now();
    const auto scores = network->forward(images, true);
    loss = train::softmax_cross_entropy(*scores, targets, classes, d_scores).mean;
    const double there = now();
    if (!network->backward(d_scores)) return 1;
    const double back = now();
    optimizer->step(0.01f, pool);
    const double end = now();
    if (step < 2) continue;
    forward.push_back(there - begin);
    backward.push_back(back - there);
    update.push_back(end - back);
    shares.push_back(gmacs / (end - begin) / ((before + ceiling.gmacs()) / 2));
  }
  const auto steps = static_cast<double>(forward.size());
  const double total = median(forward) + median(backward) + median(update);
  for (const train::LayerTime& layer : network->times())
    fmt::print("{:<28} forward {:7.3f} ms  backward {:7.3f} ms\n", layer.name, 1e3 * layer.forward / steps,
               1e3 * layer.backward / steps);
  fmt::print("{} {} {} threads, batch {}: {:.0f} images/s, {:.1f} % of the float ceiling\n", to_string(*isa),
             cpu::to_string(*precision), threads, batch, batch / total, 100 * median(shares));
  fmt::print("forward {:.1f} ms, backward {:.1f} ms, update {:.1f} ms; {} steps, loss {:.3f}, {:.0f} MB\n",
             1e3 * median(forward), 1e3 * median(backward), 1e3 * median(update), forward.size(), loss,
             1e-6 * static_cast<double>(network->bytes()));
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return run(argc, argv); }
