#include "data/batches.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "data/mixup.h"
#include "data/testing.h"
#include "image/encode.h"
#include "support/data.h"

namespace linnet::data {
namespace {

using linnet::testing::ScratchFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

BatchOptions training(int size = 8) {
  BatchOptions options;
  options.size = size;
  options.input = {32, 32, 3};
  options.augmentation = Augmentation{.crop_padding = 4, .flip = true, .cutout = 8};
  options.seed = 5;
  return options;
}

BatchOptions in_order(int size = 8) {
  BatchOptions options = training(size);
  options.augmentation.reset();
  options.epochs = 1;
  return options;
}

std::unique_ptr<Batches> open(Dataset set, BatchOptions options, BatchPosition start = {}) {
  auto made = Batches::make(std::move(set), std::move(options), start);
  EXPECT_TRUE(made) << (made ? "" : made.error().message);
  return *std::move(made);
}

/// Copies of the next `n` batches, or of all that there are.
std::vector<Batch> take(Batches& batches, int n = 1000) {
  std::vector<Batch> taken;
  while (static_cast<int>(taken.size()) < n) {
    const auto next = batches.next();
    EXPECT_TRUE(next) << (next ? "" : next.error().message);
    if (!next || !*next) break;
    taken.push_back(**next);
  }
  return taken;
}

void expect_equal(const std::vector<Batch>& a, const std::vector<Batch>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].position, b[i].position) << i;
    EXPECT_EQ(a[i].items, b[i].items) << i;
    EXPECT_EQ(a[i].labels, b[i].labels) << i;
    EXPECT_EQ(a[i].lambda, b[i].lambda) << i;
    EXPECT_EQ(a[i].pixels, b[i].pixels) << i;
  }
}

/// A folder of `good` pictures, 40x50 and more, in two classes, and of `bad` files that are none.
void write_pictures(const std::filesystem::path& folder, int good, int bad) {
  std::filesystem::create_directories(folder / "a");
  std::filesystem::create_directories(folder / "b");
  Random random(3);
  for (int i = 0; i < good; ++i) {
    image::Image picture{.height = 40 + 30 * i, .width = 50 + i, .pixels = {}};
    picture.pixels.resize(picture.stride() * static_cast<std::size_t>(picture.height));
    for (auto& value : picture.pixels) value = static_cast<std::uint8_t>(random.next() >> 56);
    const auto png = image::encode_png(picture);
    const std::span<const std::byte> bytes = *png;
    ASSERT_TRUE(write_file(folder / (i % 2 ? "a" : "b") / fmt::format("{}.png", i), std::span(&bytes, 1)));
  }
  for (int i = 0; i < bad; ++i)
    ASSERT_TRUE(write_file(folder / "a" / fmt::format("bad{}.jpg", i), "no picture"));
}

TEST(batches, an_epoch_shows_every_picture_once_and_the_next_one_in_another_order) {
  const auto batches = open(made_up(40, 10), training());
  EXPECT_EQ(batches->batches_per_epoch(), 5);
  std::vector<std::vector<std::size_t>> orders(3);
  for (const Batch& batch : take(*batches, 15)) {
    EXPECT_EQ(batch.images, 8);
    for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(batch.labels[i], static_cast<int>(batch.items[i] % 10));
    auto& order = orders[static_cast<std::size_t>(batch.position.epoch)];
    order.insert(order.end(), batch.items.begin(), batch.items.end());
  }
  for (const auto& order : orders) EXPECT_THAT(std::set(order.begin(), order.end()), SizeIs(40));
  EXPECT_NE(orders[0], orders[1]);
  EXPECT_NE(orders[1], orders[2]);
}

TEST(batches, the_number_of_threads_and_of_batches_ahead_change_nothing) {
  BatchOptions options = training(4);
  options.mixup = 0.4;
  const std::vector<Batch> expected = take(*open(made_up(30, 3), options), 20);
  for (const auto& [threads, ahead] : {std::pair(1, 1), {3, 3}, {4, 9}}) {
    options.threads = threads;
    options.ahead = ahead;
    expect_equal(take(*open(made_up(30, 3), options), 20), expected);
  }
  options.seed = 6;
  EXPECT_NE(take(*open(made_up(30, 3), options), 1)[0].items, expected[0].items);
}

