#include <png.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdio>
#include <cstring>

#include "formats/images/decoders.h"

namespace qdq::images {
namespace {

// libpng leaves its callback for errors by a jump as well; see jpeg.cc.
class Decoder {
 public:
  explicit Decoder(std::span<const std::byte> bytes) : bytes_(bytes) {}
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder() { png_destroy_read_struct(&png_, &info_, nullptr); }

  // Each returns false on an error; message() says which.
  bool read_header() {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, leave, note);
    if (png_ == nullptr) return say("out of memory");
    if (setjmp(jump_)) return false;
    info_ = png_create_info_struct(png_);
    if (info_ == nullptr) return say("out of memory");
    png_set_read_fn(png_, this, give_bytes);
    png_read_info(png_, info_);
    return true;
  }
  // Everything becomes red, green and blue of 8 bits.
  bool start() {
    if (setjmp(jump_)) return false;
    png_set_strip_16(png_);
    png_set_palette_to_rgb(png_);
    png_set_expand_gray_1_2_4_to_8(png_);
    png_set_gray_to_rgb(png_);
    png_set_strip_alpha(png_);
    passes_ = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    return png_get_rowbytes(png_, info_) == 3 * std::size_t{png_get_image_width(png_, info_)} ||
           say("pixels of an unexpected kind");
  }
  bool read_row(std::byte* row) {
    if (setjmp(jump_)) return false;
    png_read_row(png_, reinterpret_cast<png_bytep>(row), nullptr);
    return true;
  }
  bool finish() {
    if (setjmp(jump_)) return false;
    png_read_end(png_, nullptr);
    return true;
  }

  ImageSize size() const { return {png_get_image_height(png_, info_), png_get_image_width(png_, info_)}; }
  std::size_t bits_per_pixel() const {
    return std::size_t{png_get_bit_depth(png_, info_)} * png_get_channels(png_, info_);
  }
  int passes() const { return passes_; }
  const char* message() const { return message_.data(); }

 private:
  bool say(const char* text) {
    std::snprintf(message_.data(), message_.size(), "%s", text);
    return false;
  }
  // Many errors only say which chunk is wrong, and a warning before them what is wrong in it.
  static void note(png_structp png, png_const_charp text) {
    auto& warning = static_cast<Decoder*>(png_get_error_ptr(png))->warning_;
    std::snprintf(warning.data(), warning.size(), " (%s)", text);
  }
  [[noreturn]] static void leave(png_structp png, png_const_charp text) {
    auto& self = *static_cast<Decoder*>(png_get_error_ptr(png));
    std::snprintf(self.message_.data(), self.message_.size(), "%s%s", text, self.warning_.data());
    std::longjmp(self.jump_, 1);
  }
  static void give_bytes(png_structp png, png_bytep destination, std::size_t count) {
    auto& self = *static_cast<Decoder*>(png_get_io_ptr(png));
    if (self.bytes_.size() < count) png_error(png, "the file ends too early");
    std::memcpy(destination, self.bytes_.data(), count);
    self.bytes_ = self.bytes_.subspan(count);
  }

  std::span<const std::byte> bytes_;  // that are left
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::jmp_buf jump_{};
  std::array<char, 200> warning_{};
  std::array<char, 400> message_{};
  int passes_ = 1;
};

void read_header(Decoder& decoder, std::size_t file_bytes) {
  if (!decoder.read_header()) throw ImageError(decoder.message());
  const ImageSize size = decoder.size();
  check_size(size);
  // Deflate makes 1032 bytes of one at best.
  const std::size_t pixels = static_cast<std::size_t>(size.height * size.width);
  if (pixels / 8 * decoder.bits_per_pixel() / 1032 > file_bytes)
    throw ImageError(std::to_string(file_bytes) + " bytes cannot hold " + std::to_string(size.height) + " x " +
                     std::to_string(size.width) + " pixels");
}

}  // namespace

bool is_png(std::span<const std::byte> bytes) {
  constexpr std::array<unsigned char, 8> kSignature = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  return bytes.size() > kSignature.size() && std::memcmp(bytes.data(), kSignature.data(), kSignature.size()) == 0;
}

ImageSize png_size(std::span<const std::byte> bytes) {
  Decoder decoder(bytes);
  read_header(decoder, bytes.size());
  return decoder.size();
}

Tensor decode_png(std::span<const std::byte> bytes) {
  Decoder decoder(bytes);
  read_header(decoder, bytes.size());
  const ImageSize size = decoder.size();
  if (!decoder.start()) throw ImageError(decoder.message());
  Tensor image = Tensor::empty(DType::uint8, {size.height, size.width, 3});
  for (int pass = 0; pass < decoder.passes(); ++pass)
    for (std::int64_t y = 0; y < size.height; ++y)
      if (!decoder.read_row(image.raw_data() + 3 * size.width * y)) throw ImageError(decoder.message());
  if (!decoder.finish()) throw ImageError(decoder.message());
  return image;
}

}  // namespace qdq::images
