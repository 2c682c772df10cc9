// Linnet behind the interface of its peers: whose scores theirs are compared with.
#include "cpu/executor.h"
#include "driver.h"

namespace {

using namespace linnet;

class LinnetEngine final : public bench::Engine {
 public:
  explicit LinnetEngine(std::unique_ptr<cpu::CpuExecutor> executor) : executor_(std::move(executor)) {}
  Result<void> run(std::span<const float> image, std::span<float> scores) override {
    return executor_->run(1, image, scores);
  }

 private:
  std::unique_ptr<cpu::CpuExecutor> executor_;
};

Result<std::unique_ptr<bench::Engine>> make(const Graph& graph, const bench::Setup& setup) {
  if (setup.bf16) return fail("bf16 is timed by linnet bench --precision bf16");
  LINNET_TRY(auto executor, cpu::make_executor(graph, {.threads = setup.threads}));
  return std::make_unique<LinnetEngine>(std::move(executor));
}

}  // namespace

int main(int argc, char** argv) { return linnet::bench::drive(argc, argv, "linnet", make); }
