#include "api/classifier.h"

#include <algorithm>
#include <cmath>
#include <thread>

#include "cpu/executor.h"
#include "data/labels.h"
#include "data/metrics.h"
#include "graph/passes/passes.h"
#include "image/preprocess.h"
#include "reference/interpreter.h"

namespace linnet {

std::string_view to_string(Backend backend) { return backend == Backend::kCpu ? "cpu" : "reference"; }

Result<std::unique_ptr<Executor>> make_executor(const Graph& graph, Backend backend, int threads,
                                                std::optional<cpu::Precision> precision) {
  if (backend == Backend::kCpu)
    return cpu::make_executor(graph, {.threads = threads > 0 ? threads : default_threads(),
                                      .precision = precision,
                                      .keep_constants = false});
  if (precision == cpu::Precision::kBf16 || precision == cpu::Precision::kFp16)
    return usage("the reference computes in float32 and int8; {} runs on the back end cpu",
                 to_string(*precision));
  return std::make_unique<reference::Interpreter>(canonical(graph));
}

int default_threads() { return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, 256); }

Result<std::vector<Prediction>> predictions(std::span<const float> logits,
                                            const std::vector<std::string>& labels, int top) {
  for (const float logit : logits)
    if (!std::isfinite(logit))
      return fail(
          "the model's scores are not finite: its weights or its input are damaged; get the model anew, or "
          "find the first bad layer with linnet compare");
  const int classes = static_cast<int>(logits.size());
  const std::vector<int> best = data::top_k(logits, std::min(top, classes), data::first_class(classes));
  const auto logit = [&](int i) { return double{logits[static_cast<std::size_t>(i)]}; };
  double sum = 0;
  for (int i = data::first_class(classes); i < classes; ++i) sum += std::exp(logit(i) - logit(best.front()));
  std::vector<Prediction> result;
  for (const int i : best)
    result.push_back({i, labels.empty() ? fmt::format("class {}", i) : labels[static_cast<std::size_t>(i)],
                      static_cast<float>(std::exp(logit(i) - logit(best.front())) / sum)});
  return result;
}

Result<Classifier> Classifier::make(Graph graph, Backend backend, int threads,
                                    std::optional<cpu::Precision> precision) {
  LINNET_TRY(auto executor, make_executor(graph, backend, threads, precision));
  return Classifier(std::move(graph), std::move(executor));
}

Result<AlignedVector<float>> Classifier::prepare(const image::Image& picture) const {
  AlignedVector<float> input(static_cast<std::size_t>(graph_.input_shape().size()));
  LINNET_CHECK(image::preprocess(picture, *graph_.preprocessing, graph_.input_shape(), input));
  return input;
}

Result<AlignedVector<float>> Classifier::logits(int n, std::span<const float> pictures) {
  AlignedVector<float> scores(static_cast<std::size_t>(n) * static_cast<std::size_t>(classes()));
  LINNET_CHECK(executor_->run(n, pictures, scores));
  return scores;
}

Result<Classification> Classifier::classify(const image::Image& picture, int top) {
  Classification result;
  Stopwatch watch;
  LINNET_TRY(const AlignedVector<float> input, prepare(picture));
  result.timings.preprocess = watch.lap();
  LINNET_TRY(const AlignedVector<float> scores, logits(1, input));
  result.timings.inference = watch.lap();
  LINNET_TRY(result.predictions, predictions(scores, graph_.labels, top));
  return result;
}

double Stopwatch::lap() {
  const auto now = std::chrono::steady_clock::now();
  const double milliseconds = std::chrono::duration<double, std::milli>(now - start_).count();
  start_ = now;
  return milliseconds;
}

}  // namespace linnet
