#include "hub/pull/digest.h"

#include <memory>
#include <string_view>

#include "base/file.h"
#include "hub/pull/libraries.h"

namespace linnet::hub {
namespace {

class Hash {
 public:
  Hash(const CryptoLibrary& crypto, const EVP_MD* kind)
      : crypto_(crypto), context_(crypto.context_new(), crypto.context_free) {
    good_ = context_ && crypto.init(context_.get(), kind, nullptr) == 1;
  }
  void update(const void* data, std::size_t size) {
    good_ = good_ && crypto_.update(context_.get(), data, size) == 1;
  }
  /// Empty where the library refuses the algorithm.
  std::string hex() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (!good_ || crypto_.finish(context_.get(), digest, &size) != 1) return "";
    std::string text;
    for (unsigned i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
    return text;
  }

 private:
  const CryptoLibrary& crypto_;
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
  bool good_ = false;
};

}  // namespace

Result<Digests> digests_of_file(const std::filesystem::path& path) {
  LINNET_TRY(const MappedFile file, MappedFile::open(path));
  const std::span<const std::byte> bytes = file.bytes();
  const std::string header = "blob " + std::to_string(bytes.size());
  LINNET_TRY(const CryptoLibrary* const crypto, crypto_library());
  Hash sha256(*crypto, crypto->sha256());
  Hash git(*crypto, crypto->sha1());
  git.update(header.c_str(), header.size() + 1);  // git hashes the terminating zero too
  sha256.update(bytes.data(), bytes.size());
  git.update(bytes.data(), bytes.size());
  Digests digests{sha256.hex(), git.hex()};
  if (digests.sha256.empty()) return fail("{}: OpenSSL refuses to compute a SHA-256 hash", path.string());
  return digests;
}

Result<std::string> sha256_of(std::span<const std::span<const std::byte>> parts) {
  Hash hash(EVP_sha256());
  for (const auto part : parts) hash.update(part.data(), part.size());
  std::string hex = hash.hex();
  if (hex.empty()) return fail("OpenSSL refuses to compute a SHA-256 hash");
  return hex;
}

}  // namespace linnet::hub
