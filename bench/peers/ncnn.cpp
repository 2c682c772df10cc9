// ncnn: the network as its text form and a buffer of weights, both made here, in float32 or with bf16
// storage.
#include <map>

#include <fmt/core.h>
#include <ncnn/net.h>

#include "driver.h"
#include "graph/quantized.h"

namespace {

using namespace linnet;

/// ncnn's number and parameters of an activation that a layer applies itself; hard-sigmoid is a layer of its
/// own.
std::string own_activation_text(Activation activation) {
  switch (activation) {
    case Activation::kRelu: return " 9=1";
    case Activation::kRelu6: return " 9=3 -23310=2,0.0,6.0";
    case Activation::kHardSwish: return " 9=6 -23310=2,0.16666667,0.5";
    default: return "";
  }
}

/// Writes one line a layer. A value that several layers read is split, as ncnn demands.
class Writer {
 public:
  explicit Writer(const Graph& graph)
      : graph_(graph), uses_(count_uses(graph)), handed_(graph.nodes.size(), 0) {
    --uses_[static_cast<std::size_t>(graph.output)];  // its one reader is the caller
  }

  Result<void> write() {
    const Shape& s = graph_.input_shape();
    layer("Input", 0, "", fmt::format("0={} 1={} 2={}", s.w, s.h, s.c));
    for (NodeId id = 1; id < graph_.size(); ++id) {
      const auto done = node(id);
      if (!done) return fail("node \"{}\": {}", graph_[id].name, done.error().message);
    }
    return {};
  }
  std::string text() const { return fmt::format("7767517\n{} {}\n{}", layers_, blobs_, lines_); }
  std::vector<float> weights() { return std::move(weights_); }
  std::string output() const { return blob(graph_.output); }

 private:
  static std::string blob(NodeId id) { return fmt::format("v{}", id); }

  /// The name under which the next reader of `id` gets it.
  std::string read(NodeId id) {
    const auto i = static_cast<std::size_t>(id);
    return uses_[i] > 1 ? fmt::format("v{}_{}", id, handed_[i]++) : blob(id);
  }

  void line(std::string_view type, int inputs, int outputs, const std::string& rest) {
    lines_ += fmt::format("{} l{} {} {} {}\n", type, layers_, inputs, outputs, rest);
    ++layers_;
    blobs_ += outputs;
  }

  void layer(std::string_view type, int inputs, const std::string& from, const std::string& parameters) {
    const NodeId id = next_++;
    line(type, inputs, 1, fmt::format("{}{} {}", from, blob(id), parameters));
    split(id);
  }

  void split(NodeId id) {
    const int uses = uses_[static_cast<std::size_t>(id)];
    if (uses <= 1) return;
    std::string names = blob(id);
    for (int i = 0; i < uses; ++i) names += fmt::format(" v{}_{}", id, i);
    line("Split", 1, uses, names);
  }

  /// A convolution, depthwise or linear layer; `kind` are its own parameters.
  Result<void> weighted(NodeId id, std::string_view type, const std::string& kind, Activation activation) {
    const std::string from = read(graph_[id].inputs[0]);
    if (activation != Activation::kHardSigmoid) {
      layer(type, 1, from + " ", kind + own_activation_text(activation));
      return {};
    }
    const std::string between = blob(id) + "_before";
    line(type, 1, 1, fmt::format("{} {} {}", from, between, kind));
    layer("HardSigmoid", 1, between + " ", "0=0.16666667 1=0.5");
    return {};
  }

  static std::string window_text(const Window& w) {
    const Padding& p = w.padding;
    return fmt::format("1={} 11={} 3={} 13={} 4={} 15={} 14={} 16={} 5=1", w.kernel_w, w.kernel_h, w.stride_w,
                       w.stride_h, p.left, p.right, p.top, p.bottom);
  }

  /// [outer, pixels, channels] becomes [outer, channels, pixels] behind the tag of float32; then the biases.
  void constants(const Constant& weight, const Constant& bias, std::size_t outer, std::size_t channels,
                 std::size_t biases) {
    const std::span<const float> values = weight.values();
    const std::size_t pixels = values.size() / outer / channels;
    weights_.push_back(0);
    for (std::size_t o = 0; o < outer; ++o)
      for (std::size_t c = 0; c < channels; ++c)
        for (std::size_t i = 0; i < pixels; ++i) weights_.push_back(values[(o * pixels + i) * channels + c]);
    for (std::size_t k = 0; k < biases; ++k) weights_.push_back(bias.absent() ? 0.0f : bias.values()[k]);
  }

