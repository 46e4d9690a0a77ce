// The readers of JPEG and PNG images: each file is refused with a FormatError or gives the pixels that its header states.
#include "bytes_file.h"
#include "qdq/error.h"
#include "qdq/images.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::int64_t kMostPixelsHere = 1 << 20;  // a larger image only makes a run slower
  try {
    const qdq::fuzz::BytesFile file(data, size);
    const qdq::ImageSize stated = qdq::image_size(file.path());
    if (stated.height * stated.width > kMostPixelsHere) return 0;
    const qdq::Tensor pixels = qdq::load_image(file.path());
    if (pixels.sizes() != std::vector<std::int64_t>{stated.height, stated.width, 3}) std::abort();
    if (!qdq::bit_equal(pixels, pixels.clone())) std::abort();
  } catch (const qdq::FormatError&) {
  }
  return 0;
}
