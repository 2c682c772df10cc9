// libcurl and OpenSSL's libcrypto, loaded when something is pulled (base/shared_library.h): they bring thirty
// libraries and five megabytes, which a program that only runs models should not carry.
#pragma once

#include <curl/curl.h>
#include <openssl/evp.h>

#include "base/result.h"

namespace linnet::hub {

/// The functions of libcurl that downloads call.
struct CurlLibrary {
  decltype(&curl_global_init) global_init;
  decltype(&curl_easy_init) easy_init;
  decltype(&curl_easy_cleanup) easy_cleanup;
  decltype(&curl_easy_setopt) set_option;
  decltype(&curl_easy_perform) easy_perform;
  decltype(&curl_easy_strerror) easy_strerror;
  decltype(&curl_slist_append) slist_append;
  decltype(&curl_slist_free_all) slist_free_all;
};

/// The functions of libcrypto that digests call.
struct CryptoLibrary {
  decltype(&EVP_sha256) sha256;
  decltype(&EVP_sha1) sha1;
  decltype(&EVP_MD_CTX_new) context_new;
  decltype(&EVP_MD_CTX_free) context_free;
  decltype(&EVP_DigestInit_ex) init;
  decltype(&EVP_DigestUpdate) update;
  decltype(&EVP_DigestFinal_ex) finish;
};

/// Loaded, and libcurl initialised, at the first call; thread-safe. Errors: this machine lacks the library.
Result<const CurlLibrary*> curl_library();
Result<const CryptoLibrary*> crypto_library();

}  // namespace linnet::hub
