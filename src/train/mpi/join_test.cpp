#include "train/mpi/join.h"

#include <cstdlib>
#include <initializer_list>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linnet::train {
namespace {

/// The environment of mpirun, for as long as it lives.
class Environment {
 public:
  Environment(std::initializer_list<std::pair<const char*, const char*>> variables) {
    for (const char* name : kNames) ::unsetenv(name);
    for (const auto& [name, value] : variables) ::setenv(name, value, 1);
  }
  ~Environment() {
    for (const char* name : kNames) ::unsetenv(name);
  }

 private:
  static constexpr const char* kNames[] = {
      "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE", "PMI_RANK", "PMI_SIZE",
      "MPI_LOCALNRANKS"};
};

TEST(mpi_launch, rank_and_size_are_those_that_mpirun_gives) {
  {
    const Environment open_mpi{
        {"OMPI_COMM_WORLD_RANK", "3"}, {"OMPI_COMM_WORLD_SIZE", "8"}, {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"}};
    const auto launch = launched_by_mpi();
    ASSERT_TRUE(launch);
    EXPECT_EQ(launch->rank, 3);
    EXPECT_EQ(launch->size, 8);
    EXPECT_EQ(launch->local_size, 4);
  }
  const Environment mpich{{"PMI_RANK", "0"}, {"PMI_SIZE", "2"}};
  const auto launch = launched_by_mpi();
  ASSERT_TRUE(launch);
  EXPECT_EQ(launch->size, 2);
  EXPECT_EQ(launch->local_size, 2);
}

TEST(mpi_launch, a_program_by_itself_has_no_job) {
  {
    const Environment none{};
    EXPECT_FALSE(launched_by_mpi());
  }
  {
    const Environment one{{"OMPI_COMM_WORLD_RANK", "0"}, {"OMPI_COMM_WORLD_SIZE", "1"}};
    EXPECT_FALSE(launched_by_mpi());
  }
  const Environment nonsense{{"PMI_RANK", "a"}, {"PMI_SIZE", "2x"}};
  EXPECT_FALSE(launched_by_mpi());
}

TEST(mpi_launch, without_the_module_joining_says_what_to_install) {
  const auto job = join_job();  // it is not beside this program
  ASSERT_FALSE(job);
  EXPECT_THAT(job.error().message, ::testing::HasSubstr("built without MPI; install libopenmpi-dev"));
}

}  // namespace
}  // namespace linnet::train
