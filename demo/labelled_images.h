#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "qdq/tensor.h"

namespace qdq::demo {

struct LabelledImages {
  Tensor images;                     // float32 [n, channels, height, width], normalised as the network was trained
  std::vector<std::int64_t> labels;  // class of each image
};

// The first `count` images of Fashion-MNIST's "train" or "t10k" part, from the two .gz files of that part. Throws IoError
// or FormatError, which name the file.
LabelledImages load_fashion_mnist(const std::filesystem::path& directory, const std::string& part, std::int64_t count);

// Arrays "x" (images) and "y" (labels) of a .npz file.
LabelledImages load_arrays(const std::filesystem::path& path);

}  // namespace qdq::demo
