#include "base/file.h"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace linnet {
namespace {

/// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

/// What ends a mapping, and by which release_pages() knows one.
struct Unmap {
  std::size_t size;
  void operator()(const void* p) const { ::munmap(const_cast<void*>(p), size); }
};

std::string reason() { return std::strerror(errno); }

Result<void> write_all(int fd, std::span<const std::byte> bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail("{}: cannot write: {}", path.string(), reason());
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

}  // namespace

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) return fail("{}: cannot open: {}", path.string(), reason());
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return fail("{}: cannot read: {}", path.string(), reason());
  if (S_ISDIR(info.st_mode)) return fail("{}: is a directory, not a file", path.string());
  if (!S_ISREG(info.st_mode)) return fail("{}: is not a regular file", path.string());

  MappedFile file;
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size == 0) return file;  // an empty mapping is an error to mmap, an empty file is not
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (data == MAP_FAILED) return fail("{}: cannot map {} bytes: {}", path.string(), size, reason());
  file.mapping_ = std::shared_ptr<const void>(data, Unmap{size});
  file.bytes_ = {static_cast<const std::byte*>(data), size};
  return file;
}

void release_pages(const std::shared_ptr<const void>& owner, std::span<const std::byte> bytes) {
  if (!std::get_deleter<Unmap>(owner) || bytes.empty()) return;
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(bytes.data()) / page * page;
  const auto end = reinterpret_cast<std::uintptr_t>(bytes.data()) + bytes.size();
  // Only a hint: where the system refuses it, the pages stay.
  ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

Result<std::string> read_text(const std::filesystem::path& path) {
  LINNET_TRY(const MappedFile file, MappedFile::open(path));
  return std::string(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
}

Result<void> write_file(const std::filesystem::path& path,
                        std::span<const std::span<const std::byte>> parts) {
  if (std::filesystem::is_directory(path))
    return fail("{}: is a directory; name a file in it", path.string());
  const std::string temporary = path.string() + ".part-" + std::to_string(::getpid());
  const auto write_parts = [&]() -> Result<void> {
    const Descriptor fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (fd.get() < 0) return fail("{}: cannot create: {}", path.string(), reason());
    for (const auto part : parts) LINNET_CHECK(write_all(fd.get(), part, path));
    if (::fsync(fd.get()) != 0) return fail("{}: cannot write: {}", path.string(), reason());
    return {};
  };
  Result<void> written = write_parts();
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0)
    written = fail("{}: cannot rename onto it: {}", path.string(), reason());
  if (!written) ::unlink(temporary.c_str());
  return written;
}

Result<void> write_file(const std::filesystem::path& path, std::string_view text) {
  const std::span<const std::byte> part = std::as_bytes(std::span(text));
  return write_file(path, std::span(&part, 1));
}

}  // namespace linnet
