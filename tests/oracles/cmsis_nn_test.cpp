// Arm's CMSIS-NN: the int8 convolution and depthwise vectors of its unit tests, through Linnet's arithmetic.
//
// LINNET_CMSIS_NN names a checkout of github.com/ARM-software/CMSIS-NN; nothing of it is kept here. Its
// expected outputs are TensorFlow Lite's, which rounds twice where Linnet rounds once.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <set>

#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include "base/shape.h"
#include "graph/op.h"
#include "numerics/multiplier.h"
#include "numerics/tflite_rounding.h"
#include "reference/window.h"

namespace linnet {
namespace {

/// The C headers of one test: its #defines without their prefix, and its arrays with their type.
struct Vectors {
  struct Array {
    std::string type;
    std::vector<std::int32_t> values;
  };
  std::map<std::string, int> numbers;
  std::map<std::string, Array> arrays;  ///< by what ends their names: "weights", "output_mult", …

  int number(const std::string& name, int otherwise = 0) const {
    const auto found = numbers.find(name);
    return found == numbers.end() ? otherwise : found->second;
  }
  const std::vector<std::int32_t>& values(const std::string& name) const {
    static const std::vector<std::int32_t> kNone;
    const auto found = arrays.find(name);
    return found == arrays.end() ? kNone : found->second.values;
  }
  bool is_int8(const std::string& name) const {
    const auto found = arrays.find(name);
    return found != arrays.end() && found->second.type == "int8_t";
  }
};

/// The values between the braces that come next.
std::vector<std::int32_t> read_values(std::istream& text) {
  std::vector<std::int32_t> values;
  text.ignore(std::numeric_limits<std::streamsize>::max(), '{');
  for (std::int64_t value; text >> value;) {
    values.push_back(static_cast<std::int32_t>(value));
    char separator = 0;
    if (!(text >> separator) || separator == '}') break;
  }
  text.clear();
  return values;
}

/// `type name[n] = {` and `#define NAME number`, where each name begins with the test's own.
Vectors read_vectors(const std::filesystem::path& folder) {
  const std::string name = folder.filename().string();
  const auto suffix = [&](const std::string& whole) {
    return whole.size() > name.size() ? whole.substr(name.size() + 1) : whole;
  };
  Vectors v;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!entry.path().filename().string().ends_with("_data.h")) continue;
    std::ifstream text(entry.path());
    std::string before;
    for (std::string word; text >> word; before = word) {
      if (before == "#define") {
        if (int number = 0; text >> number) v.numbers[suffix(word)] = number;
        text.clear();
      } else if (const std::size_t bracket = word.find('['); bracket != std::string::npos) {
        v.arrays[suffix(word.substr(0, bracket))] = {before, read_values(text)};
      }
    }
  }
  return v;
}

/// Why Linnet does not run the test, or nothing.
std::string unsupported(const std::string& name, const Vectors& v) {
  if (name.find("int4") != std::string::npos) return "weights of 4 bits";
  if (name.find("transpose") != std::string::npos) return "a transposed convolution";
  if (v.number("DILATION_X", 1) != 1 || v.number("DILATION_Y", 1) != 1) return "dilated";
  const int kernel = v.number("FILTER_X") * v.number("FILTER_Y");
  const auto dense = static_cast<std::size_t>(kernel * v.number("IN_CH") * v.number("OUT_CH"));
  if (!v.numbers.contains("CH_MULT") && v.values("weights").size() != dense) return "grouped";
  return "";
}

/// What one arithmetic gives for a test, in its output's order.
using Requantize = std::function<std::int8_t(std::int32_t acc, std::size_t channel)>;
std::vector<std::int8_t> run(const Vectors& v, const Requantize& requantize) {
  const Shape in{v.number("INPUT_H"), v.number("INPUT_W"), v.number("IN_CH")};
  const Shape out{v.number("OUTPUT_H"), v.number("OUTPUT_W"), v.number("OUT_CH")};
  const int pad_y = v.number("PAD_Y"), pad_x = v.number("PAD_X");
  const Window window{v.number("FILTER_Y"),
                      v.number("FILTER_X"),
                      v.number("STRIDE_Y"),
                      v.number("STRIDE_X"),
                      {pad_y, 0, pad_x, 0}};
  const bool depthwise = v.numbers.contains("CH_MULT");
  const auto &x = v.values("input"), &weights = v.values("weights"), &bias = v.values("biases");
  std::vector<std::int8_t> y(static_cast<std::size_t>(v.number("INPUT_BATCHES") * out.size()));
  for (int n = 0; n < v.number("INPUT_BATCHES"); ++n)
    reference::for_each_output(out, y.data() + n * out.size(), [&](int ho, int wo, int k) {
      const auto channel = static_cast<std::size_t>(k);
      std::int32_t acc = bias.empty() ? 0 : bias[channel];
      reference::for_each_tap(window, in, ho, wo, [&](int r, int s, int h, int w) {
        const int tap = r * window.kernel_w + s;
        const int first = depthwise ? k / v.number("CH_MULT") : 0, last = depthwise ? first + 1 : in.c;
        for (int c = first; c < last; ++c) {
          const int i =
              depthwise ? tap * out.c + k : (k * window.kernel_h * window.kernel_w + tap) * in.c + c;
          const std::size_t at = static_cast<std::size_t>(n * in.size()) + reference::at(in, h, w, c);
          acc += (x[at] + v.number("INPUT_OFFSET")) * weights[static_cast<std::size_t>(i)];
        }
      });
      return requantize(acc, channel);
    });
  return y;
}

