// For tests: CIFAR-10 of a few pictures a batch, in both archives in which it is published.
#pragma once

#include <map>
#include <string>

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "hub/cifar10/unpack.h"
#include "hub/pull/digest.h"
#include "image/encode.h"

namespace linnet::hub {

using Contents = std::map<std::string, std::string>;  ///< path in the archive, bytes

/// A .tar.gz.
inline std::string archive_of(const Contents& contents) {
  std::string bytes(std::size_t{4} << 20, '\0');
  std::size_t size = 0;
  archive* writer = archive_write_new();
  archive_write_add_filter_gzip(writer);
  archive_write_set_format_ustar(writer);
  archive_write_open_memory(writer, bytes.data(), bytes.size(), &size);
  for (const auto& [name, text] : contents) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(text.size()));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    EXPECT_EQ(archive_write_header(writer, entry), ARCHIVE_OK) << archive_error_string(writer);
    archive_write_data(writer, text.data(), text.size());
    archive_entry_free(entry);
  }
  EXPECT_EQ(archive_write_free(writer), ARCHIVE_OK);
  bytes.resize(size);
  return bytes;
}

/// Six batches of noise and their sums.
struct SmallCifar {
  static constexpr std::size_t kRecords = 12;

  SmallCifar() : sums{kRecords, {}} {
    Random random(9);
    for (std::size_t i = 0; i < batches.size(); ++i) {
      for (std::size_t r = 0; r < kRecords; ++r) {
        batches[i] += static_cast<char>(random.below(10));
        for (std::size_t k = 0; k < data::cifar10::kPlanes; ++k)
          batches[i] += static_cast<char>(random.next() >> 56);
      }
      const std::span<const std::byte> bytes = std::as_bytes(std::span(batches[i]));
      sums.sha256[i] = sha256_of(std::span(&bytes, 1)).value();
    }
  }

  Contents authors() const {
    Contents contents = {{"cifar-10-batches-bin/readme.html", "<html>"}};
    for (std::size_t i = 0; i < batches.size(); ++i)
      contents["cifar-10-batches-bin/" + std::string(data::cifar10::kFiles[i])] = batches[i];
    return contents;
  }

  Contents package() const {
    constexpr int kPixels = data::cifar10::kPlane;
    Contents contents = {{"package/package.json", "{}"}};
    std::string labels[2];
    for (std::size_t i = 0; i < batches.size(); ++i) {
      image::Image sheet{.height = kRecords, .width = kPixels, .pixels = {}};
      for (std::size_t r = 0; r < kRecords; ++r) {
        const char* record = batches[i].data() + r * data::cifar10::kRecord;
        (labels[i == 5] += labels[i == 5].empty() ? "[" : ",") += std::to_string(record[0]);
        for (int k = 0; k < kPixels; ++k)
          for (int c = 0; c < 3; ++c)
            sheet.pixels.push_back(static_cast<std::uint8_t>(record[1 + c * kPixels + k]));
      }
      const auto png = image::encode_png(sheet);
      const std::string name(data::cifar10::kFiles[i].substr(0, data::cifar10::kFiles[i].size() - 4));
      contents["package/" + name + ".png"] =
          std::string(reinterpret_cast<const char*>(png->data()), png->size());
    }
    contents["package/train_lables.json"] = labels[0] + "]";
    contents["package/test_lables.json"] = labels[1] + "]\n";
    return contents;
  }

  std::array<std::string, 6> batches;
  BatchSums sums;
};

}  // namespace linnet::hub
