#include "run.h"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/data.h"

namespace linnet::testing {
namespace {

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

Outcome run_linnet(const std::vector<std::string>& arguments, const RunOptions& options) {
  const ScratchFolder folder;
  const std::string out =
      options.stdout_path.empty() ? (folder.path() / "out").string() : options.stdout_path;
  const std::string err = folder.path() / "err";
  std::vector<char*> argv = {const_cast<char*>("linnet")};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);

  const pid_t child = ::fork();
  if (child == 0) {
    for (const auto& [name, value] : options.environment) ::setenv(name.c_str(), value.c_str(), 1);
    if (options.largest_file > 0) {
      const rlimit limit{options.largest_file, options.largest_file};
      ::setrlimit(RLIMIT_FSIZE, &limit);
      ::signal(SIGXFSZ, SIG_IGN);  // write() then fails, as on a full disk, instead of ending the process
    }
    const int out_fd = ::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    const int err_fd = ::open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    ::dup2(out_fd, STDOUT_FILENO);
    ::dup2(err_fd, STDERR_FILENO);
    ::execv(LINNET_BINARY, argv.data());
    ::_exit(127);
  }
  int status = 0;
  if (options.signal_after_ms > 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(options.signal_after_ms));
    ::kill(child, options.signal);
  }
  ::waitpid(child, &status, 0);
  Outcome outcome;
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (options.stdout_path.empty()) outcome.out = read(out);
  outcome.err = read(err);
  return outcome;
}

}  // namespace linnet::testing
