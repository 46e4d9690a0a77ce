#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace qdq {

// Element types, under PyTorch's names. Those from quint8 on appear in quantization specs only; tensors hold their plain
// type, of less than 8 bits one value to a byte.
enum class DType : std::uint8_t {
  uint8,
  int8,
  int16,
  int32,
  int64,
  float16,
  float32,
  float64,
  complex32,
  complex64,
  complex128,
  bool_,
  bfloat16,
  uint16,
  uint32,
  uint64,
  float8_e4m3fn,
  float8_e5m2,
  float8_e4m3fnuz,
  float8_e5m2fnuz,
  quint8,
  qint8,
  qint32,
  quint4x2,
  uint1,
  uint2,
  uint3,
  uint4,
  uint5,
  uint6,
  uint7,
  int1,
  int2,
  int3,
  int4,
  int5,
  int6,
  int7,
};

std::size_t element_size(DType dtype);                        // bytes
std::string_view name(DType dtype);                           // "float32", "bool", ...
std::string_view short_name(DType dtype);                     // "f32", "i8", "b8", ...: the graph's text form
std::optional<DType> dtype_from_name(std::string_view name);  // either spelling, "torch." prefix allowed

bool is_floating_point(DType dtype);
bool is_integral(DType dtype);  // bool excluded
bool is_complex(DType dtype);
// The dtype of tensors that hold such values: quint8 -> uint8, qint8 -> int8, qint32 -> int32, uint1..uint7 and quint4x2
// -> uint8, int1..int7 -> int8; anything else unchanged.
DType plain_dtype(DType dtype);

// The limits of an integer dtype, as torch.iinfo: 0..15 for uint4 and quint4x2, -8..7 for int4. Throws InvalidArgumentError for other dtypes.
struct IntegerLimits {
  std::int64_t min;
  std::int64_t max;
};
IntegerLimits integer_limits(DType dtype);

// The dtype that holds values of C++ type T.
template <typename T>
constexpr DType dtype_of();
template <>
constexpr DType dtype_of<std::uint8_t>() {
  return DType::uint8;
}
template <>
constexpr DType dtype_of<std::int8_t>() {
  return DType::int8;
}
template <>
constexpr DType dtype_of<std::int16_t>() {
  return DType::int16;
}
template <>
constexpr DType dtype_of<std::int32_t>() {
  return DType::int32;
}
template <>
constexpr DType dtype_of<std::int64_t>() {
  return DType::int64;
}
template <>
constexpr DType dtype_of<float>() {
  return DType::float32;
}
template <>
constexpr DType dtype_of<double>() {
  return DType::float64;
}
template <>
constexpr DType dtype_of<bool>() {
  return DType::bool_;
}
template <>
constexpr DType dtype_of<std::uint16_t>() {
  return DType::uint16;
}
template <>
constexpr DType dtype_of<std::uint32_t>() {
  return DType::uint32;
}
template <>
constexpr DType dtype_of<std::uint64_t>() {
  return DType::uint64;
}

}  // namespace qdq
