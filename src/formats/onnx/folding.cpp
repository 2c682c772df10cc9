#include "formats/onnx/folding.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "formats/onnx/axes.h"
#include "formats/onnx/quantized_constant.h"

namespace linnet::formats::onnx {
namespace {

/// What a folding function works with: the node, its inputs (an omitted one is absent), and what it may still
/// allocate.
struct Fold {
  const Call& call;
  std::vector<std::optional<Tensor>> inputs;
  std::int64_t& budget;

  Result<const Tensor*> input(std::size_t i) const {
    if (i >= inputs.size() || !inputs[i]) return fail("input {} is missing; the file is damaged", i);
    return &*inputs[i];
  }
  /// A list of integers from input i, or from the attribute of older opsets.
  Result<Dims> integers(std::string_view name, std::size_t i) const {
    return call.integers_either(name, static_cast<int>(i), {});
  }
  /// Number of values of a result of these dimensions. Errors: more than a model's constants can need.
  Result<std::size_t> allocate(const Dims& dims) const {
    const auto count = element_count(dims);
    if (!count || *count > budget)
      return fail("a constant of {} is more than a MobileNet needs; the file is damaged", to_string(dims));
    budget -= *count;
    return static_cast<std::size_t>(*count);
  }
};

/// Calls f with the values, of whichever kind they are.
template <class F>
auto visit_values(const Tensor& tensor, F f) {
  return tensor.is_float() ? f(tensor.floats()) : f(tensor.ints());
}

/// The values source[index(i)] under new dimensions.
template <class Index>
Result<Tensor> picked(const Fold& fold, const Tensor& source, Dims dims, Index index) {
  LINNET_TRY(const std::size_t count, fold.allocate(dims));
  return visit_values(source, [&](auto from) -> Tensor {
    std::vector<std::remove_const_t<typename decltype(from)::element_type>> to(count);
    for (std::size_t i = 0; i < count; ++i) to[i] = from[index(i)];
    if constexpr (std::is_same_v<decltype(to), std::vector<float>>)
      return Tensor(std::move(dims), std::move(to));
    else
      return Tensor(std::move(dims), std::move(to), source.integer_kind());
  });
}

/// How far apart neighbours along each axis lie.
std::vector<std::size_t> strides_of(const Dims& dims) {
  std::vector<std::size_t> strides(dims.size(), 1);
  for (std::size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * static_cast<std::size_t>(dims[i]);
  return strides;
}

Result<Tensor> fold_constant(const Fold& fold) {
  const Attributes& attributes = fold.call.attributes;
  LINNET_TRY(const auto* tensor, attributes.tensor("value"));
  if (tensor) return decode(*tensor, fold.call.translator().model().folder);
  if (attributes.has("value_float")) {
    LINNET_TRY(const double value, attributes.number("value_float", 0));
    return Tensor({}, std::vector<float>{static_cast<float>(value)});
  }
  if (attributes.has("value_int")) {
    LINNET_TRY(const std::int64_t value, attributes.integer("value_int", 0));
    return Tensor({}, std::vector<std::int64_t>{value});
  }
  if (attributes.has("value_floats")) {
    LINNET_TRY(auto values, attributes.numbers("value_floats"));
    const auto size = static_cast<std::int64_t>(values.size());  // arguments have no order among themselves
    return Tensor({size}, std::move(values));
  }
  if (attributes.has("value_ints")) {
    LINNET_TRY(auto values, attributes.integers("value_ints", {}));
    const auto size = static_cast<std::int64_t>(values.size());  // arguments have no order among themselves
    return Tensor({size}, std::move(values));
  }
  return fail("a constant that is neither numbers nor a tensor of them; fold it with onnxsim");
}

/// The dimensions of an input, which need not be a constant.
Result<Dims> dims_of_input(const Call& call) {
  LINNET_TRY(const Value value, call.input(0));
  if (const auto* feature = std::get_if<Feature>(&value)) return feature->layout.dims;
  return std::get<Tensor>(value).dims();
}

Result<Tensor> fold_shape(const Fold& fold) {
  LINNET_TRY(const Dims dims, dims_of_input(fold.call));
  const auto rank = static_cast<std::int64_t>(dims.size());
  LINNET_TRY(std::int64_t start, fold.call.attributes.integer("start", 0));
  LINNET_TRY(std::int64_t end, fold.call.attributes.integer("end", rank));
  start = std::clamp<std::int64_t>(start < 0 ? start + rank : start, 0, rank);
  end = std::clamp<std::int64_t>(end < 0 ? end + rank : end, start, rank);
  return Tensor({end - start}, std::vector<std::int64_t>(dims.begin() + start, dims.begin() + end));
}

Result<Tensor> fold_size(const Fold& fold) {
  LINNET_TRY(const Dims dims, dims_of_input(fold.call));
  return Tensor({}, std::vector<std::int64_t>{element_count(dims).value_or(0)});
}

Result<Tensor> fold_identity(const Fold& fold) {
  LINNET_TRY(const Tensor* x, fold.input(0));
  return *x;
}

Result<Tensor> fold_cast(const Fold& fold) {
  using onnx_schema::TensorProto;
  LINNET_TRY(const Tensor* x, fold.input(0));
  LINNET_TRY(const std::int64_t to, fold.call.attributes.integer("to", 0));
  switch (to) {
    case TensorProto::FLOAT:
    case TensorProto::FLOAT16:
    case TensorProto::BFLOAT16:
    case TensorProto::DOUBLE: {
      if (x->is_float()) return *x;
      LINNET_TRY(const std::size_t count, fold.allocate(x->dims()));
      std::vector<float> values(count);
      std::ranges::transform(x->ints(), values.begin(), [](std::int64_t v) { return static_cast<float>(v); });
      return Tensor(x->dims(), std::move(values));
    }
    case TensorProto::INT32:
    case TensorProto::INT64:
    case TensorProto::BOOL: {
      LINNET_TRY(const std::size_t count, fold.allocate(x->dims()));
      std::vector<std::int64_t> values(count);
      const auto convert = [&](auto from) {
        std::ranges::transform(from, values.begin(), [&](auto v) -> std::int64_t {
          if (to == TensorProto::BOOL) return v != 0;
          // A float outside of the integers' range has no meaning here; nothing but such a file has one.
          if (!(std::abs(static_cast<double>(v)) < 0x1p62)) return 0;
          return static_cast<std::int64_t>(v);
        });
      };
      visit_values(*x, convert);
      return Tensor(x->dims(), std::move(values));
    }
    default: return fail("casts a constant to ONNX's type {}, which no float model needs", to);
  }
}

Result<Tensor> fold_reshape(const Fold& fold) {
  LINNET_TRY(const Tensor* x, fold.input(0));
  LINNET_TRY(const Dims target, fold.call.integers(1, "shape"));
  LINNET_TRY(const std::int64_t allow_zero, fold.call.attributes.integer("allowzero", 0));
  LINNET_TRY(Dims dims, reshaped_dims(x->dims(), target, allow_zero != 0));
  return x->reshaped(std::move(dims));
}

Result<Tensor> fold_flatten(const Fold& fold) {
  LINNET_TRY(const Tensor* x, fold.input(0));
  LINNET_TRY(const std::int64_t axis, fold.call.attributes.integer("axis", 1));
  LINNET_TRY(Dims dims, flattened_dims(x->dims(), axis));
  return x->reshaped(std::move(dims));
}

Result<Tensor> fold_squeeze(const Fold& fold) {
  LINNET_TRY(const Tensor* x, fold.input(0));
  LINNET_TRY(const Dims axes, fold.integers("axes", 1));
  LINNET_TRY(Dims dims, squeezed_dims(x->dims(), axes));
  return x->reshaped(std::move(dims));
}

Result<Tensor> fold_unsqueeze(const Fold& fold) {
  LINNET_TRY(const Tensor* x, fold.input(0));
  LINNET_TRY(const Dims axes, fold.integers("axes", 1));
  LINNET_TRY(Dims dims, unsqueezed_dims(x->dims(), axes));
  return x->reshaped(std::move(dims));
}

Result<Tensor> fold_transpose(const Fold& fold) {
  LINNET_TRY(const Tensor* x, fold.input(0));
  LINNET_TRY(const Dims perm, fold.call.attributes.integers("perm", {}));
  LINNET_TRY(const auto order, checked_permutation(perm, x->dims().size()));
  Dims dims;
  for (const std::size_t axis : order) dims.push_back(x->dims()[axis]);
  const auto from = strides_of(x->dims());
  const auto to = strides_of(dims);
  const auto source_of = [&](std::size_t i) {
    std::size_t source = 0;
    for (std::size_t axis = 0; axis < order.size(); ++axis) {
      source += i / to[axis] * from[order[axis]];
      i %= to[axis];
    }
    return source;
  };
  LINNET_TRY(Tensor y, picked(fold, *x, dims, source_of));
  if (!x->quantized()) return y;
  QuantizedConstant quantized = *x->quantized();
  LINNET_TRY(quantized.integers, picked(fold, quantized.integers, dims, source_of));
  if (quantized.scales.size() != 1)
    quantized.axis = static_cast<std::size_t>(std::ranges::find(order, quantized.axis) - order.begin());
  return y.made_from(std::move(quantized));
}

Result<Tensor> fold_quantize(const Fold& fold) {
  LINNET_TRY(const Tensor* x, fold.input(0));
  LINNET_CHECK(fold.allocate(x->dims()));
  return quantize_constant(fold.call, *x);
}

Result<Tensor> fold_dequantize(const Fold& fold) {
  LINNET_TRY(const Tensor* x, fold.input(0));
  LINNET_CHECK(fold.allocate(x->dims()));
  return dequantize_constant(fold.call, *x);
}

/// Along one axis: the values at the given positions.
Result<Tensor> pick_along(const Fold& fold, const Tensor& x, std::size_t axis,
                          std::span<const std::int64_t> positions, Dims dims) {
  const std::size_t inner = strides_of(x.dims())[axis];
  const auto size = static_cast<std::size_t>(x.dims()[axis]);
  return picked(fold, x, std::move(dims), [&](std::size_t i) {
    const std::size_t outer = i / (inner * positions.size());
    const auto position = static_cast<std::size_t>(positions[i / inner % positions.size()]);
    return (outer * size + position) * inner + i % inner;
  });
}

Result<Tensor> fold_gather(const Fold& fold) {
  LINNET_TRY(const Tensor* x, fold.input(0));
  LINNET_TRY(const Tensor* indices, fold.input(1));
  if (indices->is_float()) return fail("indices are floats; the file is damaged");
  LINNET_TRY(const std::int64_t number, fold.call.attributes.integer("axis", 0));
  LINNET_TRY(const std::size_t axis, axis_index(number, x->dims().size()));
  const std::int64_t size = x->dims()[axis];
  std::vector<std::int64_t> positions(indices->ints().begin(), indices->ints().end());
  for (std::int64_t& p : positions) {
    if (p < -size || p >= size) return fail("index {} of {} values; the file is damaged", p, size);
    if (p < 0) p += size;
  }
  Dims dims = x->dims();
  dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(axis));
  dims.insert(dims.begin() + static_cast<std::ptrdiff_t>(axis), indices->dims().begin(),
              indices->dims().end());
  return pick_along(fold, *x, axis, positions, std::move(dims));
}

Result<Tensor> fold_slice(const Fold& fold) {
  LINNET_TRY(const Tensor* x, fold.input(0));
  LINNET_TRY(const Dims starts, fold.integers("starts", 1));
  LINNET_TRY(const Dims ends, fold.integers("ends", 2));
  LINNET_TRY(Dims axes, fold.integers("axes", 3));
  LINNET_TRY(Dims steps, fold.integers("steps", 4));
  if (axes.empty())
    for (std::size_t i = 0; i < starts.size(); ++i) axes.push_back(static_cast<std::int64_t>(i));
  if (steps.empty()) steps.assign(starts.size(), 1);
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size())
    return fail("{} starts, {} ends, {} axes; the file is damaged", starts.size(), ends.size(), axes.size());
  Tensor result = *x;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    LINNET_TRY(const std::size_t axis, axis_index(axes[i], result.dims().size()));
    if (steps[i] < 1) return fail("steps by {}; Linnet folds slices that step forward", steps[i]);
    const std::int64_t size = result.dims()[axis];
    const auto bound = [&](std::int64_t b) {
      return std::clamp<std::int64_t>(b < 0 ? std::max(b, -size) + size : b, 0, size);
    };
    std::vector<std::int64_t> positions;
    for (std::int64_t p = bound(starts[i]); p < bound(ends[i]); p += std::min(steps[i], size))
      positions.push_back(p);
    Dims dims = result.dims();
    dims[axis] = static_cast<std::int64_t>(positions.size());
    LINNET_TRY(result, pick_along(fold, result, axis, positions, std::move(dims)));
  }
  return result;
}

