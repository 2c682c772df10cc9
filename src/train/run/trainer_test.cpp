#include "train/run/trainer.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cpu/executor.h"
#include "data/testing.h"
#include "graph/builder.h"
#include "graph/families/family.h"
#include "quantize/images.h"
#include "support/data.h"
#include "train/loss.h"
#include "train/run/checkpoint.h"
#include "train/transfer.h"

namespace linnet::train {
namespace {

using linnet::testing::ScratchFolder;
using ::testing::HasSubstr;

/// Noise, in which class 0 has little red, class 1 little green, class 2 little blue.
data::Dataset tinted(std::size_t n, std::uint64_t seed) {
  data::Dataset set = data::made_up(n, 3, seed);
  auto bytes = std::make_shared<std::vector<std::byte>>();
  for (const data::Item& item : set.items)
    bytes->insert(bytes->end(), item.planes.begin(), item.planes.end());
  for (std::size_t i = 0; i < n; ++i) {
    data::Item& item = set.items[i];
    const auto planes = std::span(*bytes).subspan(i * item.planes.size(), item.planes.size());
    for (std::byte& b :
         planes.subspan(static_cast<std::size_t>(*item.label) * planes.size() / 3, planes.size() / 3))
      b >>= 1;
    item.planes = planes;
  }
  set.owner = std::move(bytes);
  return set;
}

/// Batches of 8: 3 steps an epoch.
RunData pictures() { return {tinted(30, 1), tinted(7, 2)}; }

Graph network(std::uint64_t seed = 1) {
  Graph graph = initialise(build(*parse_family("mobilenet_v1:width=0.125,resolution=32,classes=3")).value(),
                           Initialisation::kHeFanOut, seed);
  graph.preprocessing = Preprocessing{};
  return graph;
}

/// Everything that has a state is on: momentum, average, dropout, mixup, augmentation.
Recipe recipe() {
  Recipe r = {.epochs = 4,
              .batch = 8,
              .rate = 0.05f,
              .schedule = ScheduleKind::kOneCycle,
              .label_smoothing = 0.1f,
              .clip = 1,
              .average = 0.9,
              .mixup = 0.4,
              .dropout = 0.2f,
              .augmentation = {.crop_padding = 4, .flip = true, .cutout = 8},
              .seed = 3};
  return r;
}

/// Scores a colour by how little of it a picture has, and reads pixels otherwise than network() does.
Graph teacher() {
  GraphBuilder b("teacher", {32, 32, 3});
  const NodeId pool = b.add("pool", GlobalAveragePool{}, {b.input()});
  // Of pixel / 127.5 as it is before mean and deviation, by -20.
  const Linear head = {.weight = Constant({3, 3}, AlignedVector<float>{-20, 0, 0, 0, -10, 0, 0, 0, -40}),
                       .bias = Constant({3}, AlignedVector<float>{-20, -10, 0})};
  Graph graph = std::move(b).finish(b.add("head", head, {pool})).value();
  graph.preprocessing = Preprocessing{};
  graph.preprocessing->rescale = 1.0 / 127.5;
  graph.preprocessing->mean = {1, 0.5f, 0};
  graph.preprocessing->deviation = {1, 0.5f, 2};
  return graph;
}

/// Enough for the network to learn the pictures, with nothing in its way.
Recipe long_and_plain() {
  Recipe r = recipe();
  r.epochs = 120;
  r.augmentation = {};
  r.mixup = 0;
  r.dropout = r.label_smoothing = 0;
  r.clip = 0;
  r.rate = 0.01f;
  return r;
}

struct Session {
  ThreadPool pool{2};
  Result<Trainer> trainer;
  Session(const std::filesystem::path& folder, const Recipe& r, bool resume,
          std::function<void(const Error&)> warn = {})
      : trainer(Trainer::make(network(), pictures(), r, pool,
                              {.folder = folder,
                               .identity = R"({"data":"made up"})",
                               .resume = resume,
                               .teacher = r.distillation ? std::optional(teacher()) : std::nullopt,
                               .warn = warn})) {
    EXPECT_TRUE(trainer) << (trainer ? "" : trainer.error().message);
  }
  /// Stops after `steps` steps, or at the end.
  bool go(std::int64_t steps = 1000) {
    std::atomic<bool> stop = false;
    const auto finished = trainer->run({.step = [&](const Progress&) { stop = --steps == 0; }}, stop);
    EXPECT_TRUE(finished) << (finished ? "" : finished.error().message);
    return finished && *finished;
  }
};

TEST(trainer, a_run_that_was_stopped_at_any_step_goes_on_to_the_same_bits) {
  for (const OptimizerKind optimizer : {OptimizerKind::kSgd, OptimizerKind::kAdamW}) {
    Recipe r = recipe();
    r.optimizer = optimizer;
    if (optimizer == OptimizerKind::kAdamW) r.precision = cpu::Precision::kBf16;
    const ScratchFolder whole;
    Session undisturbed(whole.path(), r, false);
    ASSERT_TRUE(undisturbed.go());
    for (std::int64_t at = 1; at < 12; at += 2) {
      const ScratchFolder folder;
      EXPECT_FALSE(Session(folder.path(), r, false).go(at));
      Session again(folder.path(), r, true);
      EXPECT_EQ(again.trainer->steps_done(), at);
      ASSERT_TRUE(again.go());
      EXPECT_EQ(again.trainer->graph(), undisturbed.trainer->graph()) << "stopped after step " << at;
      ASSERT_EQ(again.trainer->history().size(), 4u);
      for (std::size_t i = 0; i < 4; ++i) {
        EXPECT_EQ(again.trainer->history()[i].loss, undisturbed.trainer->history()[i].loss) << i;
        EXPECT_EQ(again.trainer->history()[i].validation_loss,
                  undisturbed.trainer->history()[i].validation_loss);
      }
    }
  }
}

/// The first epoch, the second, the two of full size.
Recipe growing() {
  Recipe r = recipe();
  r.progressive = {{20, 0.25}, {27, 0.5}};
  return r;
}

TEST(trainer, pictures_that_grow_go_on_to_the_same_bits_from_any_step) {
  for (const int qat_epochs : {0, 1}) {
    Recipe r = growing();
    r.qat_epochs = qat_epochs;
    const ScratchFolder whole;
    Session undisturbed(whole.path(), r, false);
    ASSERT_TRUE(undisturbed.go());
    const Graph result = undisturbed.trainer->graph();
    EXPECT_EQ(result.input_shape(), network().input_shape());
    EXPECT_EQ(result.preprocessing, network().preprocessing);
    for (std::int64_t at = 1; at < 12; ++at) {
      const ScratchFolder folder;
      Session begun(folder.path(), r, false);
      EXPECT_FALSE(begun.go(at));
      EXPECT_EQ(begun.trainer->graph().input_shape(), network().input_shape());
      Session again(folder.path(), r, true);
      ASSERT_TRUE(again.go());
      EXPECT_EQ(again.trainer->graph(), result) << "stopped after step " << at;
      EXPECT_EQ(again.trainer->history().back().validation_loss,
                undisturbed.trainer->history().back().validation_loss);
    }
  }
}

TEST(trainer, pictures_grow_when_the_recipe_says) {
  // The sizes of later epochs change nothing in the first.
  const auto after_first_epoch = [](const Progressive& sizes) {
    const ScratchFolder folder;
    Recipe r = recipe();
    r.progressive = sizes;
    Session run(folder.path(), r, false);
    EXPECT_FALSE(run.go(3));
    return run.trainer->graph();
  };
  const Graph small = after_first_epoch({{20, 0.25}, {27, 0.5}});
  EXPECT_EQ(after_first_epoch({{20, 0.5}}), small);
  EXPECT_NE(after_first_epoch({{24, 0.5}}), small);
  EXPECT_NE(after_first_epoch({}), small);
}

TEST(trainer, pictures_that_do_not_grow_are_refused) {
  const ScratchFolder folder;
  ThreadPool pool(1);
  Recipe r = recipe();
  r.progressive = {{32, 0.5}};
  const auto refused = Trainer::make(network(), pictures(), r, pool, {.folder = folder.path()});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("must be smaller than the model's, which are 32x32x3"));
}

TEST(trainer, a_run_with_a_teacher_goes_on_to_the_same_bits_from_any_step) {
  Recipe r = growing();
  r.distillation = Distillation{.teacher = "made up"};
  const ScratchFolder whole, without;
  Session undisturbed(whole.path(), r, false);
  ASSERT_TRUE(undisturbed.go());
  for (std::int64_t at = 1; at < 12; at += 2) {
    const ScratchFolder folder;
    EXPECT_FALSE(Session(folder.path(), r, false).go(at));
    Session again(folder.path(), r, true);
    ASSERT_TRUE(again.go());
    EXPECT_EQ(again.trainer->graph(), undisturbed.trainer->graph()) << "stopped after step " << at;
  }
  Session alone(without.path(), growing(), false);
  ASSERT_TRUE(alone.go());
  EXPECT_NE(alone.trainer->graph(), undisturbed.trainer->graph());
}

TEST(trainer, a_pupil_learns_what_its_teacher_knows_whatever_the_labels_say) {
  RunData wrong = pictures();
  for (data::Item& item : wrong.train.items) item.label = (*item.label + 1) % 3;
  Recipe r = long_and_plain();
  r.distillation = Distillation{.teacher = "made up", .part = {.share = 1}};
  const ScratchFolder folder;
  ThreadPool pool(2);
  auto trainer = Trainer::make(network(), wrong, r, pool, {.folder = folder.path(), .teacher = teacher()});
  ASSERT_TRUE(trainer) << trainer.error().message;
  const std::atomic<bool> stop = false;
  ASSERT_TRUE(trainer->run({}, stop).value());
  const EpochRecord& last = trainer->history().back();
  EXPECT_LT(last.loss, 0.2 * trainer->history().front().loss);
  EXPECT_LT(last.top1, 0.1) << "of the labels that it was given";
  EXPECT_GT(last.validation_top1, 0.5) << "chance is a third";
}

TEST(trainer, a_teacher_of_other_classes_or_pictures_is_refused) {
  const auto refused = [](const Graph& pupil, const Graph& by) {
    const ScratchFolder folder;
    ThreadPool pool(1);
    Recipe r = recipe();
    r.distillation = Distillation{.teacher = "made up"};
    const auto trainer = Trainer::make(pupil, pictures(), r, pool, {.folder = folder.path(), .teacher = by});
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
    return trainer ? "" : trainer.error().message;
  };
  Graph pupil = network(), other = teacher();
  pupil.labels = {"lime", "ash", "plum"};
  other.labels = {"lime", "plum", "ash"};
  EXPECT_EQ(
      refused(pupil, other),
      "--teacher: class 1 of teacher is \"plum\", of the data \"ash\". It must have learnt the same, in "
      "order");
  EXPECT_EQ(refused(pupil, with_any_resolution(teacher(), 48).value()),
            "--teacher: teacher takes pictures of 48x48x3, this run's are 32x32x3");
  GraphBuilder b("teacher", {32, 32, 3});
  const NodeId pool = b.add("pool", GlobalAveragePool{}, {b.input()});
  const Linear head = {.weight = Constant({2, 3}, AlignedVector<float>(6))};
  EXPECT_EQ(refused(pupil, std::move(b).finish(b.add("head", head, {pool})).value()),
            "--teacher: teacher knows 2 classes, the data have 3. It must have learnt these");
}

/// The last two of the four epochs.
Recipe aware() {
  Recipe r = recipe();
  r.qat_epochs = 2;
  return r;
}

TEST(trainer, quantisation_aware_epochs_go_on_to_the_same_bits_from_any_step) {
  const ScratchFolder whole;
  Session undisturbed(whole.path(), aware(), false);
  ASSERT_TRUE(undisturbed.go());
  const Graph int8 = undisturbed.trainer->int8().value();
  for (std::int64_t at = 5; at < 12; ++at) {
    const ScratchFolder folder;
    EXPECT_FALSE(Session(folder.path(), aware(), false).go(at));
    Session again(folder.path(), aware(), true);
    ASSERT_TRUE(again.go());
    EXPECT_EQ(again.trainer->graph(), undisturbed.trainer->graph()) << "stopped after step " << at;
    EXPECT_EQ(again.trainer->int8().value(), int8) << "stopped after step " << at;
    EXPECT_EQ(again.trainer->history().back().validation_loss,
              undisturbed.trainer->history().back().validation_loss);
  }
}

TEST(trainer, the_float_result_is_that_of_the_float_epochs_alone) {
  const ScratchFolder both, half;
  Session run(both.path(), aware(), false);
  EXPECT_FALSE(run.trainer->int8()) << "it has not come to it";
  ASSERT_TRUE(run.go());
  Recipe r = recipe();
  r.epochs = 2;
  Session alone(half.path(), r, false);
  ASSERT_TRUE(alone.go());
  EXPECT_EQ(run.trainer->graph(), alone.trainer->graph());
  EXPECT_FALSE(alone.trainer->int8());
}

TEST(trainer, what_validates_quantisation_aware_epochs_is_the_exported_graph) {
  const ScratchFolder folder;
  Session run(folder.path(), aware(), false);
  ASSERT_TRUE(run.go());
  const Graph int8 = run.trainer->int8().value();
  ASSERT_TRUE(is_int8(int8));
  const RunData data = pictures();
  const auto images = quantize::read_images(int8, data.validation, 0).value();
  for (const cpu::Isa isa : cpu::available_isas()) {
    const auto engine = cpu::make_executor(int8, {.isa = isa}).value();
    std::vector<float> scores, targets(images.size() * 3);
    std::vector<int> labels;
    for (std::size_t i = 0; i < images.size(); ++i) {
      std::vector<float> own(3);
      ASSERT_TRUE(engine->run(1, images[i], own));
      scores.insert(scores.end(), own.begin(), own.end());
      labels.push_back(*data.validation.items[i].label);
    }
    fill_targets(labels, 3, 0, targets);
    const Loss loss = softmax_cross_entropy(scores, targets, 3, {});
    EXPECT_DOUBLE_EQ(loss.mean, *run.trainer->history().back().validation_loss) << to_string(isa);
  }
}

TEST(trainer, a_run_learns_and_its_history_says_so) {
  const ScratchFolder folder;
  Session run(folder.path(), long_and_plain(), false);
  ASSERT_TRUE(run.go());
  const auto& history = run.trainer->history();
  ASSERT_EQ(history.size(), 120u);
  EXPECT_GT(history.front().loss, 0.6);
  EXPECT_LT(history.back().loss, 0.2);
  EXPECT_GT(history.back().top1, 0.9);
  EXPECT_GT(history.back().validation_top1, 0.5) << "chance is a third";
  EXPECT_EQ(history.back().epoch, 120);
  const auto text = to_jsonl(history);
  const auto read = parse_jsonl(text, "metrics.jsonl");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, history);
}

