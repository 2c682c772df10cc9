// A library that is loaded when it is needed and not before: a program that only runs models should not carry
// what downloads or archives take.
#pragma once

#include <string>

#include "base/result.h"

namespace linnet {

/// One library by its soname; it stays loaded until the program ends.
class SharedLibrary {
 public:
  explicit SharedLibrary(const char* name);
  /// Looks `function` up. Does nothing after a failure.
  template <class Function>
  void find(Function& function, const char* symbol) {
    function = reinterpret_cast<Function>(address_of(symbol));
  }
  /// Errors: this machine lacks the library, or the library a function.
  Result<void> result() const;

 private:
  void* address_of(const char* symbol);
  void note_error();
  const char* name_;
  void* handle_;
  std::string error_;
};

}  // namespace linnet