Result<Tensor> fold_concat(const Fold& fold) {
  LINNET_TRY(const Tensor* first, fold.input(0));
  LINNET_TRY(const std::int64_t number, fold.call.attributes.integer("axis", 0));
  LINNET_TRY(const std::size_t axis, axis_index(number, first->dims().size()));
  Dims dims = first->dims();
  dims[axis] = 0;
  for (std::size_t i = 0; i < fold.inputs.size(); ++i) {
    LINNET_TRY(const Tensor* x, fold.input(i));
    Dims others = x->dims();
    if (others.size() != dims.size() || x->is_float() != first->is_float())
      return fail("joins different kinds of constants; the file is damaged");
    dims[axis] += others[axis];
    others[axis] = first->dims()[axis];
    if (others != first->dims())
      return fail("joins {} to {}; the file is damaged", to_string(x->dims()), to_string(first->dims()));
  }
  LINNET_TRY(const std::size_t count, fold.allocate(dims));
  std::size_t outer = 1;
  for (std::size_t i = 0; i < axis; ++i) outer *= static_cast<std::size_t>(dims[i]);
  return visit_values(*first, [&](auto kind) -> Tensor {
    std::vector<std::remove_const_t<typename decltype(kind)::element_type>> values;
    values.reserve(count);
    for (std::size_t o = 0; o < outer; ++o)
      for (const auto& input : fold.inputs) {
        const std::size_t part = input->size() / outer;
        if constexpr (std::is_same_v<decltype(kind), std::span<const float>>)
          values.insert(values.end(), input->floats().begin() + static_cast<std::ptrdiff_t>(o * part),
                        input->floats().begin() + static_cast<std::ptrdiff_t>((o + 1) * part));
        else
          values.insert(values.end(), input->ints().begin() + static_cast<std::ptrdiff_t>(o * part),
                        input->ints().begin() + static_cast<std::ptrdiff_t>((o + 1) * part));
      }
    return Tensor(dims, std::move(values));
  });
}

