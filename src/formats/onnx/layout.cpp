#include "formats/onnx/layout.h"

#include <algorithm>

namespace linnet::formats::onnx {

std::optional<std::size_t> Layout::find(Axis axis) const {
  const auto found = std::ranges::find(axes, axis);
  if (found == axes.end()) return std::nullopt;
  return static_cast<std::size_t>(found - axes.begin());
}

bool Layout::reads_as(std::span<const Axis> wanted) const {
  if (wanted.size() != rank()) return false;
  for (std::size_t i = 0; i < rank(); ++i)
    if (dims[i] != 1 && axes[i] != wanted[i]) return false;
  return true;
}

std::string Layout::text() const {
  std::string letters;
  for (const Axis axis : axes) letters += static_cast<char>(axis);
  return to_string(dims) + " (" + letters + ")";
}

Layout layout_of(const Shape& shape, std::int64_t batch, std::span<const Axis> axes) {
  Layout layout;
  for (const Axis axis : axes) {
    layout.axes.push_back(axis);
    switch (axis) {
      case Axis::kUnit: layout.dims.push_back(1); break;
      case Axis::kBatch: layout.dims.push_back(batch); break;
      case Axis::kHeight: layout.dims.push_back(shape.h); break;
      case Axis::kWidth: layout.dims.push_back(shape.w); break;
      case Axis::kChannel: layout.dims.push_back(shape.c); break;
    }
  }
  return layout;
}

std::optional<Layout> relabelled(const Layout& layout, const Dims& dims) {
  Layout result{dims, std::vector<Axis>(dims.size(), Axis::kUnit)};
  std::size_t next = 0;
  const auto skip_units = [&] {
    while (next < layout.rank() && layout.dims[next] == 1) ++next;
  };
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 1) continue;
    skip_units();
    if (next == layout.rank() || layout.dims[next] != dims[i]) return std::nullopt;
    result.axes[i] = layout.axes[next++];
  }
  skip_units();
  if (next != layout.rank()) return std::nullopt;
  return result;
}

std::optional<Layout> broadcast(const Layout& a, const Layout& b) {
  if (a.rank() < b.rank()) return broadcast(b, a);
  Layout result = a;
  const std::size_t shift = a.rank() - b.rank();
  for (std::size_t i = 0; i < b.rank(); ++i) {
    if (b.dims[i] == 1) continue;
    if (a.dims[i + shift] == 1) {
      result.dims[i + shift] = b.dims[i];
      result.axes[i + shift] = b.axes[i];
    } else if (a.dims[i + shift] != b.dims[i] || a.axes[i + shift] != b.axes[i]) {
      return std::nullopt;
    }
  }
  for (const Axis axis : {Axis::kBatch, Axis::kHeight, Axis::kWidth, Axis::kChannel})
    if (std::ranges::count(result.axes, axis) > 1) {
      // The same axis in two places: of size one in one of them, where it means nothing, or a real conflict.
      for (std::size_t i = 0; i < result.rank(); ++i)
        if (result.axes[i] == axis && result.dims[i] == 1) result.axes[i] = Axis::kUnit;
      if (std::ranges::count(result.axes, axis) > 1) return std::nullopt;
    }
  return result;
}

Result<std::size_t> axis_index(std::int64_t axis, std::size_t rank) {
  const auto n = static_cast<std::int64_t>(rank);
  if (axis < -n || axis >= n)
    return fail("axis {} of a tensor with {} axes; the file is damaged", axis, rank);
  return static_cast<std::size_t>(axis < 0 ? axis + n : axis);
}

}  // namespace linnet::formats::onnx
