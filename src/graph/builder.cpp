#include "graph/builder.h"

#include <algorithm>

namespace linnet {

GraphBuilder::GraphBuilder(std::string name, Shape input, std::string input_name) {
  graph_.name = std::move(name);
  graph_.nodes.push_back({std::move(input_name), Input{}, {}, input});
}

NodeId GraphBuilder::add(std::string name, Op op, std::vector<NodeId> inputs) {
  Shape shape;
  if (status_) {
    std::vector<Shape> input_shapes;
    for (const NodeId input : inputs) input_shapes.push_back(graph_[input].shape);
    if (auto inferred = infer_shape(op, input_shapes))
      shape = *inferred;
    else
      status_ = fail("{}: node \"{}\" ({}): {}", graph_.name, name, op_name(op), inferred.error().message);
  }
  graph_.nodes.push_back({std::move(name), std::move(op), std::move(inputs), shape});
  return graph_.size() - 1;
}

Result<Graph> GraphBuilder::finish(NodeId output) && {
  LINNET_CHECK(status_);
  graph_.output = output;
  LINNET_CHECK(validate(graph_));
  return std::move(graph_);
}

std::pair<int, int> same_padding(int size, int kernel, int stride) {
  const int outputs = (size + stride - 1) / stride;
  const int total = std::max(0, (outputs - 1) * stride + kernel - size);
  return {total / 2, total - total / 2};
}

}  // namespace linnet
