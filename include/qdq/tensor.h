#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "qdq/dtype.h"

namespace qdq {

using Shape = std::vector<std::int64_t>;

// A run of bytes, owned or mapped from a file. Shared by the tensors that view it.
class Storage {
 public:
  // Zero-filled, 64-byte aligned.
  static std::shared_ptr<Storage> allocate(std::size_t bytes);
  // Bytes that somebody else keeps alive through `owner` (a mapped file, a numpy array).
  static std::shared_ptr<Storage> wrap(std::byte* data, std::size_t bytes, std::shared_ptr<void> owner);

  std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  Storage(std::byte* data, std::size_t size, std::shared_ptr<void> owner)
      : data_(data), size_(size), owner_(std::move(owner)) {}
  std::byte* data_;
  std::size_t size_;
  std::shared_ptr<void> owner_;
};

// A strided view of a Storage: sizes, strides and offset in elements, like torch.Tensor. Copies are cheap and alias.
// A default-constructed Tensor is undefined.
class Tensor {
 public:
  Tensor() = default;
  // Throws InvalidArgumentError unless every element lies inside `storage`.
  Tensor(std::shared_ptr<Storage> storage, DType dtype, Shape sizes, Shape strides, std::int64_t storage_offset = 0);

  static Tensor empty(DType dtype, Shape sizes);  // contiguous, zero-filled
  // Sizes and strides without data, for planning: raw_data() throws, views of it are meta as well.
  static Tensor meta(DType dtype, Shape sizes, Shape strides);
  static Tensor meta(DType dtype, Shape sizes);  // contiguous
  static Tensor full(DType dtype, Shape sizes, double value);
  template <typename T>
  static Tensor from(std::span<const T> values, Shape sizes);
  template <typename T>
  static Tensor from(std::initializer_list<T> values, Shape sizes) {
    return from(std::span<const T>(values.begin(), values.size()), std::move(sizes));
  }
  template <typename T>
  static Tensor scalar(T value) {  // 0-dim
    return from(std::span<const T>(&value, 1), {});
  }

  bool defined() const { return storage_ != nullptr || meta_; }
  bool is_meta() const { return meta_; }
  DType dtype() const { return dtype_; }
  const Shape& sizes() const { return sizes_; }
  const Shape& strides() const { return strides_; }
  std::int64_t storage_offset() const { return offset_; }
  std::int64_t dim() const { return static_cast<std::int64_t>(sizes_.size()); }
  std::int64_t size(std::int64_t d) const;  // negative d counts from the end
  std::int64_t numel() const { return numel_; }
  std::size_t nbytes() const { return static_cast<std::size_t>(numel()) * element_size(dtype_); }
  bool is_contiguous() const;
  // True when the elements fill a gap-free run of memory in some order of the dimensions (channels-last, transposed).
  bool is_dense() const;
  const std::shared_ptr<Storage>& storage() const { return storage_; }

  std::byte* raw_data() const;
  // Throws InternalError when T is not the element type.
  template <typename T>
  T* data() const {
    check_type(dtype_of<T>());
    return reinterpret_cast<T*>(raw_data());
  }
  // The one element of a 1-element tensor, converted.
  double item() const;

  Tensor contiguous() const;     // itself when contiguous already
  Tensor clone() const;          // own memory, contiguous
  Tensor to(DType dtype) const;  // own memory unless the dtype is the same; C++ conversion rules, bool from != 0
  // A view of the same storage; of a meta tensor a meta tensor.
  Tensor as_strided(Shape sizes, Shape strides, std::int64_t storage_offset) const;
  Tensor reshape(Shape sizes) const;  // -1 allowed once; a view when contiguous, else a copy
  Tensor permute(std::span<const std::int64_t> dims) const;
  Tensor narrow(std::int64_t dim, std::int64_t start, std::int64_t length) const;
  void copy_from(const Tensor& source) const;  // same sizes; converts the dtype

 private:
  void check_type(DType wanted) const;
  std::shared_ptr<Storage> storage_;
  DType dtype_ = DType::float32;
  bool meta_ = false;
  Shape sizes_;
  Shape strides_;
  std::int64_t offset_ = 0;
  std::int64_t numel_ = 1;  // of sizes_, for loops that ask each time
};

Shape contiguous_strides(std::span<const std::int64_t> sizes);
std::int64_t numel(std::span<const std::int64_t> sizes);  // throws InvalidArgumentError on overflow or a negative size
std::string to_string(std::span<const std::int64_t> sizes);  // "[2, 3]"
// Same dtype, sizes and bits (NaNs compare by their bits).
bool bit_equal(const Tensor& a, const Tensor& b);

// One step over all elements in row-major order: fn(element_offset_of_a, element_offset_of_b, ...), offsets relative to
// each tensor's raw_data(). All strides must have sizes.size() entries.
template <std::size_t N, typename Fn>
void for_each_offset(std::span<const std::int64_t> sizes, const std::array<const Shape*, N>& strides, Fn&& fn);

}  // namespace qdq

#include "qdq/tensor_impl.h"
