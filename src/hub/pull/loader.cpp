#include "hub/pull/loader.h"

#include <dlfcn.h>

namespace linnet::hub {

Loader::Loader(const char* name) : name_(name), handle_(::dlopen(name, RTLD_NOW | RTLD_LOCAL)) {
  if (!handle_) note_error();
}

Result<void> Loader::result() const {
  if (error_.empty()) return {};
  return fail("{}: pulling needs this library, and it cannot be loaded: {}; install it", name_, error_);
}

void* Loader::address_of(const char* symbol) {
  if (!error_.empty()) return nullptr;
  void* const address = ::dlsym(handle_, symbol);
  if (!address) note_error();
  return address;
}

void Loader::note_error() {
  const char* const reason = ::dlerror();
  error_ = reason ? reason : "no reason given";
}

}  // namespace linnet::hub
