#include <cmath>

#include "graph/passes/passes.h"
#include "graph/passes/rewrite.h"

namespace linnet {
namespace {

/// What a batch norm does to channel c, as y = x * scale[c] + offset[c].
struct Affine {
  std::vector<double> scale;
  std::vector<double> offset;
};

Affine affine(const BatchNorm& norm) {
  Affine a;
  for (std::size_t c = 0; c < norm.scale.size(); ++c) {
    const double scale =
        norm.scale.values()[c] / std::sqrt(double{norm.variance.values()[c]} + double{norm.epsilon});
    a.scale.push_back(scale);
    a.offset.push_back(norm.offset.values()[c] - norm.mean.values()[c] * scale);
  }
  return a;
}

/// bias' = bias * scale + offset; an absent bias counts as zero.
Constant folded_bias(const Constant& bias, const Affine& a) {
  AlignedVector<float> values;
  for (std::size_t k = 0; k < a.scale.size(); ++k) {
    const double old = bias.absent() ? 0.0 : bias.values()[k];
    values.push_back(static_cast<float>(old * a.scale[k] + a.offset[k]));
  }
  const int size = static_cast<int>(values.size());
  return Constant({size}, std::move(values));
}

/// Output channels are the slowest dimension: [K, …].
Constant scaled_slowest(const Constant& weight, const Affine& a) {
  const std::size_t stride = weight.size() / a.scale.size();
  AlignedVector<float> values;
  values.reserve(weight.size());
  for (std::size_t i = 0; i < weight.size(); ++i)
    values.push_back(static_cast<float>(weight.values()[i] * a.scale[i / stride]));
  weight.release_pages();
  return Constant(weight.dims(), std::move(values));
}

/// Channels are the fastest dimension: […, C].
Constant scaled_fastest(const Constant& weight, const Affine& a) {
  AlignedVector<float> values;
  values.reserve(weight.size());
  for (std::size_t i = 0; i < weight.size(); ++i)
    values.push_back(static_cast<float>(weight.values()[i] * a.scale[i % a.scale.size()]));
  weight.release_pages();
  return Constant(weight.dims(), std::move(values));
}

/// True if the batch norm could be taken into the layer.
bool fold_into(Op& layer, const Affine& a) {
  const auto dense = [&](auto& op) {
    if (op.activation != Activation::kNone) return false;
    op.weight = scaled_slowest(op.weight, a);
    op.bias = folded_bias(op.bias, a);
    return true;
  };
  return std::visit(Overloaded{
                        [&](Convolution& op) { return dense(op); },
                        [&](Linear& op) { return dense(op); },
                        [&](Depthwise& op) {
                          if (op.activation != Activation::kNone) return false;
                          op.weight = scaled_fastest(op.weight, a);
                          op.bias = folded_bias(op.bias, a);
                          return true;
                        },
                        [](auto&) { return false; },
                    },
                    layer);
}

/// The batch norm as a layer of its own.
Depthwise as_depthwise(const Affine& a) {
  const int channels = static_cast<int>(a.scale.size());
  return Depthwise{.window = {},
                   .weight = Constant({1, 1, channels}, AlignedVector<float>(a.scale.begin(), a.scale.end())),
                   .bias = folded_bias(Constant(), a)};
}

}  // namespace

Graph fold_batch_norm(Graph graph) {
  const std::vector<int> uses = count_uses(graph);
  std::vector<NodeId> target = unchanged(graph);
  for (NodeId id = 0; id < graph.size(); ++id) {
    const auto* norm = std::get_if<BatchNorm>(&graph[id].op);
    if (!norm) continue;
    const Affine a = affine(*norm);
    NodeId source = graph[id].inputs[0];
    while (target[static_cast<std::size_t>(source)] != source)
      source = target[static_cast<std::size_t>(source)];
    const bool only_reader = uses[static_cast<std::size_t>(graph[id].inputs[0])] == 1;
    if (only_reader && fold_into(graph[source].op, a))
      target[static_cast<std::size_t>(id)] = source;
    else
      graph[id].op = as_depthwise(a);
  }
  return redirect(std::move(graph), std::move(target));
}

}  // namespace linnet
