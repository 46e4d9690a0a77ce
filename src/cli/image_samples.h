#pragma once
#include <memory>
#include <string>
#include <vector>

#include "cli/samples.h"
#include "qdq/images.h"

namespace qdq::cli {

// Images as the one input of a program: [N, channels, height, width] or [N, height, width, channels], in floating point or
// as the pixels themselves (uint8). Throws UsageError for a program with other inputs, and what loading and preprocessing
// the first image throws; InvalidArgumentError names the file.
std::unique_ptr<Samples> image_samples(const Program& program, std::vector<std::string> files,
                                       const ImagePreprocess& preprocess);

}  // namespace qdq::cli
