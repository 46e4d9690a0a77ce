#include "qdq/tensor.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <numeric>

#include "base/checked.h"
#include "tensor/dispatch.h"
#include "tensor/float_formats.h"

namespace qdq {

std::shared_ptr<Storage> Storage::allocate(std::size_t bytes) {
  constexpr std::size_t kAlignment = 64;
  const std::size_t rounded = std::max((bytes + kAlignment - 1) / kAlignment, std::size_t{1}) * kAlignment;
  std::size_t room = rounded + kAlignment;
  // calloc: what the system has just given is zero already, and touched by nobody yet.
  std::shared_ptr<void> memory(std::calloc(1, room), std::free);
  if (!memory) throw std::bad_alloc();
  void* data = memory.get();
  std::align(kAlignment, rounded, data, room);
  return std::shared_ptr<Storage>(new Storage(static_cast<std::byte*>(data), bytes, std::move(memory)));
}

std::shared_ptr<Storage> Storage::wrap(std::byte* data, std::size_t bytes, std::shared_ptr<void> owner) {
  return std::shared_ptr<Storage>(new Storage(data, bytes, std::move(owner)));
}

Shape contiguous_strides(std::span<const std::int64_t> sizes) {
  static_cast<void>(numel(sizes));  // refuses sizes whose strides would overflow
  Shape strides(sizes.size(), 1);
  for (std::size_t d = sizes.size(); d-- > 1;) strides[d - 1] = strides[d] * std::max<std::int64_t>(sizes[d], 1);
  return strides;
}

std::int64_t numel(std::span<const std::int64_t> sizes) {
  std::int64_t product = 1;
  bool empty = false;
  for (std::int64_t size : sizes) {
    if (size < 0) throw InvalidArgumentError("negative size in " + to_string(sizes));
    empty |= size == 0;
    const auto next = checked_mul(product, std::max<std::int64_t>(size, 1));
    if (!next) throw InvalidArgumentError("too many elements: " + to_string(sizes));
    product = *next;
  }
  return empty ? 0 : product;
}

std::string to_string(std::span<const std::int64_t> sizes) {
  std::string text = "[";
  for (std::size_t i = 0; i < sizes.size(); ++i) text += (i ? ", " : "") + std::to_string(sizes[i]);
  return text + "]";
}

Tensor::Tensor(std::shared_ptr<Storage> storage, DType dtype, Shape sizes, Shape strides, std::int64_t storage_offset)
    : storage_(std::move(storage)),
      dtype_(dtype),
      sizes_(std::move(sizes)),
      strides_(std::move(strides)),
      offset_(storage_offset),
      numel_(qdq::numel(sizes_)) {
  const auto refuse = [this](const std::string& why) {
    throw InvalidArgumentError("tensor of sizes " + to_string(sizes_) + ", strides " + to_string(strides_) +
                               ", offset " + std::to_string(offset_) + why);
  };
  if (sizes_.size() != strides_.size()) refuse(": as many strides as sizes expected");
  const bool empty = numel_ == 0;
  std::optional<std::int64_t> last = offset_;
  for (std::size_t d = 0; d < sizes_.size() && last && !empty; ++d) {
    if (strides_[d] < 0) refuse(": negative stride");
    const auto reach = checked_mul(sizes_[d] - 1, strides_[d]);
    last = reach ? checked_add(*last, *reach) : std::nullopt;
  }
  const auto available = static_cast<std::int64_t>(storage_->size() / element_size(dtype_));
  if (offset_ < 0 || !last || (!empty && *last >= available))
    refuse(" reaches beyond its storage of " + std::to_string(storage_->size()) + " bytes");
}

Tensor Tensor::empty(DType dtype, Shape sizes) {
  const auto bytes = checked_mul(qdq::numel(sizes), static_cast<std::int64_t>(element_size(dtype)));
  if (!bytes) throw InvalidArgumentError("too many elements: " + to_string(sizes));
  Shape strides = contiguous_strides(sizes);
  return Tensor(Storage::allocate(static_cast<std::size_t>(*bytes)), dtype, std::move(sizes), std::move(strides));
}

Tensor Tensor::meta(DType dtype, Shape sizes, Shape strides) {
  if (sizes.size() != strides.size()) throw InvalidArgumentError("Tensor::meta: as many strides as sizes expected");
  Tensor result;
  result.numel_ = qdq::numel(sizes);
  result.dtype_ = dtype;
  result.meta_ = true;
  result.sizes_ = std::move(sizes);
  result.strides_ = std::move(strides);
  return result;
}

Tensor Tensor::meta(DType dtype, Shape sizes) {
  Shape strides = contiguous_strides(sizes);
  return meta(dtype, std::move(sizes), std::move(strides));
}

Tensor Tensor::full(DType dtype, Shape sizes, double value) {
  const Tensor scalar_value = Tensor::scalar(value);
  Tensor result = empty(dtype, std::move(sizes));
  const Shape zero_strides(result.sizes().size(), 0);
  result.copy_from(scalar_value.as_strided(result.sizes(), zero_strides, 0));
  return result;
}

std::int64_t Tensor::size(std::int64_t d) const {
  const std::int64_t at = d < 0 ? d + dim() : d;
  if (at < 0 || at >= dim())
    throw InvalidArgumentError("dimension " + std::to_string(d) + " of a tensor of sizes " + to_string(sizes_));
  return sizes_[static_cast<std::size_t>(at)];
}

bool Tensor::is_contiguous() const {
  std::int64_t expected = 1;
  for (std::size_t d = sizes_.size(); d-- > 0;) {
    if (sizes_[d] == 0) return true;
    if (sizes_[d] != 1 && strides_[d] != expected) return false;
    expected *= sizes_[d];
  }
  return true;
}

bool Tensor::is_dense() const {
  std::vector<std::size_t> order;
  for (std::size_t d = 0; d < sizes_.size(); ++d) {
    if (sizes_[d] == 0) return true;
    if (sizes_[d] != 1) order.push_back(d);
  }
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return strides_[a] < strides_[b]; });
  std::int64_t expected = 1;
  for (std::size_t d : order) {
    if (strides_[d] != expected) return false;
    expected *= sizes_[d];
  }
  return true;
}

