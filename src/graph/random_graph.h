// For tests: small random graphs that draw on every operator, odd sizes and odd numbers of channels included.
#pragma once

#include <algorithm>

#include "base/random.h"
#include "graph/builder.h"

namespace linnet {

class RandomGraph {
 public:
  explicit RandomGraph(std::uint64_t seed) : random_(seed) {}

  int between(int low, int high) {
    return low + static_cast<int>(random_.below(static_cast<std::uint64_t>(high - low + 1)));
  }
  /// One of them, each as likely.
  template <class T>
  T pick(std::initializer_list<T> choices) {
    return choices.begin()[random_.below(choices.size())];
  }
  AlignedVector<float> values(std::size_t n, float low = -1, float high = 1) {
    AlignedVector<float> v(n);
    for (float& x : v) x = random_.uniform(low, high);
    return v;
  }
  Constant constant(std::vector<int> dims, float low = -1, float high = 1) {
    std::size_t n = 1;
    for (const int d : dims) n *= static_cast<std::size_t>(d);
    return Constant(std::move(dims), values(n, low, high));
  }
  Constant bias(int k) { return random_.below(4) == 0 ? Constant() : constant({k}); }
  Activation activation() {
    return pick({Activation::kNone, Activation::kRelu, Activation::kRelu6, Activation::kHardSwish,
                 Activation::kHardSigmoid});
  }
  int channels() {
    return pick({1, 2, 3, 4, 5, 7, 8, 9, 10, 13, 16, 17, 24, 31, 32, 33, 40, 48, 63, 64, 65, 72, 100});
  }
  /// A window that fits the input.
  Window window(const Shape& in) {
    Window w;
    const int side = pick({1, 2, 3, 3, 5, 7});
    w.kernel_h = between(0, 4) == 0 ? between(1, 7) : side;
    w.kernel_w = between(0, 4) == 0 ? between(1, 7) : side;
    w.stride_h = pick({1, 1, 2, 2, 3});
    w.stride_w = between(0, 4) == 0 ? between(1, 4) : w.stride_h;
    w.padding = {between(0, w.kernel_h), between(0, w.kernel_h), between(0, w.kernel_w),
                 between(0, w.kernel_w)};
    w.padding.bottom += std::max(0, w.kernel_h - (in.h + w.padding.top + w.padding.bottom));
    w.padding.right += std::max(0, w.kernel_w - (in.w + w.padding.left + w.padding.right));
    return w;
  }
  Convolution convolution(const Shape& in, const Window& w, int k) {
    return {w, constant({k, w.kernel_h, w.kernel_w, in.c}), bias(k), activation()};
  }
  Depthwise depthwise(const Shape& in, const Window& w) {
    return {w, constant({w.kernel_h, w.kernel_w, in.c}), bias(in.c), activation()};
  }

  /// A network of `layers` random layers and a classifier.
  Graph network(int layers) {
    GraphBuilder b("random", {between(1, 13), between(1, 13), channels()});
    NodeId x = b.input();
    int serial = 0;
    const auto name = [&](const char* what) { return std::string(what) + std::to_string(serial++); };
    const auto pointwise = [&](NodeId from, int k) {
      return b.add(name("pointwise"), convolution(b.shape(from), Window{}, k), {from});
    };
    for (int i = 0; i < layers; ++i) {
      const Shape in = b.shape(x);
      switch (between(0, 9)) {
        case 0: x = b.add(name("convolution"), convolution(in, window(in), channels()), {x}); break;
        case 1:
        case 2: x = b.add(name("depthwise"), depthwise(in, window(in)), {x}); break;
        case 3:
        case 4: x = pointwise(x, channels()); break;
        case 5: {  // a residual block; its last layer has an activation or not, so it is taken over or not
          const NodeId expanded = pointwise(x, channels());
          Convolution last = convolution(b.shape(expanded), Window{}, in.c);
          last.activation = pick({Activation::kNone, Activation::kNone, Activation::kRelu});
          const NodeId projected = b.add(name("project"), last, {expanded});
          const std::vector<NodeId> operands =
              between(0, 1) ? std::vector<NodeId>{x, projected} : std::vector<NodeId>{projected, x};
          x = b.add(name("add"), Add{activation()}, operands);
          break;
        }
        case 6: {  // squeeze-and-excite
          const NodeId pooled = b.add(name("pool"), GlobalAveragePool{}, {x});
          const NodeId gate =
              b.add(name("gate"), Activate{Activation::kHardSigmoid}, {pointwise(pooled, in.c)});
          x = b.add(name("multiply"), Multiply{}, {x, gate});
          break;
        }
        case 7: x = b.add(name("activate"), Activate{activation()}, {x}); break;
        case 8:
          x = b.add(name("pad"), Pad{{between(0, 2), between(0, 2), between(0, 2), between(0, 2)}}, {x});
          if (between(0, 1)) x = b.add(name("padded_add"), Add{activation()}, {x, x});
          break;
        case 9: {
          const BatchNorm norm = {constant({in.c}, 0.5f, 2), constant({in.c}), constant({in.c}),
                                  constant({in.c}, 0.5f, 2), 1e-3f};
          x = b.add(name("norm"), norm, {x});
          break;
        }
      }
    }
    x = b.add("last_pool", GlobalAveragePool{}, {x});
    if (between(0, 2) == 0) x = b.add("softmax", Softmax{}, {x});
    const int classes = pick({1, 2, 10, 33});
    x = b.add("classifier", Linear{constant({classes, b.shape(x).c}), bias(classes)}, {x});
    return std::move(b).finish(x).value();
  }

 private:
  Random random_;
};

}  // namespace linnet