TEST(trainer, a_folder_that_holds_a_run_is_not_written_over) {
  const ScratchFolder folder;
  EXPECT_FALSE(Session(folder.path(), recipe(), false).go(2));
  ThreadPool pool(1);
  const auto second = Trainer::make(network(), pictures(), recipe(), pool, {.folder = folder.path()});
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("--resume goes on with it"));
}

TEST(trainer, another_recipe_does_not_go_on_from_this_ones_checkpoint) {
  const ScratchFolder folder;
  EXPECT_FALSE(Session(folder.path(), recipe(), false).go(2));
  ThreadPool pool(1);
  Recipe other = recipe();
  other.rate = 0.1f;
  const auto refused =
      Trainer::make(network(), pictures(), other, pool,
                    {.folder = folder.path(), .identity = R"({"data":"made up"})", .resume = true});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("lr is 0.1"));
  const auto elsewhere =
      Trainer::make(network(), pictures(), recipe(), pool,
                    {.folder = folder.path(), .identity = R"({"data":"else"})", .resume = true});
  ASSERT_FALSE(elsewhere);
  EXPECT_THAT(elsewhere.error().message, HasSubstr(R"(data is "else", was "made up")"));
}

TEST(trainer, another_precision_does_not_go_on_either_way) {
  Recipe mixed = recipe();
  mixed.precision = cpu::Precision::kBf16;
  ThreadPool pool(1);
  for (const auto& [first, second] : {std::pair(recipe(), mixed), std::pair(mixed, recipe())}) {
    const ScratchFolder folder;
    EXPECT_FALSE(Session(folder.path(), first, false).go(2));
    const auto refused =
        Trainer::make(network(), pictures(), second, pool,
                      {.folder = folder.path(), .identity = R"({"data":"made up"})", .resume = true});
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("precision is"));
  }
}

