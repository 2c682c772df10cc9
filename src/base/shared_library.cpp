#include "base/shared_library.h"

#include <dlfcn.h>

namespace linnet {

SharedLibrary::SharedLibrary(const char* name) : name_(name), handle_(::dlopen(name, RTLD_NOW | RTLD_LOCAL)) {
  if (!handle_) note_error();
}

Result<void> SharedLibrary::result() const {
  if (error_.empty()) return {};
  return fail("{}: this library is needed here, and it cannot be loaded: {}; install it", name_, error_);
}

void* SharedLibrary::address_of(const char* symbol) {
  if (!error_.empty()) return nullptr;
  void* const address = ::dlsym(handle_, symbol);
  if (!address) note_error();
  return address;
}

void SharedLibrary::note_error() {
  const char* const reason = ::dlerror();
  error_ = reason ? reason : "no reason given";
}

}  // namespace linnet
