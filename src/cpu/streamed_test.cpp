// Plans for a number of bytes of RAM, run in exactly so many: between guard pages, poisoned before each
// image, the scores are the reference's.
#include "cpu/streamed.h"

#include <sys/mman.h>
#include <unistd.h>

#include "cpu/node_check.h"
#include "cpu/random_int8_graph.h"
#include "graph/families/family.h"
#include "graph/random_graph.h"
#include "support/cases.h"

namespace linnet::cpu {
namespace {

/// Bytes between two pages without access: they begin where one ends, or end where the other begins (as near
/// as a cache line is, and what is left there must stay as it was).
class Arena {
 public:
  Arena(std::int64_t bytes, bool at_the_end, Random& random) : bytes_(static_cast<std::size_t>(bytes)) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    used_ = (bytes_ + page - 1) / page * page;
    mapped_ = used_ + 2 * page;
    base_ = static_cast<std::byte*>(
        mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (base_ == MAP_FAILED || mprotect(base_, page, PROT_NONE) != 0 ||
        mprotect(base_ + page + used_, page, PROT_NONE) != 0)
      std::abort();
    inside_ = base_ + page;
    data_ = inside_ + (at_the_end ? used_ - static_cast<std::size_t>(whole_lines(bytes)) : 0);
    for (std::size_t i = 0; i < used_; ++i) inside_[i] = static_cast<std::byte>(random.below(256));
    before_.assign(inside_, inside_ + used_);
  }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { munmap(base_, mapped_); }
  std::byte* data() const { return data_; }
  /// Nothing outside was written.
  bool intact() const {
    for (std::size_t i = 0; i < used_; ++i) {
      const std::byte* const p = inside_ + i;
      if ((p < data_ || p >= data_ + bytes_) && *p != before_[i]) return false;
    }
    return true;
  }

