// Reads the models of ModelBuilder and runs them, for tests only.
#pragma once

#include <string>

#include <gtest/gtest.h>

#include "formats/onnx/model_builder.h"
#include "reference/interpreter.h"

namespace linnet::formats::onnx {

/// The scores of one image, in HWC order.
inline Floats run(const Graph& graph, const Floats& image) {
  Floats scores(static_cast<std::size_t>(graph.output_shape().size()));
  const auto ran = reference::Interpreter(graph).run(1, image, scores);
  EXPECT_TRUE(ran) << (ran ? "" : ran.error().message);
  return scores;
}

/// Reads the model and runs one image through it.
inline Floats read_and_run(ModelBuilder& model, const std::string& output, const Floats& image) {
  const auto graph = model.read(output);
  EXPECT_TRUE(graph) << (graph ? "" : graph.error().message);
  return graph ? run(*graph, image) : Floats{};
}

/// The error that reading gives, or "".
inline std::string complaint(ModelBuilder& model, const std::string& output) {
  const auto graph = model.read(output);
  return graph ? "" : graph.error().message;
}

}  // namespace linnet::formats::onnx
