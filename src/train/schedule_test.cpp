#include "train/schedule.h"

#include <gtest/gtest.h>

namespace linnet::train {
namespace {

TEST(schedule, steps_by_a_fifth_every_sixty_epochs) {
  const Schedule s = {.base = 0.01f, .steps = 2000, .epoch_steps = 10};
  EXPECT_FLOAT_EQ(s.rate(0), 0.01f);
  EXPECT_FLOAT_EQ(s.rate(599), 0.01f);
  EXPECT_FLOAT_EQ(s.rate(600), 0.002f);
  EXPECT_FLOAT_EQ(s.rate(1999), 0.01f * 0.008f);
}

TEST(schedule, cosine_warms_up_and_comes_down_to_the_last_rate) {
  const Schedule s = {.kind = ScheduleKind::kCosine, .base = 0.4f, .steps = 110, .warm_up = 10, .last = 0.5f};
  EXPECT_FLOAT_EQ(s.rate(0), 0.04f);
  EXPECT_FLOAT_EQ(s.rate(9), 0.4f);
  EXPECT_FLOAT_EQ(s.rate(10), 0.4f);
  EXPECT_FLOAT_EQ(s.rate(60), 0.3f);
  EXPECT_NEAR(s.rate(109), 0.2f, 1e-4);
}

TEST(schedule, one_cycle_rises_and_falls) {
  const Schedule s = {
      .kind = ScheduleKind::kOneCycle, .base = 1.0f, .steps = 101, .first = 0.1f, .rise = 0.3f};
  EXPECT_FLOAT_EQ(s.rate(0), 0.1f);
  EXPECT_FLOAT_EQ(s.rate(15), 0.55f);
  EXPECT_FLOAT_EQ(s.rate(30), 1.0f);
  EXPECT_FLOAT_EQ(s.rate(65), 0.5f);
  EXPECT_NEAR(s.rate(100), 0.0f, 1e-7);
  for (int i = 1; i <= 100; ++i) {
    if (i <= 30)
      EXPECT_GT(s.rate(i), s.rate(i - 1));
    else
      EXPECT_LT(s.rate(i), s.rate(i - 1));
  }
  EXPECT_FLOAT_EQ((Schedule{.kind = ScheduleKind::kOneCycle, .base = 1.0f, .steps = 1}).rate(0), 0.0f);
}

}  // namespace
}  // namespace linnet::train