TEST(trainer, what_a_killed_process_left_half_written_is_removed) {
  const ScratchFolder folder;
  EXPECT_FALSE(Session(folder.path(), recipe(), false).go(2));
  const std::filesystem::path half = checkpoint_path(folder.path()).string() + ".part-123";
  std::ofstream(half) << "half";
  Session again(folder.path(), recipe(), true);
  EXPECT_FALSE(std::filesystem::exists(half));
  EXPECT_EQ(again.trainer->steps_done(), 2);
}

TEST(trainer, a_checkpoint_that_cannot_be_written_is_a_warning_and_the_last_one_stays) {
  const ScratchFolder folder;
  EXPECT_FALSE(Session(folder.path(), recipe(), false).go(2));
  std::vector<std::string> warnings;
  Session again(folder.path(), recipe(), true, [&](const Error& e) { warnings.push_back(e.message); });
  // Nothing can be renamed onto a folder.
  const auto path = checkpoint_path(folder.path());
  std::filesystem::rename(path, path.string() + ".kept");
  std::filesystem::create_directory(path);
  EXPECT_TRUE(again.go());
  ASSERT_EQ(warnings.size(), 4u) << "one an epoch";
  EXPECT_THAT(warnings[0], HasSubstr("the last good checkpoint stays"));
}

