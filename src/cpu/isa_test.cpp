#include "cpu/isa.h"

#include <algorithm>
#include <cstdlib>

#include <gtest/gtest.h>

#include "cpu/executor.h"
#include "graph/random_graph.h"

namespace linnet::cpu {
namespace {

/// Sets LINNET_ISA for a scope.
class Forced {
 public:
  explicit Forced(const std::string& isa) {
    const char* old = std::getenv("LINNET_ISA");
    if (old) old_ = old;
    setenv("LINNET_ISA", isa.c_str(), 1);
  }
  Forced(const Forced&) = delete;
  Forced& operator=(const Forced&) = delete;
  ~Forced() { old_.empty() ? unsetenv("LINNET_ISA") : setenv("LINNET_ISA", old_.c_str(), 1); }

 private:
  std::string old_;
};

TEST(isa, forcing_one_runs_its_kernels) {
  const Graph graph = RandomGraph(1).network(3);
  for (const Isa isa : available_isas()) {
    const Forced forced{std::string(to_string(isa))};
    const auto cpu = make_executor(graph);
    ASSERT_TRUE(cpu) << cpu.error().message;
    EXPECT_EQ((*cpu)->isa(), isa);
    const std::string expected = isa >= Isa::kAvx512Vnni && isa <= Isa::kAvx512Amx ? "avx512"
                                 : isa == Isa::kNeonDot                            ? "neon"
                                                        : std::string(to_string(isa));
    EXPECT_EQ((*cpu)->kernel_name((*cpu)->graph().output), expected + "::linear_f32");
  }
}

TEST(isa, each_has_functions_of_its_own) {
  for (const Isa a : available_isas())
    for (const Isa b : available_isas()) {
      const bool same_table = std::string_view(kernels(a).isa) == kernels(b).isa;
      EXPECT_EQ(kernels(a).pointwise.run == kernels(b).pointwise.run, same_table);
      EXPECT_EQ(kernels(a).depthwise3_stride1.run == kernels(b).depthwise3_stride1.run, same_table);
      EXPECT_EQ(kernels_s8(a).pointwise.run == kernels_s8(b).pointwise.run, a == b);
    }
}

TEST(isa, int8_kernels_are_those_of_the_isa_itself) {
  for (const Isa isa : available_isas()) EXPECT_EQ(kernels_s8(isa).isa, to_string(isa));
}

TEST(isa, an_unknown_one_and_one_that_the_cpu_lacks_list_what_there_is) {
  const Forced forced("sse9");
  const auto unknown = make_executor(RandomGraph(1).network(1));
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().kind, Error::Kind::kFailed);
  EXPECT_NE(unknown.error().message.find("LINNET_ISA: \"sse9\""), std::string::npos)
      << unknown.error().message;
  EXPECT_NE(unknown.error().message.find("this CPU has scalar"), std::string::npos)
      << unknown.error().message;

  for (const Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Vnni, Isa::kAvx512Vbmi,
                        Isa::kAvx512Amx, Isa::kNeon, Isa::kNeonDot}) {
    const auto parsed = parse_isa(to_string(isa));
    EXPECT_EQ(parsed.has_value(), std::ranges::count(available_isas(), isa) == 1) << to_string(isa);
    if (!parsed) {
      EXPECT_NE(parsed.error().message.find("this CPU has no"), std::string::npos) << parsed.error().message;
    }
  }
}

}  // namespace
}  // namespace linnet::cpu