TEST(batches, a_run_that_was_broken_off_continues_exactly) {
  const auto whole = open(made_up(30, 3), training(4));
  take(*whole, 9);
  const BatchPosition saved = whole->position();
  EXPECT_EQ(saved, (BatchPosition{1, 2}));
  const std::vector<Batch> expected = take(*whole, 10);
  expect_equal(take(*open(made_up(30, 3), training(4), saved), 10), expected);
}

TEST(batches, pictures_are_what_the_augmenter_makes_of_them) {
  const Dataset set = made_up(16, 2);
  BatchOptions plain = training();
  plain.augmentation = Augmentation{};
  const Batch batch = take(*open(set, plain), 1)[0];
  for (std::size_t i = 0; i < 8; ++i) {
    std::vector<float> expected(3072);
    ASSERT_TRUE(
        image::preprocess(*load(set.items[batch.items[i]]), plain.preprocessing, plain.input, expected));
    EXPECT_TRUE(std::ranges::equal(std::span(batch.pixels).subspan(i * 3072, 3072), expected)) << i;
  }
  const Batch augmented = take(*open(set, training()), 1)[0];
  EXPECT_EQ(augmented.items, batch.items);
  EXPECT_NE(augmented.pixels, batch.pixels);
}

TEST(batches, mixup_blends_the_batch_that_would_have_been) {
  BatchOptions options = training();
  std::vector<Batch> plain = take(*open(made_up(40, 3), options), 6);
  options.mixup = 1;
  const std::vector<Batch> mixed = take(*open(made_up(40, 3), options), 6);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_TRUE(mixed[i].lambda > 0 && mixed[i].lambda < 1);
    mix(plain[i].pixels, 8, mixed[i].lambda);
    EXPECT_EQ(mixed[i].pixels, plain[i].pixels);
    EXPECT_EQ(mixed[i].labels, plain[i].labels);
  }
  EXPECT_NE(mixed[0].lambda, mixed[1].lambda);
}

TEST(batches, the_parts_of_a_batch_are_the_whole_one) {
  const ScratchFolder folder;
  write_pictures(folder.path(), 28, 3);
  const auto pictures = open_dataset(folder.path().string(), {}, 2);
  ASSERT_TRUE(pictures) << pictures.error().message;
  for (const Dataset& set : {made_up(40, 3), *pictures}) {
    BatchOptions options = training(12);
    options.mixup = 0.4;
    options.augmentation->resized_crop = ResizedCrop{};
    const std::vector<Batch> whole = take(*open(set, options), 5);
    options.parts = 3;
    for (options.part = 0; options.part < 3; ++options.part) {
      const std::vector<Batch> parts = take(*open(set, options), 5);
      for (std::size_t i = 0; i < 5; ++i) {
        EXPECT_EQ(parts[i].images, 4);
        EXPECT_EQ(parts[i].position, whole[i].position);
        EXPECT_EQ(parts[i].lambda, whole[i].lambda);
        const auto own = [&]<class T>(const T& all, std::size_t each) {
          return std::span(all).subspan(static_cast<std::size_t>(options.part) * 4 * each, 4 * each);
        };
        EXPECT_TRUE(std::ranges::equal(parts[i].items, own(whole[i].items, 1))) << i;
        EXPECT_TRUE(std::ranges::equal(parts[i].labels, own(whole[i].labels, 1))) << i;
        EXPECT_TRUE(std::ranges::equal(parts[i].pixels, own(whole[i].pixels, 3072))) << i;
      }
    }
  }
}

TEST(batches, without_augmentation_pictures_come_in_order_and_the_last_batch_is_smaller) {
  const Dataset set = made_up(21, 2);
  const auto batches = open(set, in_order());
  const std::vector<Batch> all = take(*batches);
  ASSERT_THAT(all, SizeIs(3));
  EXPECT_EQ(all[2].images, 5);
  std::size_t at = 0;
  for (const Batch& batch : all)
    for (std::size_t i = 0; i < static_cast<std::size_t>(batch.images); ++i, ++at) {
      EXPECT_EQ(batch.items[i], at);
      std::vector<float> expected(3072);
      ASSERT_TRUE(image::preprocess(*load(set.items[at]), Preprocessing{}, {32, 32, 3}, expected));
      EXPECT_TRUE(std::ranges::equal(std::span(batch.pixels).subspan(i * 3072, 3072), expected)) << at;
    }
  EXPECT_EQ(at, 21u);
  EXPECT_EQ(*batches->next(), nullptr) << "and it stays over";
}

