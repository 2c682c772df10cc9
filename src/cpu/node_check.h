// For tests: an executor against the reference, node by node.
#pragma once

#include <gtest/gtest.h>

#include "cpu/error_bound.h"
#include "cpu/executor.h"

namespace linnet::cpu {

inline std::unique_ptr<CpuExecutor> executor(const Graph& graph, Options options) {
  auto made = make_executor(graph, options);
  EXPECT_TRUE(made) << (made ? "" : made.error().message);
  return made ? std::move(*made) : nullptr;
}

inline std::vector<float> run(CpuExecutor& executor, int n, std::span<const float> images,
                              const Observer& observer = {}) {
  std::vector<float> scores(static_cast<std::size_t>(n * executor.graph().output_shape().size()));
  const auto ran = executor.run(n, images, scores, observer);
  EXPECT_TRUE(ran) << (ran ? "" : ran.error().message);
  return scores;
}

/// Checks every node of n images against the reference, computed from the executor's own inputs to that node,
/// so that errors do not add up.
inline void expect_every_node(const Graph& graph, Options options, int n, std::span<const float> images,
                              const std::string& replay) {
  const auto cpu = executor(graph, options);
  ASSERT_TRUE(cpu);
  std::vector<std::vector<float>> outputs;
  const Observer observer = [&](const Node& node, std::span<const float> values) {
    const auto count = static_cast<std::size_t>(n);
    outputs.emplace_back(values.begin(), values.end());
    ASSERT_EQ(values.size(), count * static_cast<std::size_t>(node.shape.size())) << replay;
    if (outputs.size() == 1) return;
    for (std::size_t image = 0; image < count; ++image) {
      std::vector<Shape> shapes;
      std::vector<std::span<const float>> inputs;
      for (const NodeId input : node.inputs) {
        const auto size = static_cast<std::size_t>(cpu->graph()[input].shape.size());
        shapes.push_back(cpu->graph()[input].shape);
        inputs.push_back(
            std::span<const float>(outputs[static_cast<std::size_t>(input)]).subspan(image * size, size));
      }
      const auto size = static_cast<std::size_t>(node.shape.size());
      const std::string wrong =
          first_violation(expect_node(node, shapes, inputs, cpu->precision()), values.subspan(image * size, size));
      ASSERT_EQ(wrong, "") << replay << ", node " << node.name << " by "
                           << cpu->kernel_name(static_cast<NodeId>(outputs.size()) - 1) << '\n'
                           << dump(cpu->graph());
    }
  };
  const std::vector<float> observed = run(*cpu, n, images, observer);
  EXPECT_EQ(outputs.size(), cpu->graph().nodes.size()) << replay;
  // Residual Adds are taken over here, and memory is reused: not one bit may change; nor where every
  // depthwise layer runs a few rows at a time together with the convolutions around it.
  EXPECT_EQ(run(*cpu, n, images), observed) << replay;
  options.fuse_above_bytes = 0;
  EXPECT_EQ(run(*executor(graph, options), n, images), observed) << replay << ", fused";
}

}  // namespace linnet::cpu
