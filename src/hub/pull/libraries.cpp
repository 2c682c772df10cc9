#include "hub/pull/libraries.h"

#include "hub/pull/loader.h"

namespace linnet::hub {
namespace {

Result<CurlLibrary> load_curl() {
  Loader loader(LINNET_CURL_LIBRARY);
  CurlLibrary curl = {};
  loader.find(curl.global_init, "curl_global_init");
  loader.find(curl.easy_init, "curl_easy_init");
  loader.find(curl.easy_cleanup, "curl_easy_cleanup");
  loader.find(curl.set_option, "curl_easy_setopt");
  loader.find(curl.easy_perform, "curl_easy_perform");
  loader.find(curl.easy_strerror, "curl_easy_strerror");
  loader.find(curl.slist_append, "curl_slist_append");
  loader.find(curl.slist_free_all, "curl_slist_free_all");
  LINNET_CHECK(loader.result());
  curl.global_init(CURL_GLOBAL_DEFAULT);
  return curl;
}

Result<CryptoLibrary> load_crypto() {
  Loader loader(LINNET_CRYPTO_LIBRARY);
  CryptoLibrary crypto = {};
  loader.find(crypto.sha256, "EVP_sha256");
  loader.find(crypto.sha1, "EVP_sha1");
  loader.find(crypto.context_new, "EVP_MD_CTX_new");
  loader.find(crypto.context_free, "EVP_MD_CTX_free");
  loader.find(crypto.init, "EVP_DigestInit_ex");
  loader.find(crypto.update, "EVP_DigestUpdate");
  loader.find(crypto.finish, "EVP_DigestFinal_ex");
  LINNET_CHECK(loader.result());
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
