// Which axis of an ONNX tensor is which of a Linnet image.
//
// ONNX has no layout, only numbered axes; Transpose, Reshape, Squeeze and Flatten move them about. A Graph
// has one layout, so here an activation is a node plus the meaning of its axes, and those operators change
// the meaning alone.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/shape.h"
#include "formats/onnx/tensor.h"

namespace linnet::formats::onnx {

enum class Axis : char {
  kUnit = '1',  ///< of size one, and meaning nothing
  kBatch = 'N',
  kHeight = 'H',
  kWidth = 'W',
  kChannel = 'C',
};

/// Axes and their sizes. Every axis other than kUnit stands once; those that are absent have size one.
struct Layout {
  Dims dims;
  std::vector<Axis> axes;  ///< as many as dims

  std::size_t rank() const { return dims.size(); }
  /// Index of the axis, or nothing where it is absent.
  std::optional<std::size_t> find(Axis axis) const;
  /// True if the tensor could as well have been declared with these axes: only axes of size one differ.
  bool reads_as(std::span<const Axis> wanted) const;
  /// "[1, 3, 224, 224] (NCHW)"
  std::string text() const;
  bool operator==(const Layout&) const = default;
};

inline constexpr Axis kNchw[] = {Axis::kBatch, Axis::kChannel, Axis::kHeight, Axis::kWidth};
inline constexpr Axis kNhwc[] = {Axis::kBatch, Axis::kHeight, Axis::kWidth, Axis::kChannel};
inline constexpr Axis kNc[] = {Axis::kBatch, Axis::kChannel};

/// The layout of an image of this shape under these axes.
Layout layout_of(const Shape& shape, std::int64_t batch, std::span<const Axis> axes);

/// The same values under new dimensions (a reshape), or nothing where an axis would be split or merged.
std::optional<Layout> relabelled(const Layout& layout, const Dims& dims);

/// The axes of the broadcast of two tensors (ONNX's numpy rules), or nothing where different axes meet.
std::optional<Layout> broadcast(const Layout& a, const Layout& b);

/// An axis number as ONNX writes it, negative ones counted from the end.
Result<std::size_t> axis_index(std::int64_t axis, std::size_t rank);

}  // namespace linnet::formats::onnx
