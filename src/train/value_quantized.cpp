// A value that has grids, in quantisation-aware training: value.cpp's passes with the grids between them, a
// block at a time.
#include <algorithm>

#include "train/quantizer.h"
#include "train/value.h"

namespace linnet::train {

using cpu::Finish;

Rows Value::fetch_quantized(std::int64_t pixel, std::int64_t pixels, float* scratch,
                            std::ptrdiff_t row) const {
  const Finish first = before ? Finish::kNone : finish;
  Rows rows = {at<float>(z, pixel), shape.c};
  if (!norm.empty() || first != Finish::kNone) {
    normalise_to(pixel, pixels, first, scratch, row);
    rows = {scratch, row};
  }
  const auto onto = [&](const ValueQuantizer& grid) {
    grid.apply(rows.data, rows.pixel, scratch, row, pixels, shape.c);
    rows = {scratch, row};
  };
  if (before) {
    onto(*before);
    if (finish != Finish::kNone)
      for (std::int64_t p = 0; p < pixels; ++p)  // a row at a time: they need not be next to each other
        activate(scratch + p * row, 1, scratch + p * row);
  }
  if (after) onto(*after);
  return rows;
}

void Value::read(const ValueQuantizer& grid, std::int64_t pixels, float* y) const {
  if (&grid == after) {
    fetch_quantized(0, pixels, y, shape.c);
    return;
  }
  normalise_to(0, pixels, Finish::kNone, y, shape.c);
  grid.apply(y, shape.c, y, shape.c, pixels, shape.c);
}

/// y = finish(x), [pixels, C].
void Value::activate(const float* x, std::int64_t pixels, float* y) const {
  machine_.train.normalise({.z = x,
                            .multiply = nullptr,
                            .add = nullptr,
                            .y = y,
                            .y_pixel = shape.c,
                            .pixels = pixels,
                            .c = shape.c,
                            .finish = finish});
}

void Value::deliver_quantized(int thread, std::int64_t pixel, std::int64_t pixels, const float* dy,
                              bool first) {
  const std::int64_t block = block_pixels_quantized(shape.c);
  const std::int64_t size = block * shape.c;
  float* const d = machine_.blocks[static_cast<std::size_t>(thread)];
  float* const v = d + size;  // before the activation
  float* const x = v + size;  // v on its grid
  float* const y = x + size;  // after the activation
  Sums& s = sums_[static_cast<std::size_t>(thread)];
  const Norm* n = norm.empty() ? nullptr : &norm.front();
  for (std::int64_t begin = 0; begin < pixels; begin += block) {
    const std::int64_t count = std::min(block, pixels - begin);
    const std::int64_t values = count * shape.c;
    float* const own = at<float>(gradient, pixel + begin);
    const float* const part = dy + begin * shape.c;
    if (first)
      std::copy_n(part, values, d);
    else
      machine_.kernels.add.run({own, part, d, values, Finish::kNone});
    Finish left = finish;  // what of the activation is still to go through
    if (before) {
      normalise_to(pixel + begin, count, Finish::kNone, v, shape.c);
      before->apply(v, shape.c, x, shape.c, count, shape.c);
      if (after) {
        activate(x, count, y);
        after->through(thread, y, d, values);
      }
      through_activation(s, {.d = d, .z = x, .norm = nullptr, .dv = d, .pixels = count, .finish = finish});
      before->through(thread, v, d, values);
      left = Finish::kNone;
    } else {
      normalise_to(pixel + begin, count, finish, y, shape.c);
      after->through(thread, y, d, values);
    }
    through_activation(
        s, {.d = d, .z = at<float>(z, pixel + begin), .norm = n, .dv = own, .pixels = count, .finish = left});
    if (n || !d_bias.empty()) s.add_block(count, {0, shape.c});
  }
}

/// dv = d * finish'(v), and the sums over it.
void Value::through_activation(Sums& s, const ActivationStep& a) const {
  machine_.train.activation_gradient({.dy = a.d,
                                      .earlier = nullptr,
                                      .z = a.z,
                                      .multiply = a.norm ? a.norm->multiply.data() : nullptr,
                                      .add = a.norm ? a.norm->add.data() : nullptr,
                                      .mean = a.norm ? a.norm->mean.data() : nullptr,
                                      .dv = a.dv,
                                      .row = shape.c,
                                      .pixels = a.pixels,
                                      .c = shape.c,
                                      .finish = a.finish,
                                      .sum = s.block_first.data(),
                                      .sum_centred = s.block_second.data()});
}

}  // namespace linnet::train