  Result<void> node(NodeId id) {
    const auto channels = static_cast<std::size_t>(graph_[graph_[id].inputs[0]].shape.c);
    const auto outputs = static_cast<std::size_t>(graph_[id].shape.c);
    const auto pair = [&](const char* operation) -> Result<void> {
      const std::string a = read(graph_[id].inputs[0]);
      layer("BinaryOp", 2, fmt::format("{} {} ", a, read(graph_[id].inputs[1])), operation);
      return {};
    };
    return std::visit(
        Overloaded{
            [&](const Convolution& op) {
              constants(op.weight, op.bias, outputs, channels, outputs);
              return weighted(id, "Convolution",
                              fmt::format("0={} {} 6={}", outputs, window_text(op.window), op.weight.size()),
                              op.activation);
            },
            [&](const Depthwise& op) {
              constants(op.weight, op.bias, 1, channels, outputs);
              return weighted(
                  id, "ConvolutionDepthWise",
                  fmt::format("0={0} {1} 6={2} 7={0}", outputs, window_text(op.window), op.weight.size()),
                  op.activation);
            },
            [&](const Linear& op) {
              constants(op.weight, op.bias, outputs, channels, outputs);
              return weighted(id, "InnerProduct", fmt::format("0={} 1=1 2={}", outputs, op.weight.size()),
                              op.activation);
            },
            [&](const Add& op) -> Result<void> {
              if (op.activation != Activation::kNone)
                return fail("an addition with an activation has no form here");
              return pair("0=0");
            },
            [&](const Multiply&) { return pair("0=2"); },
            [&](const GlobalAveragePool&) -> Result<void> {
              layer("Pooling", 1, read(graph_[id].inputs[0]) + " ", "0=1 4=1");
              return {};
            },
            [&](const auto& op) -> Result<void> { return fail("{} has no form here", op_name(op)); },
        },
        graph_[id].op);
  }

  const Graph& graph_;
  std::vector<int> uses_;
  std::vector<int> handed_;
  NodeId next_ = 0;  ///< the node whose layer comes next
  int layers_ = 0;
  int blobs_ = 0;
  std::string lines_;
  std::vector<float> weights_;
};

class NcnnEngine final : public bench::Engine {
 public:
  static Result<std::unique_ptr<bench::Engine>> make(const Graph& graph, const bench::Setup& setup) {
    if (is_int8(graph)) return fail("its int8 needs tables of its own tools");
    auto engine = std::make_unique<NcnnEngine>();
    engine->shape_ = graph.input_shape();
    Writer writer(graph);
    LINNET_CHECK(writer.write());
    engine->weights_ = writer.weights();
    engine->output_ = writer.output();
    ncnn::Option& option = engine->net_.opt;
    option.num_threads = setup.threads;
    option.use_fp16_packed = option.use_fp16_storage = option.use_fp16_arithmetic = false;
    option.use_bf16_storage = option.use_bf16_packed = setup.bf16;
    if (engine->net_.load_param_mem(writer.text().c_str()) != 0) return fail("the network is refused");
    if (engine->net_.load_model(reinterpret_cast<const unsigned char*>(engine->weights_.data())) == 0)
      return fail("the weights are refused");
    return engine;
  }

  Result<void> run(std::span<const float> image, std::span<float> scores) override {
    if (image.data() != seen_) {  // planes are its own layout: a caller who is in a hurry has them so
      seen_ = image.data();
      image_ = ncnn::Mat(shape_.w, shape_.h, shape_.c);
      for (int c = 0; c < shape_.c; ++c) {
        float* const plane = image_.channel(c);
        for (std::int64_t i = 0; i < shape_.pixels(); ++i)
          plane[i] = image[static_cast<std::size_t>(i * shape_.c + c)];
      }
    }
    ncnn::Extractor extractor = net_.create_extractor();
    ncnn::Mat out;
    if (extractor.input("v0", image_) != 0 || extractor.extract(output_.c_str(), out) != 0)
      return fail("the run failed");
    if (out.total() < scores.size()) return fail("gives {} scores instead of {}", out.total(), scores.size());
    std::copy_n(static_cast<const float*>(out.data), scores.size(), scores.begin());
    return {};
  }

 private:
  Shape shape_;
  std::vector<float> weights_;  // the network refers to them
  std::string output_;
  ncnn::Net net_;
  ncnn::Mat image_;
  const float* seen_ = nullptr;
};

}  // namespace

int main(int argc, char** argv) { return linnet::bench::drive(argc, argv, "ncnn", NcnnEngine::make); }
