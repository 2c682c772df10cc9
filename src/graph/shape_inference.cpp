// infer_shape(): what each operator demands of its inputs and weights, and what it gives.
#include <limits>

#include <fmt/ranges.h>

#include "graph/graph.h"

namespace linnet {
namespace {

// Larger than any MobileNet by far, small enough that sizes never overflow and a hostile file cannot ask for
// the moon.
constexpr int kMaxSide = 1 << 16;
constexpr std::int64_t kMaxValues = std::int64_t{1} << 30;

Result<Shape> checked(std::int64_t h, std::int64_t w, std::int64_t c) {
  if (h < 1 || w < 1 || c < 1) return fail("output of {}x{}x{} is empty", h, w, c);
  if (h > kMaxSide || w > kMaxSide || c > kMaxSide || h * w * c > kMaxValues)
    return fail("output of {}x{}x{} is larger than Linnet allows ({} a side, {} values)", h, w, c, kMaxSide,
                kMaxValues);
  return Shape{static_cast<int>(h), static_cast<int>(w), static_cast<int>(c)};
}

std::string dims_text(const std::vector<int>& dims) { return fmt::format("[{}]", fmt::join(dims, ", ")); }

Result<void> expect_dims(std::string_view what, const Constant& constant, const std::vector<int>& dims) {
  if (constant.dims() != dims)
    return fail("{} is {}, expected {}", what, to_string(constant), dims_text(dims));
  return {};
}

Result<void> expect_vector(std::string_view what, const Constant& constant, int n) {
  if (constant.dims() != std::vector<int>{n})
    return fail("{} is {}, expected [{}]", what, to_string(constant), n);
  return {};
}

Result<void> expect_bias(const Constant& bias, int n) {
  return bias.absent() ? Result<void>{} : expect_vector("bias", bias, n);
}

Result<Shape> slide(const Window& window, const Shape& x, int channels) {
  const Padding& p = window.padding;
  const auto legal = [](int v, int low, int high) { return v >= low && v <= high; };
  if (!legal(window.kernel_h, 1, kMaxSide) || !legal(window.kernel_w, 1, kMaxSide) ||
      !legal(window.stride_h, 1, kMaxSide) || !legal(window.stride_w, 1, kMaxSide))
    return fail("kernel {}x{} with stride {}x{} is not a window", window.kernel_h, window.kernel_w,
                window.stride_h, window.stride_w);
  for (const int side : {p.top, p.bottom, p.left, p.right})
    if (!legal(side, 0, kMaxSide)) return fail("padding of {} is not legal", side);
  const std::int64_t h = std::int64_t{x.h} + p.top + p.bottom - window.kernel_h;
  const std::int64_t w = std::int64_t{x.w} + p.left + p.right - window.kernel_w;
  if (h < 0 || w < 0)
    return fail("kernel {}x{} is larger than its padded input of {}x{}", window.kernel_h, window.kernel_w,
                x.h + p.top + p.bottom, x.w + p.left + p.right);
  return checked(h / window.stride_h + 1, w / window.stride_w + 1, channels);
}

Result<Shape> infer(const Input&, std::span<const Shape>) {
  return fail("the input's shape is given, not inferred");
}

Result<Shape> infer(const Convolution& op, std::span<const Shape> x) {
  if (op.weight.dims().size() != 4) return fail("weight is {}, expected [K, R, S, C]", to_string(op.weight));
  const int k = op.weight.dims()[0];
  LINNET_CHECK(expect_dims("weight", op.weight, {k, op.window.kernel_h, op.window.kernel_w, x[0].c}));
  LINNET_CHECK(expect_bias(op.bias, k));
  return slide(op.window, x[0], k);
}

Result<Shape> infer(const Depthwise& op, std::span<const Shape> x) {
  LINNET_CHECK(expect_dims("weight", op.weight, {op.window.kernel_h, op.window.kernel_w, x[0].c}));
  LINNET_CHECK(expect_bias(op.bias, x[0].c));
  return slide(op.window, x[0], x[0].c);
}

Result<Shape> infer(const Linear& op, std::span<const Shape> x) {
  if (x[0].pixels() != 1)
    return fail("a linear layer takes 1x1xC, not {}; a pool or a flatten is missing before it",
                to_string(x[0]));
  if (op.weight.dims().size() != 2) return fail("weight is {}, expected [K, C]", to_string(op.weight));
  const int k = op.weight.dims()[0];
  LINNET_CHECK(expect_dims("weight", op.weight, {k, x[0].c}));
  LINNET_CHECK(expect_bias(op.bias, k));
  return checked(1, 1, k);
}

Result<Shape> infer(const BatchNorm& op, std::span<const Shape> x) {
  LINNET_CHECK(expect_vector("scale", op.scale, x[0].c));
  LINNET_CHECK(expect_vector("offset", op.offset, x[0].c));
  LINNET_CHECK(expect_vector("mean", op.mean, x[0].c));
  LINNET_CHECK(expect_vector("variance", op.variance, x[0].c));
  if (!(op.epsilon >= 0.0f && op.epsilon <= 1.0f)) return fail("epsilon {} is not in [0, 1]", op.epsilon);
  return x[0];
}

Result<Shape> infer(const Activate&, std::span<const Shape> x) { return x[0]; }

Result<Shape> infer(const Add&, std::span<const Shape> x) {
  if (x[0] != x[1]) return fail("adds {} to {}; the shapes must be equal", to_string(x[1]), to_string(x[0]));
  return x[0];
}

Result<Shape> infer(const Multiply&, std::span<const Shape> x) {
  if (x[1] != Shape{1, 1, x[0].c})
    return fail("the gate of {} is {}, expected 1x1x{}", to_string(x[0]), to_string(x[1]), x[0].c);
  return x[0];
}

Result<Shape> infer(const GlobalAveragePool&, std::span<const Shape> x) { return Shape{1, 1, x[0].c}; }

Result<Shape> infer(const Pad& op, std::span<const Shape> x) {
  return slide(Window{.padding = op.padding}, x[0], x[0].c);
}

Result<Shape> infer(const Identity&, std::span<const Shape> x) { return x[0]; }

Result<Shape> infer(const Softmax&, std::span<const Shape> x) {
  if (x[0].pixels() != 1) return fail("softmax takes 1x1xC, not {}", to_string(x[0]));
  return x[0];
}

}  // namespace

Result<Shape> infer_shape(const Op& op, std::span<const Shape> inputs) {
  if (static_cast<int>(inputs.size()) != arity(op))
    return fail("{} takes {} inputs, not {}", op_name(op), arity(op), inputs.size());
  return std::visit([&](const auto& o) { return infer(o, inputs); }, op);
}

}  // namespace linnet