std::byte* Tensor::raw_data() const {
  if (!storage_) throw InternalError(meta_ ? "data of a meta tensor" : "data of an undefined tensor");
  return storage_->data() + offset_ * static_cast<std::int64_t>(element_size(dtype_));
}

void Tensor::check_type(DType wanted) const {
  if (plain_dtype(dtype_) != wanted)
    throw InternalError("a tensor of " + std::string(name(dtype_)) + " read as " + std::string(name(wanted)));
}

double Tensor::item() const {
  if (numel() != 1) throw InvalidArgumentError("item() of a tensor of sizes " + to_string(sizes_));
  return dispatch(dtype_, [&](auto element) {
    using Element = decltype(element);
    typename Element::Stored stored;
    std::memcpy(&stored, raw_data(), sizeof stored);
    return static_cast<double>(Element::load(stored));
  });
}

Tensor Tensor::contiguous() const { return is_contiguous() ? *this : clone(); }

Tensor Tensor::clone() const {
  Tensor copy = empty(dtype_, sizes_);
  copy.copy_from(*this);
  return copy;
}

Tensor Tensor::to(DType dtype) const {
  if (dtype == dtype_) return *this;
  Tensor result = empty(dtype, sizes_);
  result.copy_from(*this);
  return result;
}

Tensor Tensor::as_strided(Shape sizes, Shape strides, std::int64_t storage_offset) const {
  if (meta_) {
    Tensor view = meta(dtype_, std::move(sizes), std::move(strides));
    view.offset_ = storage_offset;
    return view;
  }
  return Tensor(storage_, dtype_, std::move(sizes), std::move(strides), storage_offset);
}