 private:
  std::size_t bytes_, used_, mapped_;
  std::byte* base_;
  std::byte* inside_;
  std::byte* data_;
  std::vector<std::byte> before_;
};

/// Runs the plan that `planned` was made with in an arena of exactly its bytes, twice.
void expect_scores(const CpuExecutor& planned, std::span<const float> image,
                   const std::vector<float>& expected, const std::string& replay) {
  const Graph& graph = planned.graph();
  const plan::Plan& plan = planned.plan();
  const KernelsS8 int8 = any_window(kernels_s8(planned.isa()));
  const Kernels float32 = any_window(kernels(planned.isa()));
  std::vector<LayerNode> nodes;
  for (NodeId id = 0; id < graph.size(); ++id) nodes.push_back({id});
  for (const plan::Stage& stage : plan.stages)
    for (const plan::Layer& layer : stage.layers)
      if (layer.taken_over != plan::kNobody)
        nodes[static_cast<std::size_t>(layer.node)].taken_over = layer.taken_over;
  std::vector<std::unique_ptr<Layer>> layers;
  for (const LayerNode& node : nodes)
    layers.push_back(is_int8(graph) ? make_layer_s8(graph, node, int8)
                                    : make_layer_float<float>(graph, node, float32));
  const auto weights = pack_weights_f32(layers);
  StreamedPlan streamed(graph, plan, layers, int8);
  Random random(17);
  for (const bool at_the_end : {false, true}) {
    const Arena arena(plan.arena_bytes, at_the_end, random);
    std::vector<float> scores(expected.size());
    streamed.run(arena.data(), image, scores);
    EXPECT_TRUE(arena.intact()) << replay;
    EXPECT_EQ(scores, expected) << replay << '\n' << dump(graph, plan);
  }
}

std::vector<float> reference_scores(const Graph& graph, std::span<const float> image) {
  reference::Interpreter interpreter(graph);
  std::vector<float> scores(static_cast<std::size_t>(graph.output_shape().size()));
  EXPECT_TRUE(interpreter.run(1, image, scores));
  return scores;
}

/// The fewest bytes that the error about too few of them tells.
std::int64_t least_bytes(const Graph& graph, Isa isa) {
  const auto none = make_executor(graph, {.isa = isa, .ram_bytes = 0});
  if (none) return none->get()->plan().arena_bytes;  // a float graph of nothing but its input needs none
  const std::string& message = none.error().message;
  const std::string_view before = "the least is ";
  return std::stoll(message.substr(message.find(before) + before.size()));
}

TEST(streamed, random_graphs_give_the_same_scores_in_any_budget_on_every_isa) {
  for (std::uint64_t seed = 1; seed <= testing::cases(150u); ++seed) {
    RandomGraph random(seed);
    const Graph source = random.network(random.between(1, 9));
    const auto image = random.values(static_cast<std::size_t>(source.input_shape().size()), -3, 3);
    const Graph int8 = RandomInt8(random, seed % 2 == 0 ? 12 : 0)(source, image);
    for (const Isa isa : available_isas())
      for (const Graph* graph : {&source, &int8}) {
        const std::vector<float> expected =
            graph == &int8 ? reference_scores(int8, image) : run(*executor(source, {.isa = isa}), 1, image);
        const std::int64_t least = least_bytes(*graph, isa);
        for (const int percent : {100, 115, 300}) {
          const std::int64_t ram = least * percent / 100;
          const std::string replay = fmt::format("seed {}, {}, {}, {} bytes", seed, to_string(isa),
                                                 graph == &int8 ? "int8" : "float32", ram);
          const auto cpu = executor(*graph, {.isa = isa, .ram_bytes = ram});
          ASSERT_TRUE(cpu) << replay;
          EXPECT_LE(cpu->peak_activation_bytes(), ram) << replay;
          expect_scores(*cpu, image, expected, replay);
          EXPECT_EQ(run(*cpu, 1, image), expected) << replay;
          if (HasFailure()) return;
        }
      }
  }
}

TEST(streamed, every_family_gives_the_references_scores_in_its_least_bytes) {
  const char* const models[] = {"mobilenet_v1:width=0.25,resolution=48,classes=10",
                                "mobilenet_v2:width=0.35,resolution=47,classes=10",
                                "mobilenet_v2:width=1.0,resolution=32,classes=10",
                                "mobilenet_v3_large:width=0.35,resolution=33,classes=7",
                                "mobilenet_v3_small:width=0.75,resolution=48,classes=10",
                                "mobilenet_v4_conv_small:width=0.35,resolution=64,classes=10",
                                "mobilenet_v4_conv_medium:width=0.35,resolution=32,classes=10"};
  std::uint64_t seed = 50;
  for (const char* model : models) {
    const Graph source = build(*parse_family(model)).value();
    RandomGraph random(++seed);
    const auto image = random.values(static_cast<std::size_t>(source.input_shape().size()));
    const Graph int8 = RandomInt8(random, 0)(source, image);
    const std::vector<float> expected = reference_scores(int8, image);
    for (const Isa isa : available_isas()) {
      const std::string replay = fmt::format("{}, {}", model, to_string(isa));
      const std::int64_t least = least_bytes(int8, isa);
      for (const std::int64_t ram : {least, least * 3 / 2})
        expect_scores(*executor(int8, {.isa = isa, .ram_bytes = ram}), image, expected, replay);
      const std::int64_t float_bytes = least_bytes(source, isa);
      expect_scores(*executor(source, {.isa = isa, .ram_bytes = float_bytes}), image,
                    run(*executor(source, {.isa = isa}), 1, image), replay + ", float32");
      if (HasFailure()) return;
    }
  }
}

TEST(streamed, graphs_without_gates_run_as_one_stage) {
  const Graph source = build(*parse_family("mobilenet_v2:width=0.35,resolution=64,classes=10")).value();
  RandomGraph random(91);
  const auto image = random.values(static_cast<std::size_t>(source.input_shape().size()));
  const Graph int8 = RandomInt8(random, 0)(source, image);
  const auto cpu = executor(int8, {.one_stage = true});
  EXPECT_EQ(cpu->plan().stages.size(), 1u);
  expect_scores(*cpu, image, reference_scores(int8, image), "one stage");
  const auto gated =
      make_executor(build(*parse_family("mobilenet_v3_small:resolution=64")).value(), {.one_stage = true});
  ASSERT_FALSE(gated);
  EXPECT_NE(gated.error().message.find("gate"), std::string::npos) << gated.error().message;
}

TEST(streamed, the_published_figures_of_memory_hold) {
  struct Figure {
    const char* model;
    std::int64_t bytes;
  };
  // Everything counted: rings, values that exist whole, scratch, scores.
  const Figure figures[] = {{"mobilenet_v2:width=1.0,resolution=224,classes=1000", 92'000},
                            {"mobilenet_v2:width=0.35,resolution=144,classes=1000", 21'200},
                            {"mobilenet_v1:width=0.25,resolution=96,classes=2", 11'400},
                            {"mobilenet_v2:width=1.0,resolution=32,classes=1000", 6'700}};
  for (const auto& [model, bytes] : figures) {
    const Graph source = build(*parse_family(model)).value();
    RandomGraph random(7);
    const auto image = random.values(static_cast<std::size_t>(source.input_shape().size()));
    const Graph int8 = RandomInt8(random, 0)(source, image);
    for (const Isa isa : available_isas()) {
      const std::int64_t least = least_bytes(int8, isa);
      fmt::print("{}, {}: {} bytes\n", model, to_string(isa), least);
      EXPECT_LE(least, bytes) << model << ", " << to_string(isa);
    }
    // 96 KiB, or what it takes: the scores of every other run, which equal the reference's.
    const std::int64_t ram = std::max<std::int64_t>(least_bytes(int8, available_isas().back()), 96 * 1024);
    expect_scores(*executor(int8, {.ram_bytes = ram}), image, run(*executor(int8, {}), 1, image), model);
  }
}

}  // namespace
}  // namespace linnet::cpu
