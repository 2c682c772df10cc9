// PBM, PGM and PPM (netpbm's P1 to P6): a header of decimal numbers, then samples as text or as bytes.
#include <cmath>
#include <optional>

#include "image/codecs/codec.h"

namespace linnet::image {
namespace {

bool is_space(std::uint32_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit(std::uint32_t c) { return c >= '0' && c <= '9'; }

/// Reads the numbers of a header or of a text picture.
class TextReader {
 public:
  TextReader(Bytes bytes, std::size_t position) : bytes_(bytes), position_(position) {}

  /// The next decimal number; spaces and comments before it are skipped. Nothing where there is none or it is
  /// above 10^9.
  std::optional<std::int64_t> number() {
    skip_space();
    std::int64_t value = 0;
    const std::size_t begin = position_;
    while (position_ < bytes_.size() && is_digit(here())) {
      value = value * 10 + (here() - '0');
      if (value > 1'000'000'000) return {};
      ++position_;
    }
    if (position_ == begin) return {};
    return value;
  }
  /// The next single digit: P1 may write its pixels without spaces.
  std::optional<std::int64_t> digit() {
    skip_space();
    if (ended() || !is_digit(here())) return {};
    const std::uint32_t value = here() - '0';
    ++position_;
    return value;
  }
  /// Takes the one space that parts the header from binary samples.
  bool one_space() { return !ended() && is_space(here()) && ++position_; }
  bool ended() const { return position_ >= bytes_.size(); }
  std::size_t position() const { return position_; }

 private:
  std::uint32_t here() const { return std::to_integer<std::uint32_t>(bytes_[position_]); }
  void skip_space() {
    while (!ended() && (is_space(here()) || here() == '#')) {
      if (here() == '#')
        while (!ended() && here() != '\n' && here() != '\r') ++position_;
      else
        ++position_;
    }
  }

  Bytes bytes_;
  std::size_t position_;
};

/// Grey and bits become three equal channels.
void store(Image& image, std::int64_t sample, int channels, std::uint8_t value) {
  if (channels == 3)
    image.pixels[sample] = value;
  else
    for (int c = 0; c < 3; ++c) image.pixels[sample * 3 + c] = value;
}

}  // namespace

Result<Decoded> decode_netpbm(const Source& source) {
  const int kind = std::to_integer<int>(source.bytes[1]) - '0';  // 1 to 6, as decode() has seen
  const bool text = kind <= 3;
  const bool bitmap = kind % 3 == 1;
  const int channels = kind % 3 == 0 ? 3 : 1;
  const auto cut_short = [&] {
    return fail("{}: the P{} picture is cut short; get a whole copy", source.name, kind);
  };
  const auto malformed = [&](std::string_view what) {
    return fail("{}: the {} of the P{} picture is not a number that makes sense; the file is damaged",
                source.name, what, kind);
  };

  TextReader reader(source.bytes, 2);
  const auto width = reader.number();
  if (!width) return reader.ended() ? cut_short() : malformed("width");
  const auto height = reader.number();
  if (!height) return reader.ended() ? cut_short() : malformed("height");
  std::int64_t maximum = 1;
  if (!bitmap) {
    const auto value = reader.number();
    if (!value) return reader.ended() ? cut_short() : malformed("largest value");
    maximum = *value;
    if (maximum < 1 || maximum > 65535) return malformed("largest value");
  }
  if (!reader.one_space()) return reader.ended() ? cut_short() : malformed("header");

  LINNET_CHECK(check_size(source, *width, *height));
  // Every sample takes a byte, two bytes, a bit, or at least a digit: a hostile size is seen before it is
  // allocated.
  const std::int64_t left = static_cast<std::int64_t>(source.bytes.size() - reader.position());
  const std::int64_t row_bytes = text             ? *width * channels
                                 : bitmap         ? (*width + 7) / 8
                                 : maximum <= 255 ? *width * channels
                                                  : *width * channels * 2;
  if (row_bytes * *height > left) return cut_short();
  LINNET_TRY(Image image, make_image(source, *width, *height));
  const std::int64_t samples = *width * *height * channels;

  if (bitmap) {
    std::int64_t sample = 0;
    if (text) {
      for (; sample < samples; ++sample) {
        const auto bit = reader.digit();
        if (!bit && reader.ended()) return cut_short();
        if (!bit || *bit > 1) return malformed("sample");
        store(image, sample, 1, *bit ? 0 : 255);  // 1 is black
      }
    } else {
      const Bytes packed = source.bytes.subspan(reader.position());
      for (int y = 0; y < image.height; ++y)
        for (int x = 0; x < image.width; ++x, ++sample) {
          const int eight = std::to_integer<int>(packed[std::size_t(y) * row_bytes + x / 8]);
          store(image, sample, 1, (eight >> (7 - x % 8)) & 1 ? 0 : 255);
        }
    }
    return Decoded{std::move(image)};
  }

  std::vector<std::uint8_t> to_8_bits(maximum +
                                      1);  // rounded to the nearest, ties to even, as Python's round
  for (std::int64_t v = 0; v <= maximum; ++v)
    to_8_bits[v] = static_cast<std::uint8_t>(
        std::nearbyint(static_cast<double>(v) / static_cast<double>(maximum) * 255.0));
  ByteReader bytes(source.bytes, reader.position());
  for (std::int64_t sample = 0; sample < samples; ++sample) {
    std::int64_t value;
    if (text) {
      const auto number = reader.number();
      if (!number && reader.ended()) return cut_short();
      if (!number) return malformed("sample");
      value = *number;
    } else {
      value = maximum <= 255 ? bytes.u8() : bytes.u16_big();
    }
    if (value > maximum)
      return fail("{}: sample {} is above {}, the largest value that its header allows; the file is damaged",
                  source.name, value, maximum);
    store(image, sample, channels, to_8_bits[value]);
  }
  return Decoded{std::move(image)};
}

}  // namespace linnet::image
