// What every peer's driver shares: a model as Linnet writes it comes in, figures and scores go out.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "graph/graph.h"

namespace linnet::bench {

/// Another program's network, built once, run often. One image at a time.
class Engine {
 public:
  virtual ~Engine() = default;
  virtual Result<void> run(std::span<const float> image, std::span<float> scores) = 0;
};

struct Setup {
  bool bf16 = false;  ///< of a float graph: 16-bit weights and activations
  int threads = 1;
};

/// `graph` is canonical, float or int8. Errors: an operator, a precision or a number of threads that the
/// engine does not take.
using MakeEngine = std::function<Result<std::unique_ptr<Engine>>(const Graph& graph, const Setup& setup)>;

/// The whole program: arguments, timing as cpu::time_runs() does it, a line of JSON, exit status.
int drive(int argc, char** argv, const std::string& name, const MakeEngine& make);

}  // namespace linnet::bench
