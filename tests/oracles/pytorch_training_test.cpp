// Ten steps of training beside PyTorch, from the same weights on the same images.
#include <cstdlib>
#include <fstream>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "graph/families/family.h"
#include "support/data.h"
#include "train/constants.h"
#include "train/initialise.h"
#include "train/loss.h"
#include "train/network.h"
#include "train/optimizer.h"

namespace linnet::train {
namespace {

constexpr const char* kPython = "/usr/bin/python3";  // Debian's, which has Debian's python3-torch
constexpr int kImages = 32;
constexpr int kSteps = 10;
constexpr float kRate = 0.002f;
constexpr float kMomentum = 0.9f;
constexpr float kDecay = 1e-3f;
constexpr float kSmoothing = 0.1f;

std::string numbers_of(const Node& node) {
  const auto window = [](const Window& w) {
    return fmt::format("{} {} {} {} {} {} {} {}", w.kernel_h, w.kernel_w, w.stride_h, w.stride_w,
                       w.padding.top, w.padding.bottom, w.padding.left, w.padding.right);
  };
  if (const auto* op = std::get_if<Convolution>(&node.op))
    return fmt::format("{} {}", window(op->window), node.shape.c);
  if (const auto* op = std::get_if<Depthwise>(&node.op)) return window(op->window);
  if (std::holds_alternative<Linear>(node.op)) return fmt::format("{}", node.shape.c);
  if (const auto* op = std::get_if<BatchNorm>(&node.op)) return fmt::format("{}", op->epsilon);
  if (const auto* op = std::get_if<Activate>(&node.op)) return std::string(to_string(op->activation));
  return fmt::format("{} {} {}", node.shape.h, node.shape.w, node.shape.c);
}

void write_network(const Graph& graph, const std::filesystem::path& folder) {
  std::ofstream text(folder / "network.txt");
  std::ofstream binary(folder / "constants.f32", std::ios::binary);
  for (const Node& node : graph.nodes) {
    std::string inputs, sizes;
    for (const NodeId input : node.inputs) inputs += fmt::format("{},", input);
    for_each_constant(node.op, [&](const Constant& constant, Role, const char*) {
      sizes += fmt::format("{},", constant.size());
      const auto bytes = constant.bytes();
      binary.write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
    });
    text << op_name(node.op) << ';' << inputs << ';' << sizes << ';' << numbers_of(node) << '\n';
  }
}

class PytorchTraining : public ::testing::TestWithParam<const char*> {};

TEST_P(PytorchTraining, ten_steps_lose_what_pytorch_loses) {
  if (std::system(fmt::format("{} -c 'import torch, numpy' 2>/dev/null", kPython).c_str()) != 0)
    GTEST_SKIP() << "PyTorch is absent; apt-get install python3-torch";
  const Graph graph = initialise(build(*parse_family(GetParam())).value(), Initialisation::kHeFanOut, 5);
  const int classes = graph.output_shape().c;
  Random random(3);
  std::vector<float> images(static_cast<std::size_t>(kImages * graph.input_shape().size()));
  for (float& x : images) x = random.uniform(-2, 2);
  std::vector<int> labels;
  for (int i = 0; i < kImages; ++i)
    labels.push_back(static_cast<int>(random.below(static_cast<std::uint64_t>(classes))));

  const testing::ScratchFolder folder;
  write_network(graph, folder.path());
  std::ofstream(folder.path() / "images.f32", std::ios::binary)
      .write(reinterpret_cast<const char*>(images.data()),
             static_cast<std::streamsize>(images.size() * sizeof(float)));
  std::ofstream names(folder.path() / "labels.txt");
  for (const int label : labels) names << label << '\n';
  names.close();
  const std::filesystem::path said = folder.path() / "said";
  const std::string command =
      fmt::format("{} '{}' '{}' {} {} {} {} {} >'{}' 2>'{}'", kPython,
                  LINNET_SOURCE_DIR "/tests/oracles/pytorch_training.py", folder.path().string(), kSteps,
                  kRate, kMomentum, kDecay, kSmoothing, said.string(), (folder.path() / "log").string());
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
  std::ifstream pytorch(said);
  // PyTorch's double is the truth, and how far its own float is from it says what rounding does to this run.
  double apart = 0;
  const auto compare = [&](double ours, std::string_view what) {
    double exact = 0;
    double rounded = 0;
    ASSERT_TRUE(pytorch >> exact >> rounded);
    apart = std::max(apart, std::abs(rounded / exact - 1));
    EXPECT_NEAR(ours, exact, (16 * apart + 1e-3) * exact) << what;
  };

  ThreadPool pool(2);
  Network network = Network::make(graph, kImages, pool).value();
  const auto sgd =
      make_sgd(network.parameters(), {.momentum = kMomentum, .nesterov = true, .weight_decay = kDecay});
  std::vector<float> targets(labels.size() * static_cast<std::size_t>(classes));
  std::vector<float> d_scores(targets.size());
  fill_targets(labels, classes, kSmoothing, targets);
  for (int i = 0; i < kSteps; ++i) {
    const Loss loss =
        softmax_cross_entropy(network.forward(images, true).value(), targets, classes, d_scores);
    compare(loss.mean, fmt::format("loss of step {}", i));
    ASSERT_TRUE(network.backward(d_scores));
    sgd->step(kRate, pool);
  }
  for (const Parameter& p : network.parameters()) compare(gradient_norm(std::span(&p, 1)), p.name);
  const Graph trained = network.to_graph();
  for (const Node& node : trained.nodes)
    if (const auto* norm = std::get_if<BatchNorm>(&node.op))
      for (const Constant* constant : {&norm->mean, &norm->variance}) {
        double squares = 0;
        for (const float value : constant->values()) squares += double{value} * double{value};
        compare(std::sqrt(squares), node.name);
      }
}

INSTANTIATE_TEST_SUITE_P(families, PytorchTraining,
                         ::testing::Values("mobilenet_v1:width=0.25,resolution=64,classes=10",
                                           "mobilenet_v2:width=0.25,resolution=64,classes=10",
                                           "mobilenet_v3_small:width=0.25,resolution=64,classes=10",
                                           "mobilenet_v3_large:width=0.25,resolution=64,classes=10",
                                           "mobilenet_v4_conv_small:width=0.25,resolution=64,classes=10"),
                         [](const auto& model) {
                           const std::string_view name = model.param;
                           return std::string(name.substr(0, name.find(':')));
                         });

}  // namespace
}  // namespace linnet::train
