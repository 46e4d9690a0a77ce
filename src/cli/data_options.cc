#include "cli/data_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <filesystem>

#include "cli/files.h"
#include "cli/image_samples.h"
#include "qdq/error.h"

namespace qdq::cli {
namespace {

constexpr std::int64_t kLongestSide = 1 << 16;
constexpr const char* kImageGroup = "Options for images (DATA is a folder of .jpg and .png files)";

// "224", "224x160" (height x width), or "none". Nothing for any other text.
struct Sides {
  std::optional<std::int64_t> one;
  std::optional<ImageSize> both;
};
std::optional<Sides> sides_from_text(const std::string& text) {
  if (text == "none") return Sides{};
  const char* const end = text.data() + text.size();
  std::int64_t height = 0;
  std::int64_t width = 0;
  const auto first = std::from_chars(text.data(), end, height);
  const auto is_side = [](std::int64_t side) { return side >= 1 && side <= kLongestSide; };
  if (first.ec != std::errc() || !is_side(height)) return std::nullopt;
  if (first.ptr == end) return Sides{height, std::nullopt};
  if (*first.ptr != 'x') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, width);
  if (second.ec != std::errc() || second.ptr != end || !is_side(width)) return std::nullopt;
  return Sides{std::nullopt, ImageSize{height, width}};
}

std::string check_sides(const std::string& text) {
  return sides_from_text(text)
             ? ""
             : fmt::format("expected a size such as 224, 224x160 (height x width) or none, found '{}'", text);
}

// What a folder holds, in order of the names.
struct Listing {
  std::vector<std::string> arrays;
  std::vector<std::string> images;
  std::vector<std::string> others;
};
Listing list(const std::string& folder) {
  Listing listing;
  std::error_code error;
  std::filesystem::recursive_directory_iterator at(folder, error);
  for (; !error && at != std::filesystem::recursive_directory_iterator(); at.increment(error)) {
    const std::filesystem::path& path = at->path();
    if (path.filename().string().starts_with('.')) {
      at.disable_recursion_pending();
      continue;
    }
    if (!at->is_regular_file(error)) continue;
    auto& files = is_array_name(path) ? listing.arrays : is_image_name(path) ? listing.images : listing.others;
    files.push_back(path.generic_string());
  }
  if (error) throw IoError(fmt::format("cannot read the folder {}: {}", folder, error.message()));
  for (auto* files : {&listing.arrays, &listing.images, &listing.others}) std::ranges::sort(*files);
  return listing;
}

std::unique_ptr<Samples> open_images(const Program& program, const DataOptions& options,
                                     std::vector<std::string> files) {
  if (!options.says_how_images_become_inputs())
    throw UsageError(fmt::format(
        "{}: say how images become inputs: --preprocess imagenet, or --image-size, --crop, --mean, --std ...; "
        "--preprocess to_tensor only divides pixels by 255",
        options.path));
  return image_samples(program, std::move(files), options.preprocess());
}

}  // namespace

bool DataOptions::says_how_images_become_inputs() const {
  return preset || image_size || crop || interpolation || channels || pixel_range || layout || !mean.empty() ||
         !std.empty();
}

ImagePreprocess DataOptions::preprocess() const {
  ImagePreprocess result = preprocess_by_name(preset.value_or("to_tensor"));
  if (image_size) {
    const Sides sides = *sides_from_text(*image_size);
    result.shorter_side = sides.one;
    result.resize = sides.both;
  }
  if (crop) {
    const Sides sides = *sides_from_text(*crop);
    result.crop = sides.one ? ImageSize{*sides.one, *sides.one} : sides.both;
  }
  if (interpolation) {
    result.interpolation = *interpolation == "bicubic" ? Interpolation::bicubic : Interpolation::bilinear;
  }
  if (channels) {
    result.channels = *channels == "bgr"    ? ChannelOrder::bgr
                      : *channels == "gray" ? ChannelOrder::gray
                                            : ChannelOrder::rgb;
  }
  if (pixel_range) result.scale_to_one = *pixel_range == "1";
  if (layout) result.layout = *layout == "nhwc" ? ImageLayout::hwc : ImageLayout::chw;
  if (!mean.empty()) result.mean = mean;
  if (!std.empty()) result.std = std;
  try {
    check_preprocess(result);
  } catch (const InvalidArgumentError& error) {
    throw UsageError(error.what());
  }
  return result;
}

