#pragma once
#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>

#include "qdq/images.h"

// One pair of functions for each format. What the library says of the file becomes an ImageError; the caller knows the
// file and makes a FormatError of it.
namespace qdq::images {

struct ImageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

bool is_jpeg(std::span<const std::byte> bytes);
ImageSize jpeg_size(std::span<const std::byte> bytes);
Tensor decode_jpeg(std::span<const std::byte> bytes);

bool is_png(std::span<const std::byte> bytes);
ImageSize png_size(std::span<const std::byte> bytes);
Tensor decode_png(std::span<const std::byte> bytes);

// Throws ImageError for more than kMostPixels, or none: before any memory is asked for.
void check_size(ImageSize size);

}  // namespace qdq::images
