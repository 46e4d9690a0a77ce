#include <algorithm>
#include <cmath>

#include "qdq/error.h"
#include "qdq/images.h"

namespace qdq {
namespace {

[[noreturn]] void fail(const std::string& what) { throw InvalidArgumentError("[image] " + what); }

std::string text_of(ImageSize size) { return std::to_string(size.height) + " x " + std::to_string(size.width); }

std::size_t channels_of(const ImagePreprocess& preprocess) { return preprocess.channels == ChannelOrder::gray ? 1 : 3; }

ImageSize resized(ImageSize size, const ImagePreprocess& preprocess) {
  if (preprocess.resize) return *preprocess.resize;
  if (!preprocess.shorter_side) return size;
  const std::int64_t side = *preprocess.shorter_side;
  const auto longer = [side](std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<double>(side) * static_cast<double>(a) / static_cast<double>(b));
  };
  return size.width <= size.height ? ImageSize{longer(size.height, size.width), side}
                                   : ImageSize{side, longer(size.width, size.height)};
}

Tensor center_crop(const Tensor& image, ImageSize crop) {
  if (image.size(0) < crop.height || image.size(1) < crop.width)
    fail("an image of " + text_of({image.size(0), image.size(1)}) + " pixels is smaller than the crop of " +
         text_of(crop) + "; resize it first");
  const auto margin = [](std::int64_t size, std::int64_t kept) {
    return static_cast<std::int64_t>(std::nearbyint(static_cast<double>(size - kept) / 2));
  };
  return image.narrow(0, margin(image.size(0), crop.height), crop.height)
      .narrow(1, margin(image.size(1), crop.width), crop.width)
      .contiguous();
}

Tensor reorder_channels(const Tensor& image, ChannelOrder order) {
  if (order == ChannelOrder::rgb) return image;
  const bool is_gray = order == ChannelOrder::gray;
  Tensor result = Tensor::empty(DType::uint8, {image.size(0), image.size(1), is_gray ? 1 : 3});
  const std::uint8_t* in = image.data<std::uint8_t>();
  std::uint8_t* out = result.data<std::uint8_t>();
  for (std::int64_t i = 0; i < image.size(0) * image.size(1); ++i, in += 3) {
    if (is_gray) {
      *out++ = static_cast<std::uint8_t>((19595 * in[0] + 38470 * in[1] + 7471 * in[2] + 32768) >> 16);
    } else {
      out = std::reverse_copy(in, in + 3, out);
    }
  }
  return result;
}

// Up to ChannelOrder: uint8 [height, width, channels].
Tensor arrange(const Tensor& image, const ImagePreprocess& preprocess) {
  check_preprocess(preprocess);
  if (image.dtype() != DType::uint8 || image.dim() != 3 || image.size(2) != 3 || image.numel() == 0)
    fail("expected uint8 [height, width, 3], found " + std::string(name(image.dtype())) + to_string(image.sizes()));
  Tensor result = resize_image(image, resized({image.size(0), image.size(1)}, preprocess), preprocess.interpolation);
  if (preprocess.crop) result = center_crop(result, *preprocess.crop);
  return reorder_channels(result, preprocess.channels);
}

// What each pixel value becomes in one channel.
std::vector<float> values_of(const ImagePreprocess& preprocess, std::size_t channel) {
  const auto of_channel = [&](const std::vector<float>& values, float otherwise) {
    return values.empty() ? otherwise : values[values.size() == 1 ? 0 : channel];
  };
  const float mean = of_channel(preprocess.mean, 0);
  const float std = of_channel(preprocess.std, 1);
  std::vector<float> values(256);
  for (std::size_t pixel = 0; pixel < values.size(); ++pixel) {
    const auto number = static_cast<float>(pixel);
    values[pixel] = ((preprocess.scale_to_one ? number / 255.0f : number) - mean) / std;
  }
  return values;
}

Tensor in_layout(const Tensor& image, ImageLayout layout) {
  constexpr std::int64_t kToChw[] = {2, 0, 1};
  return layout == ImageLayout::hwc ? image : image.permute(kToChw).contiguous();
}

}  // namespace

ImagePreprocess preprocess_by_name(std::string_view name) {
  ImagePreprocess preprocess;
  if (name == "imagenet") {
    preprocess.shorter_side = 256;
    preprocess.crop = {224, 224};
    preprocess.mean = {0.485f, 0.456f, 0.406f};
    preprocess.std = {0.229f, 0.224f, 0.225f};
  } else if (name == "clip") {
    preprocess.shorter_side = 224;
    preprocess.interpolation = Interpolation::bicubic;
    preprocess.crop = {224, 224};
    preprocess.mean = {0.48145466f, 0.4578275f, 0.40821073f};
    preprocess.std = {0.26862954f, 0.26130258f, 0.27577711f};
  } else if (name != "to_tensor") {
    std::string known;
    for (const std::string_view each : preprocess_names()) known += (known.empty() ? "" : ", ") + std::string(each);
    fail("no preprocessing is called '" + std::string(name) + "'; expected one of " + known);
  }
  return preprocess;
}

std::vector<std::string_view> preprocess_names() { return {"imagenet", "clip", "to_tensor"}; }

void check_preprocess(const ImagePreprocess& preprocess) {
  const auto check_size = [](const std::optional<ImageSize>& size) {
    if (size && (size->height < 1 || size->width < 1)) fail("a size of " + text_of(*size) + " pixels");
  };
  check_size(preprocess.resize);
  check_size(preprocess.crop);
  if (preprocess.shorter_side && *preprocess.shorter_side < 1)
    fail("a shorter side of " + std::to_string(*preprocess.shorter_side) + " pixels");
  if (preprocess.shorter_side && preprocess.resize) fail("either the shorter side is given or both sides");
  const std::size_t channels = channels_of(preprocess);
  for (const auto* values : {&preprocess.mean, &preprocess.std})
    if (values->size() > 1 && values->size() != channels)
      fail("mean and std have one number, or one for each of the " + std::to_string(channels) + " channel(s); found " +
           std::to_string(values->size()));
  for (const float std : preprocess.std)
    if (std == 0) fail("a std of 0");
}

Tensor preprocess_image(const Tensor& image, const ImagePreprocess& preprocess) {
  const Tensor pixels = in_layout(arrange(image, preprocess), preprocess.layout);
  Tensor result = Tensor::empty(DType::float32, pixels.sizes());
  const std::size_t channels = channels_of(preprocess);
  const bool is_planar = preprocess.layout == ImageLayout::chw;
  const std::int64_t plane = pixels.numel() / static_cast<std::int64_t>(channels);
  const auto step = static_cast<std::int64_t>(is_planar ? 1 : channels);
  for (std::size_t c = 0; c < channels; ++c) {
    const std::vector<float> values = values_of(preprocess, c);
    const auto start = static_cast<std::int64_t>(c) * (is_planar ? plane : 1);
    const std::uint8_t* in = pixels.data<std::uint8_t>() + start;
    float* out = result.data<float>() + start;
    for (std::int64_t i = 0; i < plane; ++i) out[i * step] = values[in[i * step]];
  }
  return result;
}

Tensor preprocess_pixels(const Tensor& image, const ImagePreprocess& preprocess) {
  if (!preprocess.mean.empty() || !preprocess.std.empty()) fail("pixels in uint8 take neither mean nor std");
  return in_layout(arrange(image, preprocess), preprocess.layout);
}

}  // namespace qdq
