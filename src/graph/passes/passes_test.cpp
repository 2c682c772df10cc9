#include "graph/passes/passes.h"

#include <cmath>

#include <gtest/gtest.h>

#include "base/random.h"
#include "graph/builder.h"
#include "reference/interpreter.h"
#include "support/graph.h"

namespace linnet {
namespace {

using linnet::testing::noise;
using linnet::testing::scores_of;

class Weights {
 public:
  Constant operator()(std::vector<int> dims, float low = -1, float high = 1) {
    std::size_t n = 1;
    for (const int d : dims) n *= static_cast<std::size_t>(d);
    AlignedVector<float> values(n);
    for (float& v : values) v = random_.uniform(low, high);
    return Constant(std::move(dims), std::move(values));
  }
  BatchNorm norm(int c) {
    return {(*this)({c}, 0.5f, 2), (*this)({c}), (*this)({c}), (*this)({c}, 0.1f, 2), 1e-3f};
  }

 private:
  Random random_{7};
};

/// Everything that a pass can meet: pads before convolutions (one of them read twice), batch norms after a
/// dense, a depthwise and a linear layer and after an add, activations that fuse and that may not,
/// identities, a softmax.
Graph before() {
  Weights w;
  GraphBuilder b("before", {6, 5, 3});
  const NodeId pad0 = b.add("pad0", Pad{{0, 1, 0, 1}}, {b.input()});
  const NodeId pad1 = b.add("pad1", Pad{{1, 0, 1, 0}}, {pad0});
  const NodeId conv = b.add("conv", Convolution{.window = {3, 3}, .weight = w({4, 3, 3, 3})}, {pad1});
  const NodeId dropped = b.add("dropped", Identity{}, {conv});
  const NodeId conv_norm = b.add("conv_norm", w.norm(4), {dropped});
  const NodeId conv_relu = b.add("conv_relu", Activate{Activation::kRelu6}, {conv_norm});
  const NodeId pad2 = b.add("pad2", Pad{{1, 1, 1, 1}}, {conv_relu});
  const NodeId dw = b.add("dw", Depthwise{.window = {3, 3}, .weight = w({3, 3, 4}), .bias = w({4})}, {pad2});
  const NodeId dw_norm = b.add("dw_norm", w.norm(4), {dw});
  const NodeId dw_relu = b.add("dw_relu", Activate{Activation::kHardSwish}, {dw_norm});
  const NodeId other = b.add("other", Convolution{.window = {3, 3}, .weight = w({4, 3, 3, 4})}, {pad2});
  const NodeId gate = b.add("gate", Activate{Activation::kHardSigmoid}, {other});  // `other` is read twice
  const NodeId sum = b.add("sum", Add{}, {dw_relu, gate});
  const NodeId sum2 = b.add("sum2", Add{}, {sum, other});
  const NodeId sum_norm = b.add("sum_norm", w.norm(4), {sum2});
  const NodeId pool = b.add("pool", GlobalAveragePool{}, {sum_norm});
  const NodeId pool_again = b.add("pool_again", GlobalAveragePool{}, {pool});
  const NodeId scores = b.add("scores", Linear{.weight = w({5, 4}), .bias = w({5})}, {pool_again});
  const NodeId scores_norm = b.add("scores_norm", w.norm(5), {scores});
  const NodeId unused = b.add("unused", Activate{}, {pool});
  (void)unused;
  return std::move(b).finish(scores_norm).value();
}

template <class T>
int count(const Graph& graph) {
  int n = 0;
  for (const Node& node : graph.nodes) n += std::holds_alternative<T>(node.op);
  return n;
}

std::vector<float> run(const Graph& graph) {
  reference::Interpreter interpreter(graph);
  return scores_of(interpreter, noise(graph.input_shape(), 3));
}

/// float32 rounds once a node, and a pass changes where: a few units in the last place of the largest score.
void expect_same_scores(const Graph& a, const Graph& b) {
  ASSERT_TRUE(validate(b)) << validate(b).error().message << '\n' << dump(b);
  const std::vector<float> scores_a = run(a);
  const std::vector<float> scores_b = run(b);
  float largest = 0;
  for (const float s : scores_a) largest = std::max(largest, std::abs(s));
  for (std::size_t i = 0; i < scores_a.size(); ++i)
    EXPECT_NEAR(scores_a[i], scores_b[i], 1e-5f * largest) << dump(b);
}

TEST(passes, fold_batch_norm_leaves_none_and_keeps_the_scores) {
  const Graph after = fold_batch_norm(before());
  EXPECT_EQ(count<BatchNorm>(after), 0);
  EXPECT_EQ(count<Depthwise>(after), 3) << "the norms after an identity and after an add become layers\n"
                                        << dump(after);
  expect_same_scores(before(), after);
}

TEST(passes, fuse_activation_only_where_nothing_else_reads_the_layer) {
  const Graph after = fuse_activation(remove_identity(before()));
  EXPECT_EQ(count<Activate>(after), 3) << dump(after);  // behind two norms, and the gate
  const Graph folded = fuse_activation(fold_batch_norm(remove_identity(before())));
  EXPECT_EQ(count<Activate>(folded), 1) << dump(folded);  // the gate
  expect_same_scores(before(), folded);
}

TEST(passes, remove_identity_drops_dropout_and_the_second_pool) {
  const Graph after = remove_identity(before());
  EXPECT_EQ(count<Identity>(after), 0);
  EXPECT_EQ(count<GlobalAveragePool>(after), 1);
  expect_same_scores(before(), after);
}

TEST(passes, canonical_padding_joins_chains_and_shared_pads) {
  const Graph after = canonical(before());
  EXPECT_EQ(count<Pad>(after), 0) << dump(after);
  EXPECT_EQ(std::get<Convolution>(after[1].op).window.padding, (Padding{1, 1, 1, 1}));
  expect_same_scores(before(), after);
}

TEST(passes, a_pad_that_an_add_reads_stays) {
  GraphBuilder b("pad", {2, 2, 1});
  const NodeId pad = b.add("pad", Pad{{0, 1, 0, 0}}, {b.input()});
  const NodeId sum = b.add("sum", Add{}, {pad, pad});
  const Graph graph = std::move(b).finish(sum).value();
  EXPECT_EQ(canonical(graph), graph);
}

TEST(passes, strip_softmax_ends_in_logits) {
  GraphBuilder b("soft", {1, 1, 2});
  const NodeId soft = b.add("soft", Softmax{}, {b.input()});
  const NodeId flat = b.add("flat", Identity{}, {soft});
  const Graph after = canonical(std::move(b).finish(flat).value());
  EXPECT_EQ(after.size(), 1);
  EXPECT_EQ(after.output, 0);
}

TEST(passes, canonical_is_its_own_fixed_point) {
  EXPECT_EQ(canonical(canonical(before())), canonical(before()));
}

}  // namespace
}  // namespace linnet
