// Where tests find files: those of the repository, always there, and real weights and photographs, where they
// are.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include <gtest/gtest.h>

namespace linnet::testing {

/// A file under tests/data/ of this repository.
inline std::filesystem::path repository_data(const std::string& name) {
  return std::filesystem::path(LINNET_SOURCE_DIR) / "tests" / "data" / name;
}

/// The folder of real weights and photographs: LINNET_DATA, by default ../shared beside the repository.
inline std::filesystem::path shared_data_root() {
  const char* root = std::getenv("LINNET_DATA");
  return root ? std::filesystem::path(root) : std::filesystem::path(LINNET_SOURCE_DIR) / ".." / "shared";
}

/// A fresh folder that is removed with everything in it at the end of the scope.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (std::filesystem::path(::testing::TempDir()) / "linnet-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace linnet::testing

/// Declares `variable`, the path of a real file, or skips the test with a line that says what is absent.
#define LINNET_DATA_OR_SKIP(variable, name)                                              \
  const std::filesystem::path variable = ::linnet::testing::shared_data_root() / (name); \
  if (!std::filesystem::exists(variable))                                                \
  GTEST_SKIP() << variable.string() << " is absent; set LINNET_DATA to the folder that holds it"
