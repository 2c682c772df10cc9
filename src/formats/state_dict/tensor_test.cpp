#include "formats/state_dict/tensor.h"

#include <bit>
#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linnet::formats {
namespace {

using testing::ElementsAre;
using ::testing::HasSubstr;

/// A tensor over its own copy of `values`, `offset` bytes behind an aligned address.
template <class T>
Tensor make(Dtype dtype, std::vector<std::int64_t> dims, std::vector<T> values, std::size_t offset = 0) {
  auto storage = std::make_shared<AlignedVector<std::byte>>(values.size() * sizeof(T) + offset);
  std::memcpy(storage->data() + offset, values.data(), values.size() * sizeof(T));
  return {dtype, std::move(dims), std::span<const std::byte>(*storage).subspan(offset), storage};
}

TEST(tensor, aligned_float32_is_viewed_and_anything_else_copied) {
  const Tensor aligned = make<float>(Dtype::kF32, {2, 2}, {1, 2, 3, 4});
  const Constant viewed = to_constant(aligned, {4}).value();
  EXPECT_EQ(static_cast<const void*>(viewed.values().data()), aligned.bytes.data());

  const Tensor askew = make<float>(Dtype::kF32, {2, 2}, {1, 2, 3, 4}, 2);
  const Constant copied = to_constant(askew, {4}).value();
  EXPECT_NE(static_cast<const void*>(copied.values().data()), askew.bytes.data());
  EXPECT_EQ(copied, viewed);
}

TEST(tensor, half_precision_becomes_float32_exactly_and_double_is_rounded) {
  EXPECT_THAT(
      to_constant(make<std::uint16_t>(Dtype::kF16, {3}, {0x3c00, 0xc000, 0x0001}), {3}).value().values(),
      ElementsAre(1.0f, -2.0f, 0x1p-24f));
  EXPECT_THAT(to_constant(make<std::uint16_t>(Dtype::kBf16, {2}, {0x3f80, 0xc040}), {2}).value().values(),
              ElementsAre(1.0f, -3.0f));
  EXPECT_THAT(to_constant(make<double>(Dtype::kF64, {2}, {0.1, -0.5}), {2}).value().values(),
              ElementsAre(0.1f, -0.5f));
}

TEST(tensor, integers_are_no_weights) {
  const auto constant = to_constant(make<std::int64_t>(Dtype::kI64, {1}, {7}), {1});
  ASSERT_FALSE(constant);
  EXPECT_THAT(constant.error().message, HasSubstr("holds I64"));
}

TEST(tensor, axes_are_permuted) {
  // [K=2, C=2, R=1, S=3] to [K, R, S, C]
  const Tensor kcrs = make<float>(Dtype::kF32, {2, 2, 1, 3}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  const std::vector<int> order = {0, 2, 3, 1};
  EXPECT_THAT(to_constant(kcrs, order, {2, 1, 3, 2}).value().values(),
              ElementsAre(0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11));
}

TEST(tensor, a_permutation_of_short_axes_copies_nothing) {
  const Tensor pointwise = make<float>(Dtype::kF32, {2, 3, 1, 1}, {0, 1, 2, 3, 4, 5});
  const std::vector<int> order = {0, 2, 3, 1};
  const Constant constant = to_constant(pointwise, order, {2, 1, 1, 3}).value();
  EXPECT_EQ(static_cast<const void*>(constant.values().data()), pointwise.bytes.data());
}

TEST(tensor, sizes_never_overflow) {
  const auto bytes = [](std::vector<std::int64_t> dims) { return checked_bytes(Dtype::kF32, dims, 1 << 20); };
  EXPECT_EQ(bytes({3, 5}), 60u);
  EXPECT_EQ(bytes({}), 4u);
  EXPECT_EQ(bytes({0, std::int64_t{1} << 62}), 0u);
  EXPECT_EQ(bytes({1 << 18}), 1u << 20);
  EXPECT_EQ(bytes({(1 << 18) + 1}), std::nullopt);
  EXPECT_EQ(bytes({std::int64_t{1} << 62, std::int64_t{1} << 62}), std::nullopt);
  EXPECT_EQ(bytes({-1}), std::nullopt);
  EXPECT_EQ(bytes({0, -1}), std::nullopt);
}

TEST(tensor, every_dtype_is_found_by_its_own_name) {
  for (int i = 0; i <= static_cast<int>(Dtype::kF8E5M2); ++i)
    EXPECT_EQ(parse_dtype(to_string(static_cast<Dtype>(i))), static_cast<Dtype>(i));
  EXPECT_EQ(parse_dtype("F33"), std::nullopt);
}

}  // namespace
}  // namespace linnet::formats
