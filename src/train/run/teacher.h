// A trained network whose scores another one learns beside the labels.
#pragma once

#include <array>
#include <memory>
#include <span>

#include "base/aligned.h"
#include "cpu/executor.h"

namespace linnet::train {

/// Whether `pupil` can learn from `teacher`. Errors (kUsage): other classes, pictures of another size.
Result<void> check_teacher(const Graph& teacher, const Graph& pupil);

class Teacher {
 public:
  /// `graph`, float or int8, and `pupil` passed check_teacher() and have their preprocessing.
  static Result<Teacher> make(const Graph& graph, const Graph& pupil, const cpu::Options& options);

  /// images: n x H x W x C, as the pupil reads them. n x classes scores, until the next call.
  Result<std::span<const float>> scores(int n, std::span<const float> images);

 private:
  explicit Teacher(std::unique_ptr<cpu::CpuExecutor> executor) : executor_(std::move(executor)) {}

  std::unique_ptr<cpu::CpuExecutor> executor_;
  // What it reads is what the pupil reads * multiply_ + add_, a channel.
  std::array<float, 3> multiply_ = {1, 1, 1};
  std::array<float, 3> add_ = {0, 0, 0};
  AlignedVector<float> images_;
  AlignedVector<float> scores_;
};

}  // namespace linnet::train
