#include "hub/pull/libraries.h"

#include "base/shared_library.h"

namespace linnet::hub {
namespace {

Result<CurlLibrary> load_curl() {
  SharedLibrary library(LINNET_CURL_LIBRARY);
  CurlLibrary curl = {};
  library.find(curl.global_init, "curl_global_init");
  library.find(curl.easy_init, "curl_easy_init");
  library.find(curl.easy_cleanup, "curl_easy_cleanup");
  library.find(curl.set_option, "curl_easy_setopt");
  library.find(curl.easy_perform, "curl_easy_perform");
  library.find(curl.easy_strerror, "curl_easy_strerror");
  library.find(curl.slist_append, "curl_slist_append");
  library.find(curl.slist_free_all, "curl_slist_free_all");
  LINNET_CHECK(library.result());
  curl.global_init(CURL_GLOBAL_DEFAULT);
  return curl;
}

Result<CryptoLibrary> load_crypto() {
  SharedLibrary library(LINNET_CRYPTO_LIBRARY);
  CryptoLibrary crypto = {};
  library.find(crypto.sha256, "EVP_sha256");
  library.find(crypto.sha1, "EVP_sha1");
  library.find(crypto.context_new, "EVP_MD_CTX_new");
  library.find(crypto.context_free, "EVP_MD_CTX_free");
  library.find(crypto.init, "EVP_DigestInit_ex");
  library.find(crypto.update, "EVP_DigestUpdate");
  library.find(crypto.finish, "EVP_DigestFinal_ex");
  LINNET_CHECK(library.result());
  return crypto;
}

}  // namespace

Result<const CurlLibrary*> curl_library() {
  static const Result<CurlLibrary> curl = load_curl();
  if (!curl) return std::unexpected(curl.error());
  return &*curl;
}

Result<const CryptoLibrary*> crypto_library() {
  static const Result<CryptoLibrary> crypto = load_crypto();
  if (!crypto) return std::unexpected(crypto.error());
  return &*crypto;
}

}  // namespace linnet::hub
