// What every function that can fail returns. Standard library only: users of <linnet/linnet.h> see it too.
#pragma once

#include <expected>
#include <string>

namespace linnet {

/// What went wrong, for a person: what, where, and what to do next.
struct Error {
  enum class Kind {
    kFailed,  ///< the input or the machine is at fault (the tool exits with 1)
    kUsage,   ///< the request itself makes no sense (the tool exits with 2)
  };
  std::string message;
  Kind kind = Kind::kFailed;
};

template <class T>
using Result = std::expected<T, Error>;

}  // namespace linnet
