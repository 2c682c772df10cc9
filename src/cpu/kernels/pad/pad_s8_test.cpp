// Padding of int8 images: each value is the image's, or the zero point.
#include "cpu/kernels/pad/pad_s8.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "cpu/kernels/guarded.h"

namespace linnet::cpu {
namespace {

TEST(pad_s8, surrounds_the_image_with_its_zero_point) {
  Random random(1);
  for (int i = 0; i < 100; ++i) {
    const auto draw = [&](std::uint64_t least, std::uint64_t most) {
      return static_cast<int>(least + random.below(most - least + 1));
    };
    PadS8 a = {};
    a.h = draw(1, 5);
    a.w = draw(1, 9);
    a.c = draw(1, 7);
    a.top = draw(0, 3);
    a.left = draw(0, 3);
    a.right = draw(0, 3);
    a.zero_x = draw(0, 255) - 128;
    const int rows = a.top + a.h + draw(0, 3), width = a.left + a.w + a.right;
    Guarded<std::int8_t> x(static_cast<std::size_t>(a.h * a.w * a.c));
    Guarded<std::int8_t> y(static_cast<std::size_t>(rows * width * a.c));
    for (std::size_t j = 0; j < x.size(); ++j) x[j] = static_cast<std::int8_t>(random.next());
    a.x = x.data();
    a.y = y.data();
    const int middle = draw(0, static_cast<std::uint64_t>(rows));
    for (const auto& [begin, end] : {std::pair{middle, rows}, std::pair{0, middle}}) {
      a.row_begin = begin;
      a.row_end = end;
      scalar::pad_s8(a);
    }
    for (int h = 0; h < rows; ++h)
      for (int w = 0; w < width; ++w)
        for (int c = 0; c < a.c; ++c) {
          const int from_h = h - a.top, from_w = w - a.left;
          const bool inside = from_h >= 0 && from_h < a.h && from_w >= 0 && from_w < a.w;
          ASSERT_EQ(y[static_cast<std::size_t>((h * width + w) * a.c + c)],
                    inside ? x[static_cast<std::size_t>((from_h * a.w + from_w) * a.c + c)] : a.zero_x)
              << "row " << h << ", column " << w << ", channel " << c;
        }
    ASSERT_TRUE(y.intact());
  }
}

}  // namespace
}  // namespace linnet::cpu
