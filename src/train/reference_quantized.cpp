// Fake quantisation in the textbook twin. (Formulas: cpu/kernels/fake_quantize/fake_quantize_f32.h)
#include <algorithm>
#include <cmath>

#include "graph/quantized.h"
#include "train/reference.h"

namespace linnet::train {
namespace {

double nearest(const Reference::Grid& g, double x) {
  return std::clamp(std::nearbyint(x / g.scale), g.low, g.high);
}

/// The same of a weight, before it is clipped. In float32, as the kernel does it: a last bit may decide, and
/// among many weights some lie that near to a half.
double nearest_weight(const Reference::Grid& g, double x) {
  return double{std::nearbyint(static_cast<float>(x) * (1 / static_cast<float>(g.scale)))};
}

/// The gradient of x from that of q * scale, and what it adds to that of what is learned.
double through(const Reference::Grid& g, double x, double q, bool clipped, double d, double& d_learned) {
  const double steps = x / g.scale;
  if (g.clip)
    d_learned += clipped ? d * q / g.high : 0;
  else
    d_learned += d * (clipped ? q : q - steps) * g.gradient_scale;
  return clipped ? 0 : d;
}

}  // namespace

void Reference::onto_grid(const std::map<NodeId, Grid>& grids, NodeId id, std::vector<double>& values,
                          std::vector<std::vector<double>>& kept) {
  const auto found = grids.find(id);
  if (found == grids.end()) return;
  const Grid& g = found->second;
  kept[static_cast<std::size_t>(id)] = values;
  const auto given = stored.find(g.name);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double steps = std::clamp(values[i] / g.scale, g.low, g.high);
    const double q =
        given == stored.end() ? nearest(g, values[i]) : std::nearbyint(given->second[i] / g.scale);
    apart = std::max(apart, std::abs(q - steps));
    values[i] = q * g.scale;
  }
}

void Reference::through_grid(const std::map<NodeId, Grid>& grids, NodeId id,
                             const std::vector<std::vector<double>>& kept) {
  const auto found = grids.find(id);
  if (found == grids.end()) return;
  const Grid& g = found->second;
  const auto index = static_cast<std::size_t>(id);
  const auto& on_grid = &grids == &output_grids ? values_[index] : before_[index];
  for (std::size_t i = 0; i < kept[index].size(); ++i) {
    const double q = std::nearbyint(on_grid[i] / g.scale);
    const bool clipped =
        std::abs(q - kept[index][i] / g.scale) > 0.501;  // a half may have been rounded to either side
    d_values_[index][i] = through(g, kept[index][i], q, clipped, d_values_[index][i], gradients[g.name][0]);
  }
}

std::vector<double> Reference::weights_on_grid(NodeId id) const {
  std::vector<double> weights = *constant_of(id, ".weight");
  const auto found = weight_grids.find(id);
  if (found == weight_grids.end()) return weights;
  const std::size_t channels = found->second.size(), taps = weights.size() / channels;
  const bool last = layer_weights(graph_[id].op)->channels_last;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Grid& grid = found->second[last ? i % channels : i / taps];
    weights[i] = std::clamp(nearest_weight(grid, weights[i]), grid.low, grid.high) * grid.scale;
  }
  return weights;
}

void Reference::through_weight_grids(NodeId id) {
  const auto found = weight_grids.find(id);
  if (found == weight_grids.end()) return;
  const auto& weights = *constant_of(id, ".weight");
  const std::size_t channels = found->second.size(), taps = weights.size() / channels;
  const bool last = layer_weights(graph_[id].op)->channels_last;
  std::vector<double>& d_step = gradients[found->second.front().name];
  d_step.assign(channels, 0.0);
  std::vector<double>& d = gradient_of(id, ".weight");
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const std::size_t k = last ? i % channels : i / taps;
    const Grid& grid = found->second[k];
    const double any = nearest_weight(grid, weights[i]), q = std::clamp(any, grid.low, grid.high);
    d[i] = through(grid, weights[i], q, q != any, d[i], d_step[k]);
  }
}

}  // namespace linnet::train
