// Errors are values: every function that can fail returns a Result, and nothing in the library prints or
// exits.
#pragma once

#include <expected>
#include <utility>

#include <fmt/core.h>

#include "base/error.h"

namespace linnet {

/// `return fail("{}: truncated after {} bytes", path, n);`
template <class... Args>
[[nodiscard]] std::unexpected<Error> fail(fmt::format_string<Args...> format, Args&&... args) {
  return std::unexpected(Error{fmt::format(format, std::forward<Args>(args)...)});
}

/// Like fail(), for a request that makes no sense whatever the input is.
template <class... Args>
[[nodiscard]] std::unexpected<Error> usage(fmt::format_string<Args...> format, Args&&... args) {
  return std::unexpected(Error{fmt::format(format, std::forward<Args>(args)...), Error::Kind::kUsage});
}

}  // namespace linnet

#define LINNET_CONCAT_(a, b) a##b
#define LINNET_CONCAT(a, b) LINNET_CONCAT_(a, b)

/// `LINNET_TRY(auto file, MappedFile::open(path));` declares `file`, or returns the error to the caller.
#define LINNET_TRY(declaration, ...)                                                 \
  auto LINNET_CONCAT(linnet_try_, __LINE__) = (__VA_ARGS__);                         \
  if (!LINNET_CONCAT(linnet_try_, __LINE__))                                         \
    return std::unexpected(std::move(LINNET_CONCAT(linnet_try_, __LINE__)).error()); \
  declaration = *std::move(LINNET_CONCAT(linnet_try_, __LINE__))

/// `LINNET_CHECK(validate(graph));` for a Result<void>: carries on, or returns the error to the caller.
#define LINNET_CHECK(...)                                             \
  if (auto linnet_check_result = (__VA_ARGS__); !linnet_check_result) \
  return std::unexpected(std::move(linnet_check_result).error())
