// Times full training steps (forward, backward, update) on random images and says where the time goes.
//   training_speed MODEL [BATCH [THREADS [SECONDS [PRECISION]]]]
#include <fmt/core.h>

#include "cpu/ceiling.h"
#include "graph/statistics.h"
#include "train/loss.h"
#include "train/network.h"
#include "train/optimizer.h"
#include "workload.h"

namespace {

using namespace linnet;

class Linnet final : public figures::Trainee {
 public:
  static Result<Linnet> make(const figures::Workload& workload, ThreadPool& pool, cpu::Isa isa,
                             cpu::Precision precision) {
    auto network =
        train::Network::make(workload.graph, workload.batch, pool, {.isa = isa, .precision = precision});
    if (!network) return std::unexpected(network.error());
    return Linnet(workload, pool, std::move(*network));
  }

  double forward() override {
    const auto scores = network_.forward(workload_->images, true);
    return train::softmax_cross_entropy(*scores, workload_->targets, workload_->classes(), d_scores_).mean;
  }
  void backward() override { (void)network_.backward(d_scores_); }
  void update() override { optimizer_->step(figures::kRate, *pool_); }
  train::Network& network() { return network_; }

 private:
  Linnet(const figures::Workload& workload, ThreadPool& pool, train::Network network)
      : workload_(&workload), pool_(&pool), network_(std::move(network)), d_scores_(workload.targets.size()) {
    optimizer_ = train::make_sgd(
        network_.parameters(),
        {.momentum = figures::kMomentum, .nesterov = true, .weight_decay = figures::kWeightDecay});
  }

  const figures::Workload* workload_;
  ThreadPool* pool_;
  train::Network network_;
  std::unique_ptr<train::Optimizer> optimizer_;
  std::vector<float> d_scores_;
};

int run(std::span<char*> arguments) {
  const auto workload = figures::parse_workload(arguments);
  const auto isa = cpu::selected_isa();
  const auto precision = cpu::parse_precision(arguments.size() > 4 ? arguments[4] : "float32");
  for (const auto& error : {workload ? "" : workload.error().message, isa ? "" : isa.error().message,
                            precision ? "" : precision.error().message})
    if (!error.empty()) return fmt::print(stderr, "{}\n", error), 2;

  ThreadPool pool(workload->threads);
  auto linnet = Linnet::make(*workload, pool, *isa, *precision);
  if (!linnet) return fmt::print(stderr, "{}\n", linnet.error().message), 1;

  cpu::CeilingSampler sampler(*isa, pool);
  std::vector<double> ceilings;
  const auto times = figures::time_steps(*linnet, workload->seconds, [&](int step) {
    if (step == figures::kUntimedSteps) linnet->network().reset_times();
    ceilings.push_back(sampler.gmacs());
  });
  std::ranges::sort(ceilings);
  const double macs =
      3.0 * workload->batch * static_cast<double>(totals_of(workload->graph, workload->graph.output).macs);
  for (const train::LayerTime& layer : linnet->network().times())
    fmt::print("{:<28} forward {:7.3f} ms  backward {:7.3f} ms\n", layer.name,
               1e3 * layer.forward / times.steps, 1e3 * layer.backward / times.steps);
  figures::print(fmt::format("Linnet {} {}", to_string(*isa), cpu::to_string(*precision)), *workload, times);
  fmt::print("{:.1f} % of the float ceiling, {:.0f} MB\n",
             100 * macs * 1e-9 / times.total() / ceilings[ceilings.size() / 2],
             1e-6 * static_cast<double>(linnet->network().bytes()));
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return run(std::span(argv, static_cast<std::size_t>(argc)).subspan(1)); }
