#include "ops/promotion.h"

#include <algorithm>
#include <vector>

namespace qdq {
namespace {

enum class Kind { boolean, integral, floating, complex };

Kind kind_of(DType dtype) {
  if (dtype == DType::bool_) return Kind::boolean;
  if (is_complex(dtype)) return Kind::complex;
  return is_floating_point(dtype) ? Kind::floating : Kind::integral;
}

bool is_unsigned(DType dtype) { return integer_limits(dtype).min == 0; }

DType signed_of_size(std::size_t bytes) {
  return bytes == 1 ? DType::int8 : bytes == 2 ? DType::int16 : bytes == 4 ? DType::int32 : DType::int64;
}

// One group of torch.result_type's three.
struct Group {
  bool any = false;
  DType dtype = DType::bool_;
  void add(DType other) {
    dtype = any ? promote_types(dtype, other) : other;
    any = true;
  }
};

Group combine(const Group& higher, const Group& lower) {
  if (!higher.any) return lower;
  if (!lower.any) return higher;
  if (kind_of(higher.dtype) >= kind_of(lower.dtype)) return higher;
  return {true, promote_types(higher.dtype, lower.dtype)};
}

}  // namespace

DType promote_types(DType a, DType b) {
  a = plain_dtype(a);
  b = plain_dtype(b);
  if (a == b) return a;
  if (kind_of(a) != kind_of(b)) return kind_of(a) > kind_of(b) ? a : b;
  if (kind_of(a) == Kind::complex) return element_size(a) > element_size(b) ? a : b;
  if (kind_of(a) == Kind::floating) {
    if (element_size(a) == element_size(b)) return DType::float32;
    return element_size(a) > element_size(b) ? a : b;
  }
  if (is_unsigned(a) == is_unsigned(b)) return element_size(a) > element_size(b) ? a : b;
  const DType with_sign = is_unsigned(a) ? b : a;
  const DType without = is_unsigned(a) ? a : b;
  if (element_size(with_sign) > element_size(without)) return with_sign;
  return signed_of_size(element_size(without) * 2);
}

DType result_type(std::span<const Value> values) {
  Group dimensioned;
  Group zero_dim;
  Group numbers;
  for (const Value& value : values) {
    if (const Tensor* tensor = value.tensor())
      (tensor->dim() > 0 ? dimensioned : zero_dim).add(tensor->dtype());
    else if (std::holds_alternative<std::int64_t>(value.v))
      numbers.add(DType::int64);
    else if (std::holds_alternative<double>(value.v))
      numbers.add(DType::float32);
    else if (std::holds_alternative<bool>(value.v))
      numbers.add(DType::bool_);
  }
  return combine(dimensioned, combine(zero_dim, numbers)).dtype;
}

DType result_type(std::initializer_list<Value> values) {
  return result_type(std::span<const Value>(values.begin(), values.size()));
}

DType float_result(DType dtype) { return is_floating_point(dtype) || is_complex(dtype) ? dtype : DType::float32; }

Shape broadcast(const Call& call, std::span<const std::int64_t> a, std::span<const std::int64_t> b) {
  Shape result(std::max(a.size(), b.size()), 1);
  for (std::size_t i = 0; i < result.size(); ++i) {  // i counts from the last dimension
    const std::int64_t from_a = i < a.size() ? a[a.size() - 1 - i] : 1;
    const std::int64_t from_b = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (from_a != from_b && from_a != 1 && from_b != 1)
      call.fail("sizes " + to_string(a) + " and " + to_string(b) + " do not broadcast");
    result[result.size() - 1 - i] = from_a == 1 ? from_b : from_a;
  }
  return result;
}

Tensor expand(const Call& call, const Tensor& tensor, const Shape& sizes) {
  const auto refuse = [&] {
    call.fail("sizes " + to_string(tensor.sizes()) + " do not expand to " + to_string(sizes));
  };
  if (tensor.sizes().size() > sizes.size()) refuse();
  const std::size_t added = sizes.size() - tensor.sizes().size();
  Shape strides(sizes.size(), 0);
  for (std::size_t d = added; d < sizes.size(); ++d) {
    const std::int64_t size = tensor.sizes()[d - added];
    if (size == sizes[d])
      strides[d] = tensor.strides()[d - added];
    else if (size != 1)
      refuse();
  }
  return tensor.as_strided(sizes, std::move(strides), tensor.storage_offset());
}

}  // namespace qdq
