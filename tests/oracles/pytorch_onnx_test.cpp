// What PyTorch's own exporter writes of torchvision's MobileNets reads, and gives PyTorch's logits.
#include <cstdlib>

#include "comparison.h"
#include "formats/onnx/reader.h"
#include "reference/interpreter.h"
#include "support/data.h"

namespace linnet {
namespace {

constexpr const char* kPython = "/usr/bin/python3";  // Debian's, which has Debian's python3-torchvision

class PytorchOnnx : public ::testing::TestWithParam<std::pair<const char*, int>> {};

TEST_P(PytorchOnnx, logits_are_pytorchs) {
  const std::string can_import = fmt::format("{} -c 'import torch, torchvision' 2>/dev/null", kPython);
  if (std::system(can_import.c_str()) != 0)
    GTEST_SKIP() << "PyTorch is absent; apt-get install python3-torchvision";
  const auto [name, opset] = GetParam();
  const testing::ScratchFolder folder;
  const std::string command =
      fmt::format("{} '{}' {} {} '{}' 2>'{}'", kPython, LINNET_SOURCE_DIR "/tests/oracles/pytorch_export.py",
                  name, opset, folder.path().string(), (folder.path() / "log").string());
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
  const auto graph = formats::read_onnx(folder.path() / "model.onnx");
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_EQ(graph->input_shape(), (Shape{64, 64, 3}));
  EXPECT_EQ(graph->output_shape(), (Shape{1, 1, 50}));
  EXPECT_EQ(graph->dialect, Dialect::kTorchvision);
  reference::Interpreter interpreter(*graph);
  const auto images =
      oracles::to_hwc(oracles::read_values(folder.path() / "input.f32"), graph->input_shape());
  oracles::expect_close(oracles::scores_of(interpreter, images),
                        oracles::read_values(folder.path() / "logits.f32"), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(
    opsets, PytorchOnnx,
    ::testing::Values(std::pair("mobilenet_v2", 7), std::pair("mobilenet_v2", 12),
                      std::pair("mobilenet_v3_large", 9), std::pair("mobilenet_v3_large", 14),
                      std::pair("mobilenet_v3_small", 13), std::pair("mobilenet_v3_small", 16)),
    [](const auto& model) { return fmt::format("{}_opset_{}", model.param.first, model.param.second); });

}  // namespace
}  // namespace linnet
