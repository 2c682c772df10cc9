#include "train/mpi/join.h"

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include <dlfcn.h>

#include "train/mpi/module.h"

namespace linnet::train {
namespace {

std::optional<int> number_in(const char* variable) {
  const char* const text = std::getenv(variable);
  if (!text) return {};
  const std::string_view digits = text;
  int number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{} || end != digits.data() + digits.size()) return {};
  return number;
}

}  // namespace

std::optional<Launch> launched_by_mpi() {
  struct Names {
    const char *rank, *size, *local_size;
  };
  for (const Names& names :
       {Names{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE"},
        Names{"PMI_RANK", "PMI_SIZE", "MPI_LOCALNRANKS"}}) {
    const auto rank = number_in(names.rank);
    const auto size = number_in(names.size);
    if (!rank || !size || *size < 2) continue;
    return Launch{.rank = *rank, .size = *size, .local_size = number_in(names.local_size).value_or(*size)};
  }
  return {};
}

Result<std::unique_ptr<Job>> join_job() {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::filesystem::path folder = program.parent_path();
  std::filesystem::path module = folder / LINNET_MPI_MODULE;
  if (!std::filesystem::exists(module, error))
    module = folder.parent_path() / LINNET_LIBRARY_FOLDER / "linnet" / LINNET_MPI_MODULE;
  if (!std::filesystem::exists(module, error))
    return fail(
        "mpirun started this program, but {} is neither beside it nor at {}: this Linnet was built without "
        "MPI; "
        "install libopenmpi-dev and build it again, or run it without mpirun",
        LINNET_MPI_MODULE, module.string());
  // Global, since parts of MPI libraries that are loaded later look for their symbols so.
  void* const handle = ::dlopen(module.c_str(), RTLD_NOW | RTLD_GLOBAL);
  void* const join = handle ? ::dlsym(handle, "linnet_join_job") : nullptr;
  if (!join) {
    const char* const reason = ::dlerror();
    return fail("{}: cannot be loaded: {}; is the MPI library that Linnet was built with installed?",
                module.string(), reason ? reason : "no reason given");
  }
  return std::unique_ptr<Job>(reinterpret_cast<decltype(&linnet_join_job)>(join)());
}

}  // namespace linnet::train
