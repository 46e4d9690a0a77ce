#include "cli/image_samples.h"

#include <fmt/format.h>

#include "cli/usage.h"
#include "qdq/error.h"

namespace qdq::cli {
namespace {

class ImageSamples : public Samples {
 public:
  ImageSamples(ProgramInput input, std::vector<std::string> files, const ImagePreprocess& preprocess)
      : input_(std::move(input)), files_(std::move(files)), preprocess_(preprocess) {
    count_ = static_cast<std::int64_t>(files_.size());
    Shape sizes = load(files_.at(0)).sizes();
    sizes.insert(sizes.begin(), count_);
    inputs_.push_back({input_.type->dtype, std::move(sizes), true});
  }

  std::vector<Tensor> read(std::int64_t first, std::int64_t count) override {
    Shape sizes = inputs_[0].sizes;
    sizes[0] = count;
    const Tensor batch = Tensor::empty(inputs_[0].dtype, std::move(sizes));
    for (std::int64_t i = 0; i < count; ++i) {
      const std::string& file = files_[static_cast<std::size_t>(first + i)];
      const Tensor image = load(file);
      Shape one = image.sizes();
      one.insert(one.begin(), 1);
      const Tensor place = batch.narrow(0, i, 1);
      if (place.sizes() != one)
        throw InvalidArgumentError(
            fmt::format("{}: becomes {}, {} becomes {}: a batch takes images of one size; --image-size 256 --crop 224 "
                        "would make it so",
                        file, to_string(image.sizes()), files_[0], to_string(std::span(place.sizes()).subspan(1))));
      place.copy_from(image.reshape(std::move(one)));
    }
    return {batch};
  }

 private:
  Tensor load(const std::string& file) const {
    const bool wants_pixels = input_.type->dtype == DType::uint8;
    Tensor image;
    try {
      image = wants_pixels ? preprocess_pixels(load_image(file), preprocess_)
                           : preprocess_image(load_image(file), preprocess_);
    } catch (const InvalidArgumentError& error) {
      throw InvalidArgumentError(fmt::format("{}: {}", file, error.what()));
    }
    Shape sizes = image.sizes();
    sizes.insert(sizes.begin(), count_);
    input_.check(image.dtype(), sizes, false, file);
    return image;
  }

  ProgramInput input_;
  std::vector<std::string> files_;
  ImagePreprocess preprocess_;
};

}  // namespace

std::unique_ptr<Samples> image_samples(const Program& program, std::vector<std::string> files,
                                       const ImagePreprocess& preprocess) {
  std::vector<ProgramInput> inputs = program_inputs(program);
  const auto takes_images = [](const TensorMeta& type) {
    return type.sizes.size() == 4 && (is_floating_point(type.dtype) || type.dtype == DType::uint8);
  };
  if (inputs.size() != 1 || !inputs[0].type || !takes_images(*inputs[0].type))
    throw UsageError(
        "images calibrate programs whose one input is float or uint8 of 4 dimensions; 'qdq inspect' shows the inputs. "
        "Others take arrays: .npy, .npz or .safetensors");
  return std::make_unique<ImageSamples>(std::move(inputs[0]), std::move(files), preprocess);
}

}  // namespace qdq::cli