Result<Tensor> fold_constant_of_shape(const Fold& fold) {
  LINNET_TRY(const Dims dims, fold.call.integers(0, "shape"));
  LINNET_TRY(const auto* proto, fold.call.attributes.tensor("value"));
  Tensor value({1}, std::vector<float>{0});
  if (proto) {
    LINNET_TRY(value, decode(*proto, fold.call.translator().model().folder));
  }
  if (value.size() != 1)
    return fail("value is {}, not one number; the file is damaged", to_string(value.dims()));
  return picked(fold, value, dims, [](std::size_t) { return std::size_t{0}; });
}

/// Dimensions of the broadcast of two constants, by numpy's rules.
Result<Dims> broadcast_dims(const Dims& a, const Dims& b) {
  Dims result = a.size() >= b.size() ? a : b;
  const Dims& smaller = a.size() >= b.size() ? b : a;
  for (std::size_t i = 1; i <= smaller.size(); ++i) {
    std::int64_t& d = result[result.size() - i];
    const std::int64_t other = smaller[smaller.size() - i];
    if (d == 1)
      d = other;
    else if (other != 1 && other != d)
      return fail("combines constants of {} and {}; the file is damaged", to_string(a), to_string(b));
  }
  return result;
}

/// Index into a tensor of `dims` for index i of a broadcast result.
class BroadcastIndex {
 public:
  BroadcastIndex(const Dims& dims, const Dims& result) : result_(strides_of(result)), own_(result.size(), 0) {
    const auto strides = strides_of(dims);
    for (std::size_t i = 0; i < dims.size(); ++i)
      if (dims[i] != 1) own_[i + result.size() - dims.size()] = strides[i];
  }
  std::size_t operator()(std::size_t i) const {
    std::size_t index = 0;
    for (std::size_t axis = 0; axis < result_.size(); ++axis) {
      index += i / result_[axis] * own_[axis];
      i %= result_[axis];
    }
    return index;
  }

