#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/batches.h"
#include "cli/samples.h"
#include "cli/usage.h"
#include "qdq/images.h"

namespace qdq::cli {

// Where a command's samples come from, and what makes inputs of images.
struct DataOptions {
  std::string path;  // a file, a folder, or "-" for standard input
  std::optional<std::string> preset;
  // Each overrides what the preset says.
  std::optional<std::string> image_size;
  std::optional<std::string> crop;
  std::optional<std::string> interpolation;
  std::optional<std::string> channels;
  std::optional<std::string> pixel_range;
  std::optional<std::string> layout;
  std::vector<float> mean;
  std::vector<float> std;

  bool is_stream() const { return path == "-"; }
  bool says_how_images_become_inputs() const;
  // Throws UsageError for numbers that do not fit each other.
  ImagePreprocess preprocess() const;
};

// The options about images; the one for the path has another name in each command.
void add_image_options(CLI::App& command, DataOptions& options);

// The samples of a file, of all files in a folder and the folders in it, in the order of their paths' bytes, or of one
// image. Throws UsageError for a folder without data, or with images and arrays, for images without a word on how they
// become inputs, and the reverse. `quiet`: no note of files that are neither.
std::unique_ptr<Samples> open_samples(const Program& program, const DataOptions& options, bool whole, bool quiet);

// The same in batches, no more than --samples of them. Throws InvalidArgumentError when there are no samples.
Batches open_batches(const Program& program, const DataOptions& data, const RunOptions& run,
                     Batches::Remainder remainder);
// The same without what does not fill a batch, of which a note tells unless `run` is quiet. Throws InvalidArgumentError when nothing is left.
Batches open_full_batches(const Program& program, const DataOptions& data, const RunOptions& run);

}  // namespace qdq::cli