Tensor Tensor::reshape(Shape sizes) const {
  const std::int64_t total = numel();
  std::int64_t known = 1;
  std::int64_t* free_dim = nullptr;
  for (std::int64_t& size : sizes) {
    if (size == -1) {
      if (free_dim) throw InvalidArgumentError("reshape to " + to_string(sizes) + ": only one -1 is allowed");
      free_dim = &size;
    } else {
      known *= size;
    }
  }
  if (free_dim) *free_dim = known == 0 ? 0 : total / known;
  if (qdq::numel(sizes) != total)
    throw InvalidArgumentError("reshape of sizes " + to_string(sizes_) + " to " + to_string(sizes));
  const Tensor source = contiguous();
  Shape strides = contiguous_strides(sizes);
  return source.as_strided(std::move(sizes), std::move(strides), source.storage_offset());
}

Tensor Tensor::permute(std::span<const std::int64_t> dims) const {
  Shape sizes;
  Shape strides;
  std::vector<bool> seen(sizes_.size(), false);
  for (std::int64_t d : dims) {
    const auto at = static_cast<std::size_t>(d < 0 ? d + dim() : d);
    if (at >= sizes_.size() || seen[at])
      throw InvalidArgumentError("permute " + to_string(dims) + " of sizes " + to_string(sizes_));
    seen[at] = true;
    sizes.push_back(sizes_[at]);
    strides.push_back(strides_[at]);
  }
  if (sizes.size() != sizes_.size())
    throw InvalidArgumentError("permute " + to_string(dims) + " of sizes " + to_string(sizes_));
  return as_strided(std::move(sizes), std::move(strides), offset_);
}

Tensor Tensor::narrow(std::int64_t d, std::int64_t start, std::int64_t length) const {
  const std::int64_t extent = size(d);
  if (start < 0 || length < 0 || start > extent - length)
    throw InvalidArgumentError("narrow to [" + std::to_string(start) + ", +" + std::to_string(length) + ") of sizes " +
                               to_string(sizes_));
  const auto at = static_cast<std::size_t>(d < 0 ? d + dim() : d);
  Shape sizes = sizes_;
  sizes[at] = length;
  return as_strided(std::move(sizes), strides_, length == 0 ? offset_ : offset_ + start * strides_[at]);
}

void Tensor::copy_from(const Tensor& source) const {
  if (source.sizes() != sizes_)
    throw InvalidArgumentError("copy of sizes " + to_string(source.sizes()) + " to " + to_string(sizes_));
  const bool same_layout = strides_ == source.strides() || (is_contiguous() && source.is_contiguous());
  if (plain_dtype(dtype_) == plain_dtype(source.dtype()) && same_layout && is_dense()) {
    if (numel() > 0) std::memmove(raw_data(), source.raw_data(), nbytes());
    return;
  }
  if (dtype_ == source.dtype() && is_complex(dtype_)) {
    const auto width = element_size(dtype_);
    for_each_offset<2>(sizes_, {&strides_, &source.strides_}, [&](std::int64_t to, std::int64_t from) {
      std::memcpy(raw_data() + to * static_cast<std::int64_t>(width),
                  source.raw_data() + from * static_cast<std::int64_t>(width), width);
    });
    return;
  }
  dispatch(source.dtype(), [&](auto from_type) {
    dispatch(dtype_, [&](auto to_type) {
      using From = decltype(from_type);
      using To = decltype(to_type);
      const auto* from = reinterpret_cast<const typename From::Stored*>(source.raw_data());
      auto* to = reinterpret_cast<typename To::Stored*>(raw_data());
      for_each_offset<2>(sizes_, {&strides_, &source.strides_},
                         [&](std::int64_t t, std::int64_t f) { to[t] = To::store_converted(From::load(from[f])); });
    });
  });
}

bool bit_equal(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || a.sizes() != b.sizes()) return false;
  const Tensor left = a.contiguous();
  const Tensor right = b.contiguous();
  return left.nbytes() == 0 || std::memcmp(left.raw_data(), right.raw_data(), left.nbytes()) == 0;
}

}  // namespace qdq