struct Tally {
  std::size_t values = 0, equal = 0;
  int worst = 0;
  void add(std::span<const std::int8_t> ours, std::span<const std::int32_t> theirs) {
    values += ours.size();
    for (std::size_t i = 0; i < ours.size(); ++i) {
      equal += ours[i] == theirs[i];
      worst = std::max(worst, std::abs(ours[i] - theirs[i]));
    }
  }
};

TEST(cmsis_nn, its_int8_convolution_vectors_lie_within_one_unit) {
  const char* root = std::getenv("LINNET_CMSIS_NN");
  if (!root) GTEST_SKIP() << "LINNET_CMSIS_NN is not set; set it to a checkout of CMSIS-NN";
  const auto data = std::filesystem::path(root) / "Tests/UnitTest/TestCases/TestData";
  ASSERT_TRUE(std::filesystem::is_directory(data)) << data << " is no folder";
  const std::set<std::filesystem::path> folders{std::filesystem::directory_iterator(data), {}};

  Tally total;
  int tests = 0;
  std::vector<std::string> not_run;
  for (const std::filesystem::path& folder : folders) {
    if (!std::filesystem::is_directory(folder)) continue;
    const std::string name = folder.filename().string();
    const Vectors v = read_vectors(folder);
    const auto &expected = v.values("output_ref"), &mult = v.values("output_mult"),
               &shift = v.values("output_shift");
    if (!v.is_int8("input") || !v.is_int8("weights") || !v.is_int8("output_ref") || mult.empty() ||
        !v.numbers.contains("FILTER_X"))
      continue;  // another type, or another operator
    if (const std::string why = unsupported(name, v); !why.empty()) {
      not_run.push_back(name + ": " + why);
      continue;
    }
    SCOPED_TRACE(name);
    ASSERT_EQ(mult.size(), static_cast<std::size_t>(v.number("OUT_CH")));
    const linnet_output limits = {v.number("OUTPUT_OFFSET"), v.number("OUT_ACTIVATION_MIN"),
                                  v.number("OUT_ACTIVATION_MAX")};
    const auto once = run(v, [&](std::int32_t acc, std::size_t k) {
      return linnet_requantize(acc, *numerics::multiplier(std::ldexp(mult[k], shift[k] - 31)), limits);
    });
    const auto twice = run(v, [&](std::int32_t acc, std::size_t k) {
      const std::int64_t scaled = numerics::tflite_scale(acc, {mult[k], shift[k]});
      return static_cast<std::int8_t>(linnet_clamp(limits.zero_point + scaled, limits.lo, limits.hi));
    });
    ASSERT_EQ(once.size(), expected.size());
    EXPECT_TRUE(std::ranges::equal(twice, expected)) << "the vectors are not read as they are meant";
    Tally tally;
    tally.add(once, expected);
    EXPECT_LE(tally.worst, 1);
    fmt::print("{}: {} of {} values equal, worst difference {}\n", name, tally.equal, tally.values,
               tally.worst);
    total.add(once, expected);
    ++tests;
  }
  fmt::print("total: {} tests, {} of {} values equal ({:.3f} %), worst difference {}\nnot run ({}):\n  {}\n",
             tests, total.equal, total.values,
             100.0 * static_cast<double>(total.equal) / static_cast<double>(total.values), total.worst,
             not_run.size(), fmt::join(not_run, "\n  "));
  EXPECT_GT(tests, 0) << data << " holds no int8 convolution";
}

}  // namespace
}  // namespace linnet
