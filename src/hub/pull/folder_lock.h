// One writer at a time in a folder of the cache, among all processes.
#pragma once

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/result.h"

namespace linnet::hub {

/// Held by whoever writes into the folder. The kernel lets go of it when the process ends, however it
/// ends.
class FolderLock {
 public:
  static Result<FolderLock> take(const std::filesystem::path& folder, const std::function<void()>& on_wait) {
    const std::filesystem::path path = folder / ".lock";
    FolderLock lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
    if (lock.fd_ < 0) return fail("{}: cannot create: {}", path.string(), std::strerror(errno));
    if (::flock(lock.fd_, LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK && on_wait) on_wait();
      while (::flock(lock.fd_, LOCK_EX) != 0)
        if (errno != EINTR) return fail("{}: cannot lock: {}", path.string(), std::strerror(errno));
    }
    return lock;
  }
  FolderLock(FolderLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock() {
    if (fd_ >= 0) ::close(fd_);
  }

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace linnet::hub