 private:
  std::vector<std::size_t> result_, own_;
};

template <class OnFloats, class OnInts>
Result<Tensor> fold_binary(const Fold& fold, OnFloats on_floats, OnInts on_ints) {
  LINNET_TRY(const Tensor* a, fold.input(0));
  LINNET_TRY(const Tensor* b, fold.input(1));
  if (a->is_float() != b->is_float()) return fail("combines floats with integers; the file is damaged");
  LINNET_TRY(const Dims dims, broadcast_dims(a->dims(), b->dims()));
  LINNET_TRY(const std::size_t count, fold.allocate(dims));
  const BroadcastIndex in_a(a->dims(), dims), in_b(b->dims(), dims);
  if (a->is_float()) {
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = on_floats(a->floats()[in_a(i)], b->floats()[in_b(i)]);
    return Tensor(dims, std::move(values));
  }
  std::vector<std::int64_t> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = on_ints(a->ints()[in_a(i)], b->ints()[in_b(i)]);
  return Tensor(dims, std::move(values));
}

// Integers wrap around, as they do where the model is made to run; sizes never come near that.
std::uint64_t bits(std::int64_t v) { return static_cast<std::uint64_t>(v); }

Result<Tensor> fold_add(const Fold& fold) {
  return fold_binary(fold, std::plus<>(),
                     [](auto a, auto b) { return static_cast<std::int64_t>(bits(a) + bits(b)); });
}

