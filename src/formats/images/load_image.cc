#include <algorithm>
#include <array>

#include "formats/archive/mapped_file.h"
#include "formats/images/decoders.h"
#include "qdq/error.h"

namespace qdq {
namespace images {

void check_size(ImageSize size) {
  if (size.height < 1 || size.width < 1 || size.height > kMostPixels / size.width)
    throw ImageError("expected 1 to " + std::to_string(kMostPixels) + " pixels, found " + std::to_string(size.height) +
                     " x " + std::to_string(size.width));
}

}  // namespace images

namespace {

struct Format {
  bool (*is_of)(std::span<const std::byte>);
  ImageSize (*size)(std::span<const std::byte>);
  Tensor (*decode)(std::span<const std::byte>);
};
constexpr std::array<Format, 2> kFormats = {{{images::is_jpeg, images::jpeg_size, images::decode_jpeg},
                                             {images::is_png, images::png_size, images::decode_png}}};

// Calls use(format, bytes) for the file.
template <typename Use>
auto with_format(const std::filesystem::path& path, Use&& use) {
  const auto file = MappedFile::open(path);
  const std::span<const std::byte> bytes(file->data(), file->size());
  try {
    for (const Format& format : kFormats)
      if (format.is_of(bytes)) return use(format, bytes);
    throw images::ImageError("expected a JPEG or PNG image");
  } catch (const images::ImageError& error) {
    throw FormatError("[load] " + path.string() + ": " + error.what());
  }
}

}  // namespace

Tensor load_image(const std::filesystem::path& path) {
  return with_format(path, [](const Format& format, auto bytes) { return format.decode(bytes); });
}

ImageSize image_size(const std::filesystem::path& path) {
  return with_format(path, [](const Format& format, auto bytes) { return format.size(bytes); });
}

bool is_image_name(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

}  // namespace qdq
