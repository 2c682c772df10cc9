// The public interface as its users see it.
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linnet/linnet.h>

#include "support/data.h"

namespace linnet {
namespace {

using linnet::testing::ScratchFolder;
using ::testing::HasSubstr;

constexpr const char* kNetwork = "mobilenet_v2:width=0.1,resolution=32,classes=10";

/// A picture in which no two pixels are alike.
std::vector<std::uint8_t> pixels(int height, int width) {
  std::vector<std::uint8_t> rgb;
  for (int i = 0; i < height * width * 3; ++i) rgb.push_back(static_cast<std::uint8_t>(i * 37 + i / 97));
  return rgb;
}

std::string ppm(int height, int width) {
  const auto rgb = pixels(height, width);
  return "P6 " + std::to_string(width) + " " + std::to_string(height) + " 255\n" +
         std::string(rgb.begin(), rgb.end());
}

TEST(model, a_file_its_bytes_and_its_pixels_give_the_same_predictions) {
  const ScratchFolder folder;
  const std::string path = folder.path() / "picture.ppm";
  std::ofstream(path) << ppm(40, 50);
  auto model = Model::load(kNetwork);
  ASSERT_TRUE(model) << model.error().message;
  const auto from_path = model->classify(path, 3);
  ASSERT_TRUE(from_path) << from_path.error().message;
  const std::string bytes = ppm(40, 50);
  const auto from_bytes = model->classify(std::as_bytes(std::span(bytes)), 3);
  ASSERT_TRUE(from_bytes) << from_bytes.error().message;
  const auto rgb = pixels(40, 50);
  const auto from_pixels = model->classify(Pixels{40, 50, rgb}, 3);
  ASSERT_TRUE(from_pixels) << from_pixels.error().message;
  ASSERT_EQ(from_path->predictions.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(from_path->predictions[i].index, from_bytes->predictions[i].index);
    EXPECT_EQ(from_path->predictions[i].probability, from_pixels->predictions[i].probability);
  }
  EXPECT_GT(from_path->timings.total(), 0);
}

TEST(model, a_batch_gives_what_each_picture_gives_alone) {
  auto model = Model::load(kNetwork).value();
  std::vector<std::vector<std::uint8_t>> owned;
  for (int i = 0; i < 20; ++i) owned.push_back(pixels(32 + i, 40));
  std::vector<Pixels> pictures;
  for (int i = 0; i < 20; ++i) pictures.push_back({32 + i, 40, owned[static_cast<std::size_t>(i)]});
  const auto batch = model.classify_batch(pictures);
  ASSERT_TRUE(batch) << batch.error().message;
  ASSERT_EQ(batch->size(), 20u);
  for (std::size_t i = 0; i < 20; ++i) {
    const auto alone = model.classify(pictures[i]).value();
    EXPECT_EQ((*batch)[i].predictions[0].index, alone.predictions[0].index);
    EXPECT_EQ((*batch)[i].predictions[0].probability, alone.predictions[0].probability);
  }
}

TEST(model, says_its_size_and_what_was_assumed) {
  const auto model = Model::load("mobilenet_v2").value();
  EXPECT_EQ(model.info().height, 224);
  EXPECT_EQ(model.info().classes, 1000);
  EXPECT_EQ(model.info().macs, 300'774'272);
  EXPECT_EQ(model.info().parameters, 3'504'872);
  ASSERT_EQ(model.notices().size(), 1u);
  EXPECT_THAT(model.notices()[0], HasSubstr("does not say how pictures are prepared"));
}

TEST(model, labels_can_be_given) {
  const ScratchFolder folder;
  const std::string path = folder.path() / "labels.txt";
  std::ofstream(path) << "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n";
  auto model = Model::load(kNetwork, {.threads = 1, .labels = path}).value();
  EXPECT_EQ(model.labels()[9], "j");
  const auto rgb = pixels(32, 32);
  const auto result = model.classify(Pixels{32, 32, rgb}, 1).value();
  EXPECT_EQ(result.predictions[0].label,
            model.labels()[static_cast<std::size_t>(result.predictions[0].index)]);
}

TEST(model, errors_are_returned_and_say_what_to_do) {
  EXPECT_THAT(Model::load("nowhere.safetensors").error().message, HasSubstr("no such file"));
  const ScratchFolder folder;
  const std::string onnx = folder.path() / "model.onnx";
  std::ofstream(onnx) << "x";
  EXPECT_THAT(Model::load(onnx).error().message, HasSubstr("<linnet/onnx.h>"));
  auto model = Model::load(kNetwork).value();
  EXPECT_FALSE(model.classify("nowhere.jpg"));
  const auto rgb = pixels(3, 3);
  EXPECT_FALSE(model.classify(Pixels{3, 4, rgb}));
  EXPECT_FALSE(model.classify(Pixels{3, 3, rgb}, 0));
  EXPECT_FALSE(model.classify_batch(std::vector{Pixels{3, 3, rgb}}, 0));
  EXPECT_TRUE(model.classify_batch({}).value().empty());
}

TEST(model, may_be_used_by_several_threads_at_once) {
  auto model = Model::load(kNetwork, {.threads = 2, .labels = ""}).value();
  const auto rgb = pixels(32, 32);
  const float expected = model.classify(Pixels{32, 32, rgb}).value().predictions[0].probability;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i)
        EXPECT_EQ(model.classify(Pixels{32, 32, rgb}).value().predictions[0].probability, expected);
    });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace linnet
