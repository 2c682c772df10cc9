#include "train/run/teacher.h"

#include <algorithm>

namespace linnet::train {
namespace {

Result<void> same_classes(const Graph& teacher, const Graph& pupil) {
  const int classes = pupil.output_shape().c;
  if (teacher.output_shape().c != classes)
    return usage("--teacher: {} knows {} classes, the data have {}. It must have learnt these", teacher.name,
                 teacher.output_shape().c, classes);
  if (teacher.labels.empty() || pupil.labels.empty()) return {};
  const auto [own, other] = std::ranges::mismatch(teacher.labels, pupil.labels);
  if (own == teacher.labels.end()) return {};
  return usage(
      "--teacher: class {} of {} is \"{}\", of the data \"{}\". It must have learnt the same, in order",
      own - teacher.labels.begin(), teacher.name, *own, *other);
}

}  // namespace

Result<void> check_teacher(const Graph& teacher, const Graph& pupil) {
  if (teacher.input_shape() != pupil.input_shape())
    return usage("--teacher: {} takes pictures of {}, this run's are {}", teacher.name,
                 to_string(teacher.input_shape()), to_string(pupil.input_shape()));
  return same_classes(teacher, pupil);
}

Result<Teacher> Teacher::make(const Graph& graph, const Graph& pupil, const cpu::Options& options) {
  LINNET_TRY(auto executor, cpu::make_executor(graph, options));
  Teacher teacher(std::move(executor));
  const Preprocessing& to = *graph.preprocessing;
  const Preprocessing& from = *pupil.preprocessing;
  const double scale = to.rescale / from.rescale;
  for (std::size_t c = 0; c < 3; ++c) {
    const double deviation = to.deviation[c];
    teacher.multiply_[c] = static_cast<float>(double{from.deviation[c]} * scale / deviation);
    teacher.add_[c] = static_cast<float>((double{from.mean[c]} * scale - double{to.mean[c]}) / deviation);
  }
  return teacher;
}

Result<std::span<const float>> Teacher::scores(int n, std::span<const float> images) {
  const Graph& graph = executor_->graph();
  images_.resize(images.size());
  for (std::size_t i = 0; i < images.size(); i += 3)
    for (std::size_t c = 0; c < 3; ++c) images_[i + c] = images[i + c] * multiply_[c] + add_[c];
  scores_.resize(static_cast<std::size_t>(n) * static_cast<std::size_t>(graph.output_shape().size()));
  LINNET_CHECK(executor_->run(n, images_, scores_));
  return scores_;
}

}  // namespace linnet::train