TEST(batches, bad_files_are_told_once_and_others_stand_in_for_them) {
  const ScratchFolder folder;
  write_pictures(folder.path(), 9, 3);
  const auto set = open_dataset(folder.path().string(), {}, 2);
  ASSERT_TRUE(set) << set.error().message;
  std::vector<std::string> told;
  BatchOptions options = training(4);
  options.threads = 3;
  options.augmentation->resized_crop = ResizedCrop{};
  options.report = [&](const Error& error) { told.push_back(error.message); };
  const std::vector<Batch> all = take(*open(*set, options), 9);
  ASSERT_THAT(told, SizeIs(3));
  EXPECT_THAT(told[0], HasSubstr("bad"));
  EXPECT_THAT(std::set(told.begin(), told.end()), SizeIs(3));
  for (const Batch& batch : all) {
    EXPECT_EQ(batch.images, 4);
    for (const std::size_t item : batch.items)
      EXPECT_THAT(set->items[item].name, ::testing::Not(HasSubstr("bad")));
  }
  const std::vector<std::string> first = std::exchange(told, {});
  options.threads = 1;
  options.memory = 0;
  expect_equal(take(*open(*set, options), 9), all);
  EXPECT_EQ(told, first) << "in the same order";

  told.clear();
  BatchOptions once = in_order(5);
  once.report = options.report;
  std::size_t images = 0;
  for (const Batch& batch : take(*open(*set, once))) images += batch.items.size();
  EXPECT_EQ(images, 9u);
  EXPECT_THAT(told, SizeIs(3));
}

TEST(batches, where_no_picture_can_be_read_the_error_says_so) {
  const ScratchFolder folder;
  write_pictures(folder.path(), 0, 4);
  std::filesystem::remove(folder.path() / "b");
  const auto set = open_dataset(folder.path().string(), std::vector<std::string>{"a", "b"}, 2);
  ASSERT_TRUE(set) << set.error().message;
  for (const BatchOptions& options : {training(4), in_order(4)}) {
    const auto next = open(*set, options)->next();
    ASSERT_FALSE(next);
    EXPECT_THAT(next.error().message, HasSubstr("none of its 4 pictures can be read, such as"));
  }
}

TEST(batches, what_cannot_be_trained_with_is_refused) {
  const auto refusal = [](Dataset set, BatchOptions options, BatchPosition start = {}) {
    const auto made = Batches::make(std::move(set), std::move(options), start);
    EXPECT_FALSE(made);
    return made ? "" : made.error().message;
  };
  EXPECT_THAT(refusal(made_up(7, 2), training(8)), HasSubstr("7 pictures, fewer than one batch of 8"));
  EXPECT_THAT(refusal(made_up(8, 2), training(0)), HasSubstr("batches of 0"));
  EXPECT_THAT(refusal({}, training(8)), HasSubstr("no pictures"));
  EXPECT_THAT(refusal(made_up(8, 2), training(8), {0, 1}), HasSubstr("no batch 1 of epoch 0"));
  Dataset flat = made_up(8, 2);
  flat.items[0].label.reset();
  EXPECT_THAT(refusal(flat, training(8)), HasSubstr("have no class"));
  BatchOptions options = in_order();
  options.mixup = 0.2;
  EXPECT_THAT(refusal(made_up(8, 2), options), HasSubstr("mixup"));
  options = training(8);
  options.parts = 3;
  EXPECT_THAT(refusal(made_up(8, 2), options),
              HasSubstr("8 pictures cannot be cut into 3 parts; choose a multiple of 3"));
  options.parts = 8;
  EXPECT_NE(open(made_up(8, 2), options), nullptr);
  options.mixup = 0.2;
  EXPECT_THAT(refusal(made_up(8, 2), options), HasSubstr("whole mixup pairs; choose a multiple of 16"));
  options.part = 8;
  EXPECT_THAT(refusal(made_up(8, 2), options), HasSubstr("part 8 of 8"));
}

TEST(batches, leaving_early_waits_for_nobody) {
  for (int round = 0; round < 20; ++round) {
    BatchOptions options = training();
    options.threads = 3;
    const auto batches = open(made_up(40, 2), options);
    take(*batches, round % 3);
  }
}

}  // namespace
}  // namespace linnet::data
