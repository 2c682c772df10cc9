// What linnet_mpi.so is to the program that loads it.
#pragma once

#include "train/mpi/join.h"

/// Joins the job that this process was started for; once. Where that fails, MPI says why and ends the job.
extern "C" [[gnu::visibility("default")]] linnet::train::Job* linnet_join_job();
