// A run by several processes, here threads that are ranks, beside the run of one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/testing.h"
#include "graph/families/family.h"
#include "support/data.h"
#include "train/run/trainer.h"
#include "train/threads_job.h"

namespace linnet::train {
namespace {

using linnet::testing::ScratchFolder;
using ::testing::HasSubstr;

Recipe recipe() {
  return {.epochs = 3,
          .batch = 12,
          .rate = 0.02f,
          .label_smoothing = 0.1f,
          .clip = 1,
          .average = 0.9,
          .mixup = 0.4,
          .dropout = 0.2f,
          .sync_norms = true,
          .augmentation = {.crop_padding = 4, .flip = true},
          .seed = 3};
}

struct Outcome {
  std::vector<EpochRecord> history;
  Graph graph;
  std::vector<std::string> warnings;
};

/// Goes on with what is in `folder`, to the end or to `steps`.
Outcome train_on(Collective* job, const std::filesystem::path& folder, const Recipe& r,
                 std::int64_t steps = 1000) {
  Graph graph =
      initialise(build(*parse_family("mobilenet_v3_small:width=0.35,resolution=32,classes=3")).value(),
                 Initialisation::kHeFanOut, 1);
  graph.preprocessing = Preprocessing{};
  ThreadPool pool(1);
  Outcome result;
  auto trainer =
      Trainer::make(graph, {data::made_up(40, 3), data::made_up(7, 3, 2)}, r, pool,
                    {.folder = folder, .resume = true, .job = job, .warn = [&](const Error& error) {
                       result.warnings.push_back(error.message);
                     }});
  EXPECT_TRUE(trainer) << (trainer ? "" : trainer.error().message);
  std::atomic<bool> stop = false;
  EXPECT_TRUE(trainer->run({.step = [&](const Progress&) { stop = --steps == 0; }}, stop));
  result.history = trainer->history();
  result.graph = trainer->graph();
  return result;
}

/// What rank 0 comes to.
Outcome run_together(int ranks, const std::filesystem::path& folder, const Recipe& r,
                     std::int64_t steps = 1000) {
  Outcome first;
  ThreadsJob(ranks).run([&](Collective& job) {
    Outcome own = train_on(&job, folder, r, steps);
    if (job.rank() == 0) first = std::move(own);
  });
  return first;
}

TEST(parallel_run, every_epoch_is_that_of_one_process_within_rounding) {
  const ScratchFolder alone, together;
  const Outcome one = train_on(nullptr, alone.path(), recipe());
  const Outcome two = run_together(2, together.path(), recipe());
  ASSERT_EQ(one.history.size(), 3u);
  ASSERT_EQ(two.history.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    // Nine steps of a smooth network keep rounding errors small; another picture is 1e-3 and more.
    EXPECT_NEAR(one.history[i].loss, two.history[i].loss, 1e-6) << i;
    EXPECT_NEAR(*one.history[i].validation_loss, *two.history[i].validation_loss, 1e-6) << i;
    EXPECT_EQ(one.history[i].top1, two.history[i].top1) << i;
    EXPECT_EQ(one.history[i].learning_rate, two.history[i].learning_rate) << i;
  }
}

TEST(parallel_run, stopped_and_resumed_it_comes_to_the_same_bits) {
  for (const bool sync : {true, false}) {
    Recipe r = recipe();
    r.sync_norms = sync;
    const ScratchFolder whole, stopped;
    const Outcome expected = run_together(2, whole.path(), r);
    run_together(2, stopped.path(), r, 4);
    const Outcome resumed = run_together(2, stopped.path(), r);
    EXPECT_EQ(resumed.graph, expected.graph);
    EXPECT_TRUE(resumed.warnings.empty());
    ASSERT_EQ(resumed.history.size(), 3u);
    EXPECT_EQ(resumed.history.back().validation_loss, expected.history.back().validation_loss);
  }
}

TEST(parallel_run, another_number_of_processes_goes_on_and_says_so) {
  const ScratchFolder folder;
  run_together(3, folder.path(), recipe(), 4);
  const Outcome resumed = train_on(nullptr, folder.path(), recipe());
  ASSERT_EQ(resumed.warnings.size(), 1u);
  EXPECT_THAT(resumed.warnings[0], HasSubstr("is of a run of 3 processes. It goes on with 1"));
  EXPECT_EQ(resumed.history.size(), 3u);
}

TEST(parallel_run, ranks_that_would_part_are_refused) {
  ThreadsJob(2).run([&](Collective& job) {
    const auto agreed = agree(job, job.rank() == 0 ? "avx2" : "avx512");
    ASSERT_FALSE(agreed);
    EXPECT_THAT(agreed.error().message, HasSubstr("rank 1 of 2 is not like rank 0"));
    EXPECT_TRUE(agree(job, "avx2"));
  });
}

}  // namespace
}  // namespace linnet::train
