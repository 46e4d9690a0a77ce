#include <array>
#include <csetjmp>
#include <cstdio>

// These need <cstdio> before them.
#include <jerror.h>
#include <jpeglib.h>

#include "formats/images/decoders.h"

namespace qdq::images {
namespace {

constexpr int kMostScans = 100;  // of a progressive file: each costs a pass over all pixels. Encoders write 10 or so

// libjpeg reports errors through a callback that must not return, and is C: a jump takes us out of it. No function that
// calls setjmp() has locals with a destructor.
class Decoder {
 public:
  Decoder() {
    info_.err = jpeg_std_error(&errors_);
    errors_.error_exit = [](j_common_ptr info) { self(info).leave(info); };
    errors_.emit_message = [](j_common_ptr info, int level) {
      if (level < 0 && !is_harmless(info->err->msg_code)) self(info).leave(info);
    };
    info_.client_data = this;
    progress_.progress_monitor = [](j_common_ptr info) {
      if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMostScans) return;
      self(info).say("more than 100 scans");
      std::longjmp(self(info).jump_, 1);
    };
  }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder() {
    if (is_created_) jpeg_destroy_decompress(&info_);
  }

  // Each returns false on an error; message() says which.
  bool read_header(std::span<const std::byte> bytes) {
    if (setjmp(jump_)) return false;
    jpeg_create_decompress(&info_);
    is_created_ = true;
    info_.progress = &progress_;
    jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    jpeg_read_header(&info_, TRUE);
    return true;
  }
  bool start() {
    if (setjmp(jump_)) return false;
    const bool is_cmyk = info_.jpeg_color_space == JCS_CMYK || info_.jpeg_color_space == JCS_YCCK;
    info_.out_color_space = is_cmyk ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(&info_);
    return true;
  }
  bool read_row(std::byte* row) {
    if (setjmp(jump_)) return false;
    JSAMPROW rows[] = {reinterpret_cast<JSAMPROW>(row)};
    jpeg_read_scanlines(&info_, rows, 1);
    return true;
  }
  bool finish() {
    if (setjmp(jump_)) return false;
    jpeg_finish_decompress(&info_);
    return true;
  }

  ImageSize size() const { return {info_.image_height, info_.image_width}; }
  bool is_cmyk() const { return info_.out_color_space == JCS_CMYK; }
  const char* message() const { return message_.data(); }

 private:
  static Decoder& self(j_common_ptr info) { return *static_cast<Decoder*>(info->client_data); }
  // Warnings about data that has nothing to do with the pixels. All others mean that some pixels are lost.
  static bool is_harmless(int code) {
    return code == JWRN_EXTRANEOUS_DATA || code == JWRN_ADOBE_XFORM || code == JWRN_JFIF_MAJOR ||
           code == JWRN_BOGUS_ICC;
  }
  void say(const char* text) { std::snprintf(message_.data(), message_.size(), "%s", text); }
  [[noreturn]] void leave(j_common_ptr info) {
    info->err->format_message(info, message_.data());
    std::longjmp(jump_, 1);
  }

  jpeg_decompress_struct info_{};
  jpeg_error_mgr errors_{};
  jpeg_progress_mgr progress_{};
  std::jmp_buf jump_{};
  std::array<char, JMSG_LENGTH_MAX> message_{};
  bool is_created_ = false;
};

// Inks, inverted as Adobe's programs write them, to light: what is left of white after the ink and the black.
void cmyk_to_rgb(const std::byte* inks, std::int64_t pixels, std::byte* rgb) {
  for (std::int64_t i = 0; i < pixels; ++i, inks += 4, rgb += 3) {
    const int light = std::to_integer<int>(inks[3]);
    for (int c = 0; c < 3; ++c) {
      const int product = (255 - std::to_integer<int>(inks[c])) * light + 128;
      rgb[c] = static_cast<std::byte>(light - ((product + (product >> 8)) >> 8));  // product / 255, rounded
    }
  }
}

void read_header(Decoder& decoder, std::span<const std::byte> bytes) {
  if (!decoder.read_header(bytes)) throw ImageError(decoder.message());
  const ImageSize size = decoder.size();
  check_size(size);
  // A block of 8 x 8 pixels takes one bit at least.
  if (static_cast<std::size_t>(size.height * size.width) / 512 > bytes.size())
    throw ImageError(std::to_string(bytes.size()) + " bytes cannot hold " + std::to_string(size.height) + " x " +
                     std::to_string(size.width) + " pixels");
}

}  // namespace

bool is_jpeg(std::span<const std::byte> bytes) {
  return bytes.size() > 2 && bytes[0] == std::byte{0xff} && bytes[1] == std::byte{0xd8} && bytes[2] == std::byte{0xff};
}

ImageSize jpeg_size(std::span<const std::byte> bytes) {
  Decoder decoder;
  read_header(decoder, bytes);
  return decoder.size();
}

Tensor decode_jpeg(std::span<const std::byte> bytes) {
  Decoder decoder;
  read_header(decoder, bytes);
  const ImageSize size = decoder.size();
  if (!decoder.start()) throw ImageError(decoder.message());
  Tensor image = Tensor::empty(DType::uint8, {size.height, size.width, 3});
  std::vector<std::byte> inks(decoder.is_cmyk() ? static_cast<std::size_t>(4 * size.width) : 0);
  for (std::int64_t y = 0; y < size.height; ++y) {
    std::byte* row = image.raw_data() + 3 * size.width * y;
    if (!decoder.read_row(decoder.is_cmyk() ? inks.data() : row)) throw ImageError(decoder.message());
    if (decoder.is_cmyk()) cmyk_to_rgb(inks.data(), size.width, row);
  }
  if (!decoder.finish()) throw ImageError(decoder.message());
  return image;
}

}  // namespace qdq::images
