#include "image/testing.h"

#include <cstdlib>
#include <sstream>

#include <sys/wait.h>

#include "base/file.h"
#include "base/random.h"
#include "support/data.h"

namespace linnet::image {
namespace {

int run_script(const std::filesystem::path& requests) {
  // Debian's python3, whatever else stands first in PATH, for that is the one whose Pillow apt installs.
  const std::string python = std::filesystem::exists("/usr/bin/python3") ? "/usr/bin/python3" : "python3";
  const std::string command =
      fmt::format("{} {}/tests/oracles/pillow_pixels.py {}", python, LINNET_SOURCE_DIR, requests.string());
  const int status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

Image noise(int height, int width, bool hard, std::uint64_t seed) {
  Image image{.height = height, .width = width, .pixels = {}};
  image.pixels.resize(image.stride() * height);
  Random random(seed);
  for (auto& value : image.pixels) {
    value = static_cast<std::uint8_t>(random.next() >> 56);
    if (hard) value = value < 128 ? 0 : 255;
  }
  return image;
}

Result<Image> read_pixels(const std::filesystem::path& path) {
  LINNET_TRY(const std::string text, read_text(path));
  std::istringstream head(text.substr(0, text.find('\n')));
  Image image;
  head >> image.height >> image.width >> image.channels;
  const std::string_view pixels = std::string_view(text).substr(text.find('\n') + 1);
  image.pixels.assign(pixels.begin(), pixels.end());
  if (!head || image.pixels.size() != image.stride() * image.height)
    return fail("{}: holds no pixels", path.string());
  return image;
}

std::uint32_t crc32(std::span<const std::byte> bytes) {
  std::uint32_t crc = ~0u;
  for (const std::byte byte : bytes) {
    crc ^= std::to_integer<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0u);
  }
  return ~crc;
}

std::vector<std::vector<std::string>> read_table(const std::string& name) {
  const auto text = read_text(testing::repository_data("pictures/" + name));
  if (!text) ADD_FAILURE() << text.error().message;
  std::vector<std::vector<std::string>> table;
  std::istringstream lines(text.value_or(""));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    for (table.emplace_back(); std::getline(fields, table.back().emplace_back(), '\t');) {
    }
    table.back().pop_back();
  }
  return table;
}

bool has_pillow() {
  const testing::ScratchFolder folder;
  return write_file(folder.path() / "requests", "") && run_script(folder.path() / "requests") == 0;
}

Result<std::vector<Image>> ask_pillow(const std::vector<PillowRequest>& requests) {
  const testing::ScratchFolder folder;
  const auto answer = [&](std::size_t i) { return folder.path() / std::to_string(i); };
  std::string lines;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    lines += requests[i].picture.string() + '\t' + answer(i).string();
    for (const auto& operation : requests[i].operations) lines += '\t' + operation;
    lines += '\n';
  }
  LINNET_CHECK(write_file(folder.path() / "requests", lines));
  if (const int status = run_script(folder.path() / "requests"); status != 0)
    return fail("pillow_pixels.py ended with {}", status);
  std::vector<Image> images;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    LINNET_TRY(Image image, read_pixels(answer(i)));
    images.push_back(std::move(image));
  }
  return images;
}

std::string difference(const Image& image, const Image& expected) {
  if (image.height != expected.height || image.width != expected.width || image.channels != expected.channels)
    return fmt::format("{} x {} x {} instead of {} x {} x {} (height, width, channels)", image.height,
                       image.width, image.channels, expected.height, expected.width, expected.channels);
  std::string first;
  std::size_t different = 0;
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    if (image.pixels[i] == expected.pixels[i]) continue;
    if (!different++)
      first = fmt::format("row {}, column {}, channel {}: {} instead of {}", i / image.stride(),
                          i % image.stride() / image.channels, i % image.channels, image.pixels[i],
                          expected.pixels[i]);
  }
  return different ? fmt::format("{}; {} of {} values differ", first, different, image.pixels.size())
                   : "equal";
}

}  // namespace linnet::image
