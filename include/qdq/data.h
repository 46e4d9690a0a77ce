#pragma once
#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "qdq/io.h"
#include "qdq/tensor.h"

namespace qdq {

// A tensor in a file, read in parts: the memory that it takes does not depend on how large the tensor is.
class TensorReader {
 public:
  virtual ~TensorReader() = default;
  TensorReader(const TensorReader&) = delete;
  TensorReader& operator=(const TensorReader&) = delete;

  const std::string& name() const { return name_; }
  DType dtype() const { return dtype_; }
  const Shape& sizes() const { return sizes_; }

  // The elements first .. first + count of the first dimension, contiguous and in memory of their own. Compressed data is
  // decompressed from its beginning unless the read before ended at or before `first`. Throws InvalidArgumentError for a
  // range that is not inside, and FormatError for compressed data that is damaged; its checksum is compared when the last
  // element is read.
  Tensor read(std::int64_t first, std::int64_t count);
  Tensor read_all();  // of any rank

 protected:
  TensorReader(std::string name, DType dtype, Shape sizes);
  // Fills `destination` with the bytes from `offset` on, counted in row-major order.
  virtual void read_bytes(std::uint64_t offset, std::span<std::byte> destination) = 0;

 private:
  std::string name_;
  DType dtype_;
  Shape sizes_;
};

// Those of a .npy, .npz or .safetensors file, in the order of the file. An array in Fortran order is the exception to the
// constant memory: it is loaded as a whole. Throws as load_tensors().
std::vector<std::unique_ptr<TensorReader>> open_tensors(const std::filesystem::path& path);
// Reads a tensor that is in memory already.
std::unique_ptr<TensorReader> open_tensor(NamedTensor tensor);

// The arrays of a stream of .npy files that follow each other directly. `name` is the stream's, for messages.
class NpyStream {
 public:
  NpyStream(std::istream& stream, std::string name);
  // The next array; nothing at the end of the stream. Memory is allocated as data arrives, whatever a header says.
  // Throws FormatError, with the number of the array and the position in the stream, for anything else.
  std::optional<Tensor> next();

 private:
  [[noreturn]] void fail(std::uint64_t at, const std::string& what) const;
  std::size_t read(std::byte* destination, std::size_t bytes);  // fewer at the end of the stream

  std::istream& stream_;
  std::string name_;
  std::uint64_t position_ = 0;
  std::int64_t count_ = 0;
};

}  // namespace qdq
