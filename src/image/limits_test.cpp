// Pictures that are cut short, damaged, or larger than memory: a clear error, at once, and nothing worse.
#include <cstdio>
#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "base/file.h"
#include "base/random.h"
#include "image/image.h"
#include "image/testing.h"
#include "support/data.h"
#include "support/sanitizer.h"

namespace linnet::image {
namespace {

using ::testing::HasSubstr;

std::string contents(const std::string& name) {
  return read_text(testing::repository_data("pictures/" + name)).value();
}

Result<Image> decode_text(std::string_view bytes, std::int64_t max_pixels = kMaxPixels) {
  return decode(std::as_bytes(std::span(bytes)), "cat", max_pixels);
}

std::string message(std::string_view bytes) {
  const auto result = decode_text(bytes);
  return result ? "decoded" : result.error().message;
}

void append_big(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}

std::string png_chunk(std::string body) {
  std::string chunk;
  append_big(chunk, static_cast<std::uint32_t>(body.size() - 4));
  chunk += body;
  append_big(chunk, crc32(std::as_bytes(std::span(body))));
  return chunk;
}

/// A PNG of 8-bit RGB that says to be this large and holds next to nothing.
std::string hollow_png(std::uint32_t width, std::uint32_t height) {
  std::string header = "IHDR";
  append_big(header, width);
  append_big(header, height);
  header += std::string("\x08\x02\0\0\0", 5);
  return "\x89PNG\r\n\x1a\n" + png_chunk(header) +
         png_chunk("IDAT" + std::string("\x78\x9c\x03\0\0\0\0\x01", 8)) + png_chunk("IEND");
}

TEST(limits, a_picture_cut_at_any_byte_is_an_error) {
  for (const auto& row : read_table("expected.tsv")) {
    const std::string whole = contents(row[0]);
    // Of numbers written as text nobody can tell whether the last one was longer.
    const bool text = whole.starts_with("P1") || whole.starts_with("P2") || whole.starts_with("P3");
    const std::size_t undetectable = text ? whole.size() - whole.find_last_of(" \n", whole.size() - 2) : 0;
    for (std::size_t size = 0; size + undetectable < whole.size(); ++size) {
      const auto result = decode_text(std::string_view(whole).substr(0, size));
      ASSERT_FALSE(result) << row[0] << " cut to " << size << " of " << whole.size() << " bytes decodes";
      ASSERT_EQ(result.error().message.find("cat: "), 0u) << result.error().message;
    }
  }
}

TEST(limits, a_cut_is_called_a_cut) {
  for (const std::string name :
       {"rgb_420.jpg", "progressive.jpg", "rgb8.png", "rgb8_interlaced.png", "lossy.webp", "lossless.webp",
        "rgb24.bmp", "rle8.bmp", "rgb.ppm", "rgb_text.ppm"}) {
    const std::string whole = contents(name);
    EXPECT_THAT(message(std::string_view(whole).substr(0, whole.size() / 2)),
                HasSubstr("is cut short; get a whole copy"))
        << name;
  }
}

TEST(limits, a_picture_with_any_byte_damaged_ends_in_pixels_or_in_an_error) {
  Random random(3);
  for (const auto& row : read_table("expected.tsv")) {
    const std::string whole = contents(row[0]);
    for (std::size_t i = 0; i < whole.size(); ++i) {
      std::string damaged = whole;
      damaged[i] = static_cast<char>(random.next());
      const auto result = decode_text(damaged, 100'000);
      if (!result) continue;
      ASSERT_EQ(result->pixels.size(), std::size_t(result->height) * result->width * 3)
          << row[0] << " byte " << i;
      ASSERT_EQ(result->channels, 3);
    }
  }
}

TEST(limits, damaged_jpeg_data_is_refused_where_libjpeg_would_only_warn) {
  std::string whole = contents("rgb_444.jpg");
  const std::size_t scan = whole.find("\xff\xda");
  ASSERT_NE(scan, std::string::npos);
  whole.replace(scan + 60, 2, "\xff\xd9");  // an end marker amid the data
  EXPECT_EQ(message(whole),
            "cat: not a JPEG that can be decoded: Corrupt JPEG data: premature end of data segment");
}

TEST(limits, a_png_of_forty_thousand_squared_is_refused_before_it_is_allocated) {
  struct rusage before, after;
  getrusage(RUSAGE_SELF, &before);
  EXPECT_EQ(message(hollow_png(40'000, 40'000)),
            "cat: 40000 x 40000 pixels are too many; at most 178 million pixels are decoded, make the "
            "picture smaller first");
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 16 * 1024) << "KiB";
}

TEST(limits, a_small_file_that_claims_a_large_picture_is_refused_before_it_is_allocated) {
  struct rusage before, after;
  getrusage(RUSAGE_SELF, &before);
  EXPECT_THAT(message(hollow_png(13'000, 13'000)), HasSubstr("cut short"));
  EXPECT_THAT(message("P6 13000 13000 255\nabc"), HasSubstr("cut short"));
  EXPECT_THAT(message("P1 13000 13000\n1"), HasSubstr("cut short"));
  std::string bmp = contents("rgb24.bmp");
  bmp.replace(18, 8, std::string("\xc8\x32\0\0\xc8\x32\0\0", 8));
  EXPECT_THAT(message(bmp), HasSubstr("cut short"));
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 16 * 1024) << "KiB";
}

/// Prints the error and ends the process.
[[noreturn]] void decode_with_little_memory(std::string_view bytes) {
  rlimit limit = {};
  limit.rlim_cur = limit.rlim_max = 300u << 20;  // bytes of address space
  setrlimit(RLIMIT_AS, &limit);
  std::fprintf(stderr, "%s", message(bytes).c_str());
  std::_Exit(0);
}

TEST(limits, where_memory_is_short_the_error_says_so) {
#if LINNET_SANITIZED
  GTEST_SKIP() << "a sanitizer needs more address space than this test leaves";
#endif
  // 432 MB of pixels.
  const std::string bitmap = "P4 12000 12000\n" + std::string(12'000 / 8 * 12'000, '\0');
  EXPECT_EXIT(decode_with_little_memory(bitmap), ::testing::ExitedWithCode(0),
              "cat: this machine has not the memory to decode it");
}

TEST(limits, sizes_that_overflow_or_vanish_are_refused) {
  EXPECT_THAT(message(hollow_png(0x7fffffff, 0x7fffffff)), HasSubstr("claims a size that overflows memory"));
  EXPECT_THAT(message(hollow_png(0, 5)), HasSubstr("not a PNG that can be decoded"));
  EXPECT_THAT(message(hollow_png(1'000'001, 1)), HasSubstr("at most 1000000 are decoded on an edge"));
  EXPECT_THAT(message("P6 1000000000 1000000000 255\n"), HasSubstr("are too many"));
  EXPECT_THAT(message("P6 99999999999 1 255\n"), HasSubstr("width of the P6 picture"));
  EXPECT_THAT(message("P6 0 1 255\n"), HasSubstr("is empty"));
  std::string bmp = contents("rgb24.bmp");
  bmp.replace(18, 8, std::string("\xff\xff\xff\x7f\0\0\0\x80", 8));  // 2^31 - 1 columns, -2^31 rows
  EXPECT_THAT(message(bmp), HasSubstr("are too many"));
  bmp.replace(18, 8, std::string("\xff\xff\xff\xff\x01\0\0\0", 8));  // -1 column
  EXPECT_THAT(message(bmp), HasSubstr("is empty"));
}

TEST(limits, netpbm_samples_must_keep_to_their_header) {
  EXPECT_EQ(message("P5 1 1 100\n\xff"),
            "cat: sample 255 is above 100, the largest value that its header allows; the file is damaged");
  EXPECT_THAT(message("P2 1 1 65536\n1\n"), HasSubstr("largest value of the P2 picture"));
  EXPECT_THAT(message("P2 1 1 255\nx\n"), HasSubstr("sample of the P2 picture"));
  EXPECT_THAT(message("P1 2 1\n12\n"), HasSubstr("sample of the P1 picture"));
}

TEST(limits, bitmaps_that_contradict_themselves_are_refused) {
  const std::string palette = contents("palette8.bmp");
  std::string bmp = palette;
  bmp[46] = 5;  // colours in the palette
  EXPECT_THAT(message(bmp), HasSubstr("but the BMP's palette has 5"));
  bmp = palette;
  bmp[10] = 20;  // where the pixels begin
  bmp[11] = 0;
  EXPECT_EQ(message(bmp), "cat: the BMP's pixels begin at byte 20, inside its header; the file is damaged");
  bmp = palette;
  bmp[28] = 7;  // bits a pixel
  EXPECT_EQ(message(bmp), "cat: 7 bits a pixel are no BMP that can be decoded; save the picture as PNG");
  bmp = palette;
  bmp[30] = 4;  // compression: an embedded JPEG
  EXPECT_EQ(message(bmp),
            "cat: a BMP with compression 4 at 8 bits a pixel cannot be decoded; save the picture as PNG");
  bmp = contents("rle8.bmp");
  bmp[18] = 20;  // narrower than its runs
  EXPECT_THAT(message(bmp), HasSubstr("leaves the picture in row 0"));
  bmp = contents("fields565.bmp");
  bmp[54] = 5;  // 0b101
  EXPECT_THAT(message(bmp), HasSubstr("is not one run of bits"));
}

TEST(limits, a_bad_exif_block_never_costs_a_picture) {
  const std::string whole = contents("orientation_6.png").substr(0);
  const std::size_t exif = whole.find("eXIf");
  ASSERT_NE(exif, std::string::npos);
  const std::size_t size = static_cast<unsigned char>(whole[exif - 1]);
  for (std::size_t i = 0; i < size; ++i)
    for (const char value : {'\0', '\x07', '\xff'}) {
      std::string body = whole.substr(exif, 4 + size);
      body[4 + i] = value;
      const std::string damaged = whole.substr(0, exif - 4) + png_chunk(body) + whole.substr(exif + 8 + size);
      const auto image = decode_text(damaged);
      ASSERT_TRUE(image) << "byte " << i << ": " << image.error().message;
    }
}

}  // namespace
}  // namespace linnet::image
