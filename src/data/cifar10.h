// CIFAR-10's binary batches (Krizhevsky, "Learning multiple layers of features from tiny images", 2009).
#pragma once

#include <array>
#include <string_view>

#include "data/dataset.h"

namespace linnet::data {

/// The form of the batches: records of one byte of class and three planes of pixels.
namespace cifar10 {
inline constexpr int kSide = 32;                             ///< pixels
inline constexpr std::size_t kPlane = kSide * kSide;         ///< bytes
inline constexpr std::size_t kPlanes = 3 * kPlane;           ///< bytes
inline constexpr std::size_t kRecord = 1 + kPlanes;          ///< bytes
inline constexpr std::size_t kRecords = 10'000;              ///< a batch
inline constexpr std::array<std::string_view, 6> kFiles = {  // five to train, one to test
    "data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
    "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"};
inline constexpr std::array<std::string_view, 10> kNames = {
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
}  // namespace cifar10

/// open_dataset() of `cifar10:folder`.
Result<Dataset> open_cifar10(const std::filesystem::path& folder, std::span<const std::string> labels,
                             int classes, Part part);

/// The picture of Item::planes, 32x32.
image::Image picture_of_planes(std::span<const std::byte> planes);

}  // namespace linnet::data
