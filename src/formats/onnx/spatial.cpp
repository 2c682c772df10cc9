// Operators over height and width: padding, pools, and the softmax at the end.
#include <algorithm>
#include <limits>

#include "formats/onnx/translator.h"

namespace linnet::formats::onnx {
namespace {

/// The mean over height and width, under the given axes.
Result<Value> global_pool(const Call& call, const Feature& x, Layout layout) {
  LINNET_TRY(const NodeId y, call.add(GlobalAveragePool{}, {x.node}));
  return Feature{y, std::move(layout)};
}

/// The layout with height and width of size one.
Layout pooled(Layout layout) {
  for (std::size_t i = 0; i < layout.rank(); ++i)
    if (layout.axes[i] == Axis::kHeight || layout.axes[i] == Axis::kWidth) layout.dims[i] = 1;
  return layout;
}

Result<int> rows(std::int64_t value) {
  constexpr std::int64_t kMaxRows = 1 << 16;
  if (value < 0 || value > kMaxRows)
    return fail("pads by {}; Linnet pads by 0 to {} (a negative pad is a Slice)", value, kMaxRows);
  return static_cast<int>(value);
}

}  // namespace

Result<Value> translate_pad(const Call& call) {
  LINNET_TRY(Feature x, call.pending(0));
  double zero = 0;  // what stands for it among integers
  if (x.form == Form::kStored) {
    zero = call.translator().quantization(x.node)->zero_point + (x.is_unsigned ? 128 : 0);
  } else {
    LINNET_TRY(x, call.translator().materialise(std::move(x)));
  }
  LINNET_TRY(const std::string_view mode, call.attributes.text("mode", "constant"));
  if (mode != "constant") return fail("mode \"{}\"; Linnet pads with zeros", mode);
  LINNET_TRY(double value, call.attributes.number("value", 0));
  if (call.has_input(2)) {
    LINNET_TRY(const Tensor tensor, call.constant(2, "the padding value"));
    value = tensor.scalar().value_or(std::numeric_limits<double>::quiet_NaN());
  }
  if (value != zero)
    return fail("pads with {:g}; Linnet pads with zeros{}", value,
                zero == 0 ? "" : fmt::format(", for which {:g} stands here", zero));
  LINNET_TRY(const Dims pads, call.integers_either("pads", 1, {}));
  Dims axes;
  if (call.has_input(3)) {
    LINNET_TRY(axes, call.integers(3, "axes"));
  } else {
    for (std::size_t i = 0; i < x.layout.rank(); ++i) axes.push_back(static_cast<std::int64_t>(i));
  }
  if (pads.size() != 2 * axes.size())
    return fail("{} pads for {} axes; the file is damaged", pads.size(), axes.size());

  Pad op;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (pads[i] == 0 && pads[i + axes.size()] == 0) continue;
    LINNET_TRY(const std::size_t axis, axis_index(axes[i], x.layout.rank()));
    LINNET_TRY(const int before, rows(pads[i]));
    LINNET_TRY(const int after, rows(pads[i + axes.size()]));
    if (x.layout.axes[axis] == Axis::kHeight) {
      op.padding.top = before;
      op.padding.bottom = after;
    } else if (x.layout.axes[axis] == Axis::kWidth) {
      op.padding.left = before;
      op.padding.right = after;
    } else {
      return fail("pads axis {} of {}; Linnet pads height and width", axis, x.layout.text());
    }
    x.layout.dims[axis] += before + after;
  }
  const NodeId source = x.node;
  LINNET_TRY(x.node, call.add(op, {source}));
  if (call.translator().int8()) call.translator().keep_quantization(source, x.node);
  return x;
}

Result<Value> translate_global_average_pool(const Call& call) {
  LINNET_TRY(const Feature x, call.feature(0));
  if (!x.layout.reads_as(kNchw))
    return fail("pools {}, but it takes NCHW; the file is damaged", x.layout.text());
  return global_pool(call, x, pooled(x.layout));
}

Result<Value> translate_average_pool(const Call& call) {
  LINNET_TRY(const Feature x, call.feature(0));
  if (!x.layout.reads_as(kNchw))
    return fail("pools {}, but it takes NCHW; the file is damaged", x.layout.text());
  const Shape& shape = call.shape(x.node);
  LINNET_TRY(const Dims kernel, call.attributes.integers("kernel_shape", {}));
  LINNET_TRY(const Dims pads, call.attributes.integers("pads", {}));
  LINNET_TRY(const std::string_view automatic, call.attributes.text("auto_pad", "NOTSET"));
  const bool whole = kernel == Dims{shape.h, shape.w} && !automatic.starts_with("SAME") &&
                     std::ranges::all_of(pads, [](auto p) { return p == 0; });
  if (!whole)
    return fail("pools {} of {}x{}; Linnet averages over the whole height and width only", to_string(kernel),
                shape.h, shape.w);
  return global_pool(call, x, pooled(x.layout));
}

Result<Value> translate_reduce_mean(const Call& call) {
  LINNET_TRY(const Feature x, call.feature(0));
  LINNET_TRY(const Dims axes, call.integers_either("axes", 1, {}));
  LINNET_TRY(const std::int64_t keep, call.attributes.integer("keepdims", 1));
  std::vector<bool> reduced(x.layout.rank(), false);
  for (const std::int64_t axis : axes) {
    LINNET_TRY(const std::size_t i, axis_index(axis, x.layout.rank()));
    reduced[i] = true;
  }
  Layout layout;
  for (std::size_t i = 0; i < x.layout.rank(); ++i) {
    const bool is_side = x.layout.axes[i] == Axis::kHeight || x.layout.axes[i] == Axis::kWidth;
    if (x.layout.dims[i] != 1 && is_side != reduced[i])
      return fail("averages axes {} of {}; Linnet averages over the whole height and width", to_string(axes),
                  x.layout.text());
    if (reduced[i] && keep == 0) continue;
    layout.dims.push_back(reduced[i] ? 1 : x.layout.dims[i]);
    layout.axes.push_back(x.layout.axes[i]);
  }
  return global_pool(call, x, std::move(layout));
}

Result<Value> translate_softmax(const Call& call) {
  LINNET_TRY(const Feature x, call.feature(0));
  // Before opset 13 the axes from `axis` on are one; since then `axis` alone is meant.
  const bool one_axis = call.opset() >= 13;
  LINNET_TRY(const std::int64_t axis, call.attributes.integer("axis", one_axis ? -1 : 1));
  LINNET_TRY(const std::size_t first, axis_index(axis, x.layout.rank()));
  for (std::size_t i = 0; i < x.layout.rank(); ++i) {
    const bool normalised = one_axis ? i == first : i >= first;
    if (x.layout.dims[i] != 1 && normalised != (x.layout.axes[i] == Axis::kChannel))
      return fail("normalises axis {} of {}; Linnet runs a softmax over the classes", axis, x.layout.text());
  }
  if (call.translator().int8()) return Feature{x.node, x.layout, {}, {}, Form::kProbabilities};
  LINNET_TRY(const NodeId y, call.add(Softmax{}, {x.node}));
  return Feature{y, x.layout};
}

Result<Value> translate_log_softmax(const Call& call) {
  if (call.node().output(0) != call.translator().model().output)
    return fail("a log-softmax inside the network; Linnet runs one at the end only");
  return translate_softmax(call);
}

}  // namespace linnet::formats::onnx