Result<Tensor> fold_sub(const Fold& fold) {
  return fold_binary(fold, std::minus<>(),
                     [](auto a, auto b) { return static_cast<std::int64_t>(bits(a) - bits(b)); });
}

Result<Tensor> fold_mul(const Fold& fold) {
  return fold_binary(fold, std::multiplies<>(),
                     [](auto a, auto b) { return static_cast<std::int64_t>(bits(a) * bits(b)); });
}

Result<Tensor> fold_div(const Fold& fold) {
  bool by_zero = false;
  auto result = fold_binary(
      fold, [](float a, float b) { return a / b; },
      [&](std::int64_t a, std::int64_t b) {
        if (b == 0) by_zero = true;
        if (b == 0 || b == -1) return static_cast<std::int64_t>(0 - bits(a));
        return a / b;
      });
  if (by_zero) return fail("divides by zero; the file is damaged");
  return result;
}

template <float (*F)(float)>
Result<Tensor> fold_float(const Fold& fold) {
  LINNET_TRY(const Tensor* x, fold.input(0));
  if (!x->is_float()) return fail("takes floats, not integers; the file is damaged");
  LINNET_TRY(const std::size_t count, fold.allocate(x->dims()));
  std::vector<float> values(count);
  std::ranges::transform(x->floats(), values.begin(), F);
  return Tensor(x->dims(), std::move(values));
}

float negative(float v) { return -v; }
float square_root(float v) { return std::sqrt(v); }
float reciprocal(float v) { return 1.0f / v; }

struct Entry {
  std::string_view op_type;
  Result<Tensor> (*fold)(const Fold&);
};

constexpr auto kFolds = std::to_array<Entry>({
    {"Add", fold_add},
    {"Cast", fold_cast},
    {"Concat", fold_concat},
    {"Constant", fold_constant},
    {"ConstantOfShape", fold_constant_of_shape},
    {"DequantizeLinear", fold_dequantize},
    {"Div", fold_div},
    {"Flatten", fold_flatten},
    {"Gather", fold_gather},
    {"Identity", fold_identity},
    {"Mul", fold_mul},
    {"QuantizeLinear", fold_quantize},
    {"Neg", fold_float<negative>},
    {"Reciprocal", fold_float<reciprocal>},
    {"Reshape", fold_reshape},
    {"Shape", fold_shape},
    {"Size", fold_size},
    {"Slice", fold_slice},
    {"Sqrt", fold_float<square_root>},
    {"Squeeze", fold_squeeze},
    {"Sub", fold_sub},
    {"Transpose", fold_transpose},
    {"Unsqueeze", fold_unsqueeze},
});

bool reads_dimensions_only(const Call& call) {
  return call.node().op_type() == "Shape" || call.node().op_type() == "Size";
}

}  // namespace

bool folds(const Call& call) {
  if (reads_dimensions_only(call)) return true;
  for (int i = 0; i < call.inputs(); ++i) {
    if (!call.has_input(i)) continue;
    const auto value = call.input(i);
    if (value && std::holds_alternative<Feature>(*value)) return false;
  }
  return true;
}

Result<Tensor> fold(const Call& call, std::int64_t& budget) {
  const auto entry = std::ranges::find(kFolds, call.node().op_type(), &Entry::op_type);
  if (entry == kFolds.end())
    return fail("Linnet does not compute this operator on constants; fold constants with onnxsim first");
  Fold inputs{call, {}, budget};
  for (int i = 0; !reads_dimensions_only(call) && i < call.inputs(); ++i) {
    if (!call.has_input(i)) {
      inputs.inputs.push_back(std::nullopt);
      continue;
    }
    LINNET_TRY(Value value, call.input(i));
    inputs.inputs.push_back(std::get<Tensor>(std::move(value)));
  }
  return entry->fold(inputs);
}

}  // namespace linnet::formats::onnx