TEST(trainer, a_loss_that_is_not_finite_ends_the_run_with_a_word_of_advice) {
  const ScratchFolder folder;
  Recipe r = recipe();
  r.rate = 1e3f;
  r.weight_decay = 1;
  r.clip = 0;
  r.schedule = ScheduleKind::kStep;
  r.epochs = 100;
  Session run(folder.path(), r, false);
  const std::atomic<bool> stop = false;
  const auto finished = run.trainer->run({}, stop);
  ASSERT_FALSE(finished);
  EXPECT_THAT(finished.error().message, HasSubstr("Lower --lr (it is 1000)"));
}

TEST(trainer, a_recipe_that_makes_no_sense_is_refused_by_its_options_name) {
  Recipe r = recipe();
  r.label_smoothing = 1;
  const ScratchFolder folder;
  ThreadPool pool(1);
  const auto refused = Trainer::make(network(), pictures(), r, pool, {.folder = folder.path()});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("--label-smoothing takes a number from 0 to 0.99, not 1"));
  r = recipe();
  r.precision = cpu::Precision::kFp16;
  const auto half = Trainer::make(network(), pictures(), r, pool, {.folder = folder.path()});
  ASSERT_FALSE(half);
  EXPECT_THAT(half.error().message, HasSubstr("--precision takes float32 or bf16 in training, not fp16"));
  r = recipe();
  r.batch = 31;
  const auto few = Trainer::make(network(), pictures(), r, pool, {.folder = folder.path()});
  ASSERT_FALSE(few);
  EXPECT_THAT(few.error().message, HasSubstr("smaller --batch-size"));
}

}  // namespace
}  // namespace linnet::train
