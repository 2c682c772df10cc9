// ONNX Runtime as an oracle: runs a model file through onnxruntime.mjs.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "comparison.h"
#include "support/data.h"

namespace linnet::oracles {

inline std::filesystem::path oracles_folder() {
  const char* folder = std::getenv("LINNET_ORACLES");
  return folder ? std::filesystem::path(folder)
                : std::filesystem::path(LINNET_SOURCE_DIR) / "build" / "oracles";
}

#define LINNET_ONNXRUNTIME_OR_SKIP()                                                                     \
  if (!std::filesystem::exists(linnet::oracles::oracles_folder() / "node_modules" / "onnxruntime-node")) \
  GTEST_SKIP() << "ONNX Runtime is not in " << linnet::oracles::oracles_folder().string()                \
               << "; npm install --ignore-scripts --prefix build/oracles onnxruntime-node@1.30.0, or "   \
                  "./check --long, installs it"

/// Runs the images (CHW) and leaves the model's outputs in `output`, `output`.1, … as they lie in memory.
inline void run_onnxruntime(const std::filesystem::path& model, const Values& images,
                            const std::filesystem::path& output, std::string_view level = "disabled") {
  const auto input = output.parent_path() / "input.f32";
  write_values(input, images);
  const std::string command =
      fmt::format("node '{}' '{}' '{}' '{}' {}", LINNET_SOURCE_DIR "/tests/oracles/onnxruntime.mjs",
                  model.string(), input.string(), output.string(), level);
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
}

/// The first output, which is float32.
inline Values onnxruntime_scores(const std::filesystem::path& model, const Values& images,
                                 std::string_view level = "disabled") {
  const testing::ScratchFolder folder;
  run_onnxruntime(model, images, folder.path() / "output.f32", level);
  return read_values(folder.path() / "output.f32");
}

}  // namespace linnet::oracles
