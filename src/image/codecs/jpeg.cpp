// JPEG by libjpeg-turbo, with its defaults (accurate integer DCT, fancy upsampling), which are Pillow's too.
//
// libjpeg reports errors by longjmp. So everything that C++ must clean up lives in JpegReader, outside the
// two functions that a jump can leave, and those hold trivial locals only.
#include <csetjmp>
#include <cstdio>

// jpeglib.h needs size_t and FILE declared before it.
#include <jpeglib.h>
// jerror.h needs jpeglib.h.
#include <jerror.h>

#include "image/codecs/codec.h"

namespace linnet::image {
namespace {

/// A progressive file of a few kilobytes may ask for thousands of passes over the picture; real ones take
/// about ten.
constexpr int kMaxScans = 500;

class JpegReader {
 public:
  JpegReader() {
    info_.err = jpeg_std_error(&error_manager_);
    info_.client_data = this;
    error_manager_.error_exit = [](j_common_ptr info) { self(info).stop(); };
    error_manager_.emit_message = [](j_common_ptr info, int level) {
      if (level < 0) self(info).warn();
    };
    progress_.progress_monitor = [](j_common_ptr info) {
      if (self(info).info_.input_scan_number > kMaxScans) {
        self(info).too_many_scans_ = true;
        self(info).stop();
      }
    };
  }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;
  ~JpegReader() { jpeg_destroy_decompress(&info_); }

  /// False: failed, and problem() says why.
  bool read_header(Bytes bytes) {
    if (setjmp(jump_)) return false;
    jpeg_create_decompress(&info_);
    info_.progress = &progress_;
    jpeg_save_markers(&info_, JPEG_APP0 + 1, 0xffff);
    jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    jpeg_read_header(&info_, TRUE);
    info_.out_color_space = info_.num_components == 4 ? JCS_CMYK : JCS_RGB;
    return true;
  }

  /// `cmyk` holds a row of four channels where is_cmyk(). False: failed, and problem() says why.
  bool read_pixels(Image& image, std::uint8_t* cmyk) {
    if (setjmp(jump_)) return false;
    jpeg_start_decompress(&info_);
    while (info_.output_scanline < info_.output_height) {
      std::uint8_t* const rgb = image.row(static_cast<int>(info_.output_scanline));
      JSAMPROW row = cmyk ? cmyk : rgb;
      jpeg_read_scanlines(&info_, &row, 1);
      if (cmyk) rgb_from_inverted_cmyk(cmyk, image.width, rgb);
    }
    jpeg_finish_decompress(&info_);  // reads on to the end marker: a file without it is cut short
    return true;
  }

  bool is_cmyk() const { return info_.num_components == 4; }
  int width() const { return static_cast<int>(info_.image_width); }
  int height() const { return static_cast<int>(info_.image_height); }

  int orientation() const {
    for (const jpeg_marker_struct* m = info_.marker_list; m; m = m->next) {
      const Bytes data = std::as_bytes(std::span(m->data, m->data_length));
      if (data.size() >= 6 && std::string_view(reinterpret_cast<const char*>(data.data()), 4) == "Exif")
        return exif_orientation(data);
    }
    return 1;
  }

  std::string problem() {
    if (too_many_scans_)
      return fmt::format("has more than {} scans; save it again as a baseline JPEG", kMaxScans);
    if (ended_) return "the JPEG is cut short; get a whole copy";
    char text[JMSG_LENGTH_MAX];
    error_manager_.format_message(reinterpret_cast<j_common_ptr>(&info_), text);
    return fmt::format("not a JPEG that can be decoded: {}", text);
  }

 private:
  static JpegReader& self(j_common_ptr info) { return *static_cast<JpegReader*>(info->client_data); }

  [[noreturn]] void stop() { std::longjmp(jump_, 1); }

  /// libjpeg goes on after a warning and makes up what is missing. Where pixels are lost we stop instead.
  void warn() {
    switch (error_manager_.msg_code) {
      case JWRN_JPEG_EOF: ended_ = true; stop();
      case JWRN_HIT_MARKER:
      case JWRN_HUFF_BAD_CODE:
      case JWRN_ARITH_BAD_CODE:
      case JWRN_MUST_RESYNC: stop();
      default: return;
    }
  }

  /// Adobe's files, and so all that exist, store CMYK inverted. The formula is Pillow's:
  /// c * k / 255, rounded, in integers.
  static void rgb_from_inverted_cmyk(const std::uint8_t* cmyk, int width, std::uint8_t* rgb) {
    for (int x = 0; x < width; ++x, cmyk += 4, rgb += 3) {
      const int k = cmyk[3];
      for (int c = 0; c < 3; ++c) {
        const int product = (255 - cmyk[c]) * k + 128;
        const int value = k - ((product + (product >> 8)) >> 8);
        rgb[c] = static_cast<std::uint8_t>(value < 0 ? 0 : value);
      }
    }
  }

  jpeg_decompress_struct info_{};
  jpeg_error_mgr error_manager_{};
  jpeg_progress_mgr progress_{};
  std::jmp_buf jump_{};
  bool ended_ = false;
  bool too_many_scans_ = false;
};

}  // namespace

Result<Decoded> decode_jpeg(const Source& source) {
  JpegReader reader;
  if (!reader.read_header(source.bytes)) return fail("{}: {}", source.name, reader.problem());
  LINNET_TRY(Image image, make_image(source, reader.width(), reader.height()));
  const int orientation = reader.orientation();  // finishing the pixels drops the markers
  std::vector<std::uint8_t> cmyk(reader.is_cmyk() ? std::size_t(image.width) * 4 : 0);
  if (!reader.read_pixels(image, cmyk.empty() ? nullptr : cmyk.data()))
    return fail("{}: {}", source.name, reader.problem());
  return Decoded{std::move(image), orientation};
}

}  // namespace linnet::image
