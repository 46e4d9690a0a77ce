#include "labelled_images.h"

#include <fmt/format.h>
#include <zlib.h>

#include <array>
#include <memory>

#include "qdq/error.h"
#include "qdq/io.h"

namespace qdq::demo {
namespace {

// Mean and standard deviation of Fashion-MNIST's training images, as demo/train.py normalises.
constexpr float kMean = 0.286F;
constexpr float kDeviation = 0.353F;

// The file's header and first `count` items of `item_bytes` each. The format is IDX: four bytes of which the last is the
// number of dimensions, the dimensions as big-endian 32-bit numbers, then the bytes.
std::vector<std::uint8_t> read_idx(const std::filesystem::path& path, std::size_t dimensions, std::int64_t count,
                                   std::int64_t item_bytes) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  if (!file)
    throw IoError(fmt::format("cannot open {} (Debian's package dataset-fashion-mnist has it)", path.string()));
  std::array<std::uint8_t, 16> header{};
  const auto header_bytes = static_cast<unsigned>(4 + 4 * dimensions);
  if (gzread(file.get(), header.data(), header_bytes) != static_cast<int>(header_bytes) || header[3] != dimensions)
    throw FormatError(fmt::format("{}: expected an IDX file of {} dimension(s)", path.string(), dimensions));
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(count * item_bytes));
  if (gzread(file.get(), bytes.data(), static_cast<unsigned>(bytes.size())) != static_cast<int>(bytes.size()))
    throw FormatError(fmt::format("{}: holds fewer than {} items", path.string(), count));
  return bytes;
}

}  // namespace

LabelledImages load_fashion_mnist(const std::filesystem::path& directory, const std::string& part, std::int64_t count) {
  const std::vector<std::uint8_t> pixels = read_idx(directory / (part + "-images-idx3-ubyte.gz"), 3, count, 28 * 28);
  const std::vector<std::uint8_t> labels = read_idx(directory / (part + "-labels-idx1-ubyte.gz"), 1, count, 1);
  LabelledImages result{Tensor::empty(DType::float32, {count, 1, 28, 28}), {labels.begin(), labels.end()}};
  float* image = result.images.data<float>();
  for (std::size_t i = 0; i < pixels.size(); ++i)
    image[i] = (static_cast<float>(pixels[i]) / 255.0F - kMean) / kDeviation;
  return result;
}

LabelledImages load_arrays(const std::filesystem::path& path) {
  LabelledImages result;
  for (const NamedTensor& array : load_tensors(path)) {
    if (array.name == "x") result.images = array.value;
    if (array.name != "y") continue;
    const Tensor labels = array.value.to(DType::int64).contiguous();
    result.labels.assign(labels.data<std::int64_t>(), labels.data<std::int64_t>() + labels.numel());
  }
  if (!result.images.defined() || static_cast<std::size_t>(result.images.size(0)) != result.labels.size())
    throw FormatError(fmt::format("{}: expected arrays x (images) and y (labels) of the same length", path.string()));
  return result;
}

}  // namespace qdq::demo
