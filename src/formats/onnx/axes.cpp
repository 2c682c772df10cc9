#include "formats/onnx/axes.h"

#include <algorithm>
#include <numeric>

#include "formats/onnx/translator.h"

namespace linnet::formats::onnx {
namespace {

constexpr std::size_t kMaxRank = 16;

/// True at the places that `axes` names; an axis that stands twice is an error.
Result<std::vector<bool>> marked(const Dims& axes, std::size_t rank) {
  std::vector<bool> marks(rank, false);
  for (const std::int64_t axis : axes) {
    LINNET_TRY(const std::size_t i, axis_index(axis, rank));
    if (marks[i]) return fail("axis {} stands twice; the file is damaged", axis);
    marks[i] = true;
  }
  return marks;
}

}  // namespace

Result<Dims> reshaped_dims(const Dims& dims, const Dims& target, bool allow_zero) {
  const auto impossible = [&] {
    return fail("cannot reshape {} to {}; the file is damaged", to_string(dims), to_string(target));
  };
  if (target.size() > kMaxRank)
    return fail("reshapes to {} axes; Linnet has at most {}", target.size(), kMaxRank);
  Dims result = target;
  std::optional<std::size_t> open;
  for (std::size_t i = 0; i < result.size(); ++i) {
    if (result[i] == 0 && !allow_zero) {
      if (i >= dims.size()) return impossible();
      result[i] = dims[i];
    }
    if (result[i] == -1) {
      if (open) return impossible();
      open = i;
      result[i] = 1;
    }
  }
  const auto have = element_count(dims);
  const auto fixed = element_count(result);
  if (!have || !fixed) return impossible();
  if (open) {
    if (*fixed == 0 || *have % *fixed != 0) return impossible();
    result[*open] = *have / *fixed;
  } else if (*have != *fixed) {
    return impossible();
  }
  return result;
}

Result<Dims> flattened_dims(const Dims& dims, std::int64_t axis) {
  // Unlike an index, the axis may equal the rank.
  const auto rank = static_cast<std::int64_t>(dims.size());
  if (axis < -rank || axis > rank)
    return fail("axis {} of a tensor with {} axes; the file is damaged", axis, rank);
  const auto split = dims.begin() + (axis < 0 ? axis + rank : axis);
  const auto rows = element_count(Dims(dims.begin(), split));
  const auto columns = element_count(Dims(split, dims.end()));
  if (!rows || !columns)
    return fail("{} is larger than any tensor of a MobileNet; the file is damaged", to_string(dims));
  return Dims{*rows, *columns};
}

Result<Dims> squeezed_dims(const Dims& dims, const Dims& axes) {
  LINNET_TRY(const std::vector<bool> named, marked(axes, dims.size()));
  Dims result;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (named[i] && dims[i] != 1)
      return fail("squeezes axis {} of {}, which is not of size one; the file is damaged", i,
                  to_string(dims));
    if (!(axes.empty() ? dims[i] == 1 : named[i])) result.push_back(dims[i]);
  }
  return result;
}

Result<Dims> unsqueezed_dims(const Dims& dims, const Dims& axes) {
  if (dims.size() + axes.size() > kMaxRank)
    return fail("gives {} axes; Linnet has at most {}", dims.size() + axes.size(), kMaxRank);
  LINNET_TRY(const std::vector<bool> named, marked(axes, dims.size() + axes.size()));
  Dims result;
  auto next = dims.begin();
  for (const bool is_new : named) result.push_back(is_new ? 1 : *next++);
  return result;
}

Result<std::vector<std::size_t>> checked_permutation(const Dims& perm, std::size_t rank) {
  std::vector<std::size_t> order(rank);
  std::iota(order.rbegin(), order.rend(), std::size_t{0});
  if (perm.empty()) return order;
  if (perm.size() != rank)
    return fail("permutation {} of a tensor with {} axes; the file is damaged", to_string(perm), rank);
  LINNET_CHECK(marked(perm, rank));
  std::ranges::transform(perm, order.begin(), [&](std::int64_t axis) {
    return static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(rank) : axis);
  });
  return order;
}

namespace {

Result<Value> relabel(Feature x, const Dims& dims) {
  const auto layout = relabelled(x.layout, dims);
  if (!layout)
    return fail(
        "reshapes {} to {}, which mixes height, width, channels or batch; Linnet runs a reshape only where "
        "it drops or adds axes of size one, as after a global pool",
        x.layout.text(), to_string(dims));
  x.layout = *layout;
  return x;
}

}  // namespace

Result<Value> translate_identity(const Call& call) { return call.input(0); }

Result<Value> translate_cast(const Call& call) {
  using onnx_schema::TensorProto;
  LINNET_TRY(const std::int64_t to, call.attributes.integer("to", 0));
  if (to != TensorProto::FLOAT && to != TensorProto::FLOAT16 && to != TensorProto::BFLOAT16 &&
      to != TensorProto::DOUBLE)
    return fail("casts an activation to ONNX's type {}; Linnet runs floating-point activations", to);
  LINNET_TRY(Feature x, call.pending(0));
  if (x.form == Form::kStored) return fail("casts int8 integers to floats; a DequantizeLinear is missing");
  return x;
}

Result<Value> translate_reshape(const Call& call) {
  LINNET_TRY(Feature x, call.pending(0));
  LINNET_TRY(const Dims target, call.integers(1, "shape"));
  LINNET_TRY(const std::int64_t allow_zero, call.attributes.integer("allowzero", 0));
  LINNET_TRY(const Dims dims, reshaped_dims(x.layout.dims, target, allow_zero != 0));
  return relabel(std::move(x), dims);
}

Result<Value> translate_flatten(const Call& call) {
  LINNET_TRY(Feature x, call.pending(0));
  LINNET_TRY(const std::int64_t axis, call.attributes.integer("axis", 1));
  LINNET_TRY(const Dims dims, flattened_dims(x.layout.dims, axis));
  return relabel(std::move(x), dims);
}

Result<Value> translate_squeeze(const Call& call) {
  LINNET_TRY(Feature x, call.pending(0));
  LINNET_TRY(const Dims axes, call.integers_either("axes", 1, {}));
  LINNET_TRY(const Dims dims, squeezed_dims(x.layout.dims, axes));
  return relabel(std::move(x), dims);
}

Result<Value> translate_unsqueeze(const Call& call) {
  LINNET_TRY(Feature x, call.pending(0));
  LINNET_TRY(const Dims axes, call.integers_either("axes", 1, {}));
  LINNET_TRY(const Dims dims, unsqueezed_dims(x.layout.dims, axes));
  return relabel(std::move(x), dims);
}

Result<Value> translate_transpose(const Call& call) {
  LINNET_TRY(Feature x, call.pending(0));
  LINNET_TRY(const Dims perm, call.attributes.integers("perm", {}));
  LINNET_TRY(const auto order, checked_permutation(perm, x.layout.rank()));
  const Layout old = x.layout;
  for (std::size_t i = 0; i < order.size(); ++i) {
    x.layout.dims[i] = old.dims[order[i]];
    x.layout.axes[i] = old.axes[order[i]];
  }
  return x;
}

}  // namespace linnet::formats::onnx
