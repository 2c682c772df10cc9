// State dicts that PyTorch itself wrote, with random weights, against the logits that it computed from them.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "base/file.h"
#include "formats/pth/pth.h"
#include "formats/safetensors/safetensors.h"
#include "graph/statistics.h"
#include "reference/interpreter.h"
#include "support/data.h"

namespace linnet {
namespace {

struct Case {
  const char* model;            ///< LIBRARY:MODEL:WIDTH:FORM, as the oracle takes it
  std::int64_t parameters = 0;  ///< as the library's documentation counts them; 0: it does not say
};

/// Runs the oracle once for all models. Returns its exit status; 77: this Python lacks a library.
int run_oracle(const std::filesystem::path& folder, std::span<const Case> cases) {
  const std::string python = std::filesystem::exists("/usr/bin/python3") ? "/usr/bin/python3" : "python3";
  std::string command =
      fmt::format("{} {}/tests/oracles/pytorch_state_dict.py {}", python, LINNET_SOURCE_DIR, folder.string());
  for (const Case& c : cases) command += fmt::format(" {}", c.model);
  const int status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::vector<float> read_floats(const std::filesystem::path& path) {
  const MappedFile file = MappedFile::open(path).value();
  std::vector<float> values(file.bytes().size() / sizeof(float));
  std::memcpy(values.data(), file.bytes().data(), values.size() * sizeof(float));
  return values;
}

/// FOLDER/N.pth gives FOLDER/N.logits for FOLDER/N.input.
void expect_pytorchs_logits(const std::filesystem::path& folder, std::size_t number, const Case& c) {
  SCOPED_TRACE(c.model);
  const auto file = [&](const char* what) { return folder / fmt::format("{}.{}", number, what); };
  const auto graph = formats::read_pth(file("pth"));
  ASSERT_TRUE(graph) << graph.error().message;
  if (c.parameters != 0) {
    EXPECT_EQ(totals(*graph).parameters, c.parameters);
  }
  const std::vector<float> expected = read_floats(file("logits"));
  ASSERT_EQ(static_cast<std::size_t>(graph->output_shape().c), expected.size());
  std::vector<float> logits(expected.size());
  reference::Interpreter interpreter(*graph);
  ASSERT_TRUE(interpreter.run(1, read_floats(file("input")), logits));
  float largest = 0;
  float difference = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::abs(expected[i]));
    difference = std::max(difference, std::abs(logits[i] - expected[i]));
  }
  EXPECT_LE(difference, 1e-4f * largest);  // PyTorch sums in float32, the reference in double

  // The same network in Linnet's own form.
  ASSERT_TRUE(formats::write_safetensors(*graph, file("safetensors")));
  EXPECT_EQ(formats::read_safetensors(file("safetensors")).value(), *graph);
}

void expect_pytorchs_logits(std::span<const Case> cases) {
  const testing::ScratchFolder folder;
  const int status = run_oracle(folder.path(), cases);
  if (status == 77)
    GTEST_SKIP() << "this Python lacks PyTorch or the library; Debian has python3-torchvision";
  ASSERT_EQ(status, 0);
  for (std::size_t i = 0; i < cases.size(); ++i) expect_pytorchs_logits(folder.path(), i, cases[i]);
}

TEST(state_dict, torchvisions_models_give_the_logits_that_pytorch_computes) {
  static constexpr Case kCases[] = {
      {"torchvision:mobilenet_v2:1.0:zip", 3'504'872},
      {"torchvision:mobilenet_v2:0.35:legacy"},
      {"torchvision:mobilenet_v3_large:1.0:zip", 5'483'032},
      {"torchvision:mobilenet_v3_large:0.75:checkpoint"},
      {"torchvision:mobilenet_v3_small:1.0:legacy", 2'542'856},
      {"torchvision:mobilenet_v3_small:0.6:zip"},
  };
  expect_pytorchs_logits(kCases);
}

// timm is in no Debian package: these run where somebody installed it.
TEST(state_dict, timms_models_give_the_logits_that_pytorch_computes) {
  static constexpr Case kCases[] = {
      {"timm:mobilenetv1_100::zip"},         {"timm:mobilenetv2_050::zip"},
      {"timm:mobilenetv2_140::zip"},         {"timm:mobilenetv3_large_100::zip"},
      {"timm:mobilenetv3_large_075::zip"},   {"timm:mobilenetv3_small_050::zip"},
      {"timm:mobilenetv4_conv_small::zip"},  {"timm:mobilenetv4_conv_small_050::zip"},
      {"timm:mobilenetv4_conv_medium::zip"},
  };
  expect_pytorchs_logits(kCases);
}

}  // namespace
}  // namespace linnet
