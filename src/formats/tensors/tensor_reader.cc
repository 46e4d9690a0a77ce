#include <algorithm>
#include <cstring>

#include "formats/tensors/tensor_readers.h"
#include "qdq/data.h"
#include "qdq/error.h"

namespace qdq {
namespace {

class LoadedReader : public TensorReader {
 public:
  LoadedReader(std::string name, const Tensor& tensor)
      : TensorReader(std::move(name), tensor.dtype(), tensor.sizes()), tensor_(tensor.contiguous()) {}

 private:
  void read_bytes(std::uint64_t offset, std::span<std::byte> destination) override {
    std::memcpy(destination.data(), tensor_.raw_data() + offset, destination.size());
  }
  Tensor tensor_;
};

class MappedReader : public TensorReader {
 public:
  MappedReader(std::string name, DType dtype, Shape sizes, const std::byte* data, std::shared_ptr<MappedFile> file)
      : TensorReader(std::move(name), dtype, std::move(sizes)), data_(data), file_(std::move(file)) {}

 private:
  void read_bytes(std::uint64_t offset, std::span<std::byte> destination) override {
    std::memcpy(destination.data(), data_ + offset, destination.size());
    file_->forget_pages();
  }
  const std::byte* data_;
  std::shared_ptr<MappedFile> file_;
};

}  // namespace

TensorReader::TensorReader(std::string name, DType dtype, Shape sizes)
    : name_(std::move(name)), dtype_(dtype), sizes_(std::move(sizes)) {}

Tensor TensorReader::read(std::int64_t first, std::int64_t count) {
  if (sizes_.empty() || first < 0 || count < 0 || first > sizes_[0] || count > sizes_[0] - first)
    throw InvalidArgumentError("'" + name_ + "' of " + to_string(sizes_) + " has no elements " + std::to_string(first) +
                               " to " + std::to_string(first + count));
  Shape sizes = sizes_;
  sizes[0] = count;
  Tensor result = Tensor::empty(dtype_, std::move(sizes));
  const std::size_t row = count > 0 ? result.nbytes() / static_cast<std::size_t>(count) : 0;
  if (result.nbytes() > 0) read_bytes(row * static_cast<std::uint64_t>(first), {result.raw_data(), result.nbytes()});
  return result;
}

Tensor TensorReader::read_all() {
  Tensor result = Tensor::empty(dtype_, sizes_);
  if (result.nbytes() > 0) read_bytes(0, {result.raw_data(), result.nbytes()});
  return result;
}

std::unique_ptr<TensorReader> open_tensor(NamedTensor tensor) {
  return std::make_unique<LoadedReader>(std::move(tensor.name), tensor.value);
}

std::unique_ptr<TensorReader> mapped_reader(std::string name, DType dtype, Shape sizes, const std::byte* data,
                                            std::shared_ptr<MappedFile> file) {
  return std::make_unique<MappedReader>(std::move(name), dtype, std::move(sizes), data, std::move(file));
}

}  // namespace qdq