void add_image_options(CLI::App& command, DataOptions& options) {
  const auto add = [&](const char* option, auto& value, const std::string& text) {
    return command.add_option(option, value, text)->group(kImageGroup);
  };
  const std::vector<std::string_view> names = preprocess_names();
  add("--preprocess", options.preset,
      "A usual recipe: imagenet (shorter side 256, crop 224, ImageNet's mean and std), clip, or to_tensor (pixels / "
      "255). The options below override parts of it")
      ->check(CLI::IsMember(std::vector<std::string>(names.begin(), names.end())))
      ->type_name("NAME");
  add("--image-size", options.image_size, "Resize the shorter side to N, or to height x width; none: do not resize")
      ->check(check_sides)
      ->type_name("N|HxW");
  add("--crop", options.crop, "Cut N x N, or height x width, out of the middle; none: do not crop")
      ->check(check_sides)
      ->type_name("N|HxW");
  add("--interpolation", options.interpolation, "bilinear (the default) or bicubic, antialiased, as Pillow's")
      ->check(CLI::IsMember({"bilinear", "bicubic"}))
      ->type_name("NAME");
  add("--channels", options.channels, "rgb (the default), bgr or gray")
      ->check(CLI::IsMember({"rgb", "bgr", "gray"}))
      ->type_name("ORDER");
  add("--pixel-range", options.pixel_range, "What a white pixel is before mean and std: 1 (the default) or 255")
      ->check(CLI::IsMember({"1", "255"}))
      ->type_name("N");
  add("--mean", options.mean, "Subtracted from each channel: one number or three, such as 0.485,0.456,0.406")
      ->delimiter(',')
      ->expected(1, 3)
      ->allow_extra_args(false)
      ->type_name("X,Y,Z");
  add("--std", options.std, "What each channel is then divided by")
      ->delimiter(',')
      ->expected(1, 3)
      ->allow_extra_args(false)
      ->type_name("X,Y,Z");
  add("--layout", options.layout, "nchw (the default) or nhwc")
      ->check(CLI::IsMember({"nchw", "nhwc"}))
      ->type_name("NAME");
}

std::unique_ptr<Samples> open_samples(const Program& program, const DataOptions& options, bool whole, bool quiet) {
  const std::string& path = options.path;
  if (options.is_stream()) throw UsageError("standard input is read by 'qdq calibrate' and 'qdq quantize' only");
  if (!std::filesystem::is_directory(path)) {
    if (is_image_name(path)) return open_images(program, options, {path});
    if (options.says_how_images_become_inputs())
      throw UsageError(fmt::format("{} is no folder of images: --preprocess and its like do not apply", path));
    return array_samples(program, open_tensors(path), whole, path);
  }
  if (whole) throw UsageError(fmt::format("--batch 0 takes the arrays of one file; {} is a folder", path));
  Listing listing = list(path);
  if (listing.arrays.empty() == listing.images.empty())
    throw UsageError(listing.arrays.empty()
                         ? fmt::format("{}: the folder has neither images (.jpg, .png) nor arrays (.npy, .npz, "
                                       ".safetensors)",
                                       path)
                         : fmt::format("{}: the folder has both images ({}) and arrays ({})", path, listing.images[0],
                                       listing.arrays[0]));
  if (!listing.others.empty() && !quiet)
    fmt::print(stderr, "qdq: note: {} holds {} other file(s), such as {}, which are left out\n", path,
               listing.others.size(), listing.others[0]);
  if (!listing.images.empty()) return open_images(program, options, std::move(listing.images));
  if (options.says_how_images_become_inputs())
    throw UsageError(fmt::format("{} holds arrays and no images: --preprocess and its like do not apply", path));
  return file_samples(program, std::move(listing.arrays));
}

Batches open_batches(const Program& program, const DataOptions& data, const RunOptions& run,
                     Batches::Remainder remainder) {
  const bool whole = run.batch && *run.batch == 0;
  Batches batches(program, open_samples(program, data, whole, run.quiet), run.batch, remainder);
  if (run.samples) batches.limit(*run.samples);
  if (batches.samples() == 0) throw InvalidArgumentError(fmt::format("{}: no samples", data.path));
  return batches;
}

Batches open_full_batches(const Program& program, const DataOptions& data, const RunOptions& run) {
  Batches batches = open_batches(program, data, run, Batches::Remainder::drop);
  if (batches.dropped() > 0 && !run.quiet)
    fmt::print(stderr, "qdq: note: the last {} samples do not fill a batch of {} and are left out\n", batches.dropped(),
               batches.batch_size());
  if (batches.count() == 0)
    throw InvalidArgumentError(
        fmt::format("{}: {} samples do not fill one batch of {}", data.path, batches.samples(), batches.batch_size()));
  return batches;
}

}  // namespace qdq::cli
