#pragma once
#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "qdq/tensor.h"

namespace qdq {

struct ImageSize {
  std::int64_t height = 0;
  std::int64_t width = 0;
  bool operator==(const ImageSize&) const = default;
};

// Pixels of a JPEG or PNG, told apart by their first bytes: uint8 [height, width, 3], red, green, blue, as Pillow's
// convert("RGB") gives them. Grey becomes three equal channels, a palette its colours, CMYK red, green and blue;
// transparency is dropped, 16 bits become their upper 8; orientation and colour profile are not looked at. Throws IoError,
// and FormatError for a file that is damaged or cut short, is of another kind, or has more than kMostPixels.
Tensor load_image(const std::filesystem::path& path);
inline constexpr std::int64_t kMostPixels = std::int64_t{1} << 27;

// Height and width that the file's header states; reads no pixels. Throws as load_image().
ImageSize image_size(const std::filesystem::path& path);
// Whether the name ends as those of images that load_image() reads: .jpg, .jpeg or .png in any case.
bool is_image_name(const std::filesystem::path& path);

enum class Interpolation { bilinear, bicubic };

// Pixels (uint8 [height, width, channels]) at another size, with the bits of Pillow's Image.resize: a triangle (bilinear) or
// a cubic with a = -0.5 (bicubic), stretched by the scale where that makes smaller ("antialias"), first along rows, then
// along columns, each rounded to 8 bits. (Pillow 13 takes the columns first where that is cheaper: one or two steps off.)
// Throws InvalidArgumentError for sizes below 1 or more than kMostPixels.
Tensor resize_image(const Tensor& image, ImageSize size, Interpolation interpolation = Interpolation::bilinear);

enum class ChannelOrder { rgb, bgr, gray };
enum class ImageLayout { chw, hwc };

// How pixels become a network's input, in the order of the fields. The names and formulas are torchvision's on PIL images.
struct ImagePreprocess {
  // Resize(n): the shorter side becomes n, the longer one int(n * longer / shorter). Or both sides.
  std::optional<std::int64_t> shorter_side;
  std::optional<ImageSize> resize;
  Interpolation interpolation = Interpolation::bilinear;
  // CenterCrop: from row round((height - crop.height) / 2), half to even, and the same for columns.
  std::optional<ImageSize> crop;
  ChannelOrder channels = ChannelOrder::rgb;  // gray: (19595 R + 38470 G + 7471 B + 32768) >> 16, Pillow's convert("L")
  bool scale_to_one = true;                   // ToTensor: pixel / 255; false: 0 to 255
  // Normalize: (value - mean) / std, in float32, in the order of `channels`; one number, or one for each channel. Empty:
  // neither.
  std::vector<float> mean;
  std::vector<float> std;
  ImageLayout layout = ImageLayout::chw;
};

// "imagenet": Resize(256), CenterCrop(224), mean (0.485, 0.456, 0.406), std (0.229, 0.224, 0.225), as torchvision's
// classifiers; "clip": Resize(224, bicubic), CenterCrop(224) and OpenAI's mean and std; "to_tensor": pixel / 255 and
// nothing else. Throws InvalidArgumentError for others.
ImagePreprocess preprocess_by_name(std::string_view name);
std::vector<std::string_view> preprocess_names();

// Throws InvalidArgumentError for numbers that do not fit each other: of `mean` and `std`, zero in `std`, sizes below 1.
void check_preprocess(const ImagePreprocess& preprocess);

// float32 [channels, height, width], or [height, width, channels] with `layout`, of pixels as load_image() gives them.
// Throws InvalidArgumentError as check_preprocess(), and for an image that is smaller than the crop.
Tensor preprocess_image(const Tensor& image, const ImagePreprocess& preprocess);
// The same up to `channels`, as uint8, for a network that takes pixels. `mean` and `std` must be empty.
Tensor preprocess_pixels(const Tensor& image, const ImagePreprocess& preprocess);

}  // namespace qdq
