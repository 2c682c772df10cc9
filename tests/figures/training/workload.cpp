#include "workload.h"

#include <algorithm>
#include <charconv>
#include <chrono>

#include <fmt/core.h>

#include "base/random.h"
#include "graph/families/family.h"
#include "train/initialise.h"
#include "train/loss.h"

namespace linnet::figures {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

template <class T>
T number(std::span<char*> arguments, std::size_t index, T otherwise) {
  if (index < arguments.size()) {
    const std::string_view text = arguments[index];
    std::from_chars(text.data(), text.data() + text.size(), otherwise);
  }
  return otherwise;
}

}  // namespace

Result<Workload> parse_workload(std::span<char*> arguments) {
  const auto config =
      parse_family(arguments.empty() ? "mobilenet_v1:resolution=32,classes=10" : arguments.front());
  if (!config) return std::unexpected(config.error());
  const auto untrained = build(*config);
  if (!untrained) return std::unexpected(untrained.error());

  Workload w;
  w.graph = train::initialise(*untrained, train::Initialisation::kHeFanOut, 1);
  w.batch = number(arguments, 1, w.batch);
  w.threads = number(arguments, 2, w.threads);
  w.seconds = number(arguments, 3, w.seconds);
  Random random(1);
  w.images.resize(static_cast<std::size_t>(w.batch * w.graph.input_shape().size()));
  for (float& x : w.images) x = random.uniform(-2, 2);
  std::vector<int> labels(static_cast<std::size_t>(w.batch));
  for (int& label : labels) label = static_cast<int>(random.below(static_cast<std::uint64_t>(w.classes())));
  w.targets.resize(labels.size() * static_cast<std::size_t>(w.classes()));
  train::fill_targets(labels, w.classes(), 0, w.targets);
  return w;
}

StepTimes time_steps(Trainee& trainee, double seconds, const std::function<void(int)>& before) {
  StepTimes times;
  std::vector<double> forward, backward, update;
  const double start = now();
  for (int step = 0; step <= kUntimedSteps || now() - start < seconds; ++step) {
    before(step);
    const double begin = now();
    times.losses.push_back(trainee.forward());
    const double there = now();
    trainee.backward();
    const double back = now();
    trainee.update();
    const double end = now();
    if (step < kUntimedSteps) continue;
    forward.push_back(there - begin);
    backward.push_back(back - there);
    update.push_back(end - back);
  }
  times.forward = median(forward);
  times.backward = median(backward);
  times.update = median(update);
  times.steps = static_cast<int>(forward.size());
  return times;
}

void print(std::string_view name, const Workload& workload, const StepTimes& times) {
  fmt::print("{}, {} threads, batch {}: {:.0f} images/s\n", name, workload.threads, workload.batch,
             workload.batch / times.total());
  fmt::print("forward {:.1f} ms, backward {:.1f} ms, update {:.1f} ms; {} steps\n", 1e3 * times.forward,
             1e3 * times.backward, 1e3 * times.update, times.steps);
  fmt::print("losses {:.5f} {:.5f} … {:.5f}\n", times.losses[0], times.losses[1], times.losses.back());
}

}  // namespace linnet::figures
