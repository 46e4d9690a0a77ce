#include "qdq/dtype.h"

#include <array>
#include <limits>
#include <string>

#include "qdq/error.h"

namespace qdq {
namespace {

struct Row {
  DType dtype;
  std::string_view name;
  std::string_view short_name;
  std::size_t size;
};

constexpr std::array kRows = {
    Row{DType::uint8, "uint8", "u8", 1},
    Row{DType::int8, "int8", "i8", 1},
    Row{DType::int16, "int16", "i16", 2},
    Row{DType::int32, "int32", "i32", 4},
    Row{DType::int64, "int64", "i64", 8},
    Row{DType::float16, "float16", "f16", 2},
    Row{DType::float32, "float32", "f32", 4},
    Row{DType::float64, "float64", "f64", 8},
    Row{DType::complex32, "complex32", "c32", 4},
    Row{DType::complex64, "complex64", "c64", 8},
    Row{DType::complex128, "complex128", "c128", 16},
    Row{DType::bool_, "bool", "b8", 1},
    Row{DType::bfloat16, "bfloat16", "bf16", 2},
    Row{DType::uint16, "uint16", "u16", 2},
    Row{DType::uint32, "uint32", "u32", 4},
    Row{DType::uint64, "uint64", "u64", 8},
    Row{DType::float8_e4m3fn, "float8_e4m3fn", "f8e4m3fn", 1},
    Row{DType::float8_e5m2, "float8_e5m2", "f8e5m2", 1},
    Row{DType::float8_e4m3fnuz, "float8_e4m3fnuz", "f8e4m3fnuz", 1},
    Row{DType::float8_e5m2fnuz, "float8_e5m2fnuz", "f8e5m2fnuz", 1},
    Row{DType::quint8, "quint8", "qu8", 1},
    Row{DType::qint8, "qint8", "qi8", 1},
    Row{DType::qint32, "qint32", "qi32", 4},
    Row{DType::quint4x2, "quint4x2", "qu4x2", 1},
    // u1 would be a symbolic size: the short names of these are the long ones.
    Row{DType::uint1, "uint1", "uint1", 1},
    Row{DType::uint2, "uint2", "uint2", 1},
    Row{DType::uint3, "uint3", "uint3", 1},
    Row{DType::uint4, "uint4", "uint4", 1},
    Row{DType::uint5, "uint5", "uint5", 1},
    Row{DType::uint6, "uint6", "uint6", 1},
    Row{DType::uint7, "uint7", "uint7", 1},
    Row{DType::int1, "int1", "int1", 1},
    Row{DType::int2, "int2", "int2", 1},
    Row{DType::int3, "int3", "int3", 1},
    Row{DType::int4, "int4", "int4", 1},
    Row{DType::int5, "int5", "int5", 1},
    Row{DType::int6, "int6", "int6", 1},
    Row{DType::int7, "int7", "int7", 1},
};

const Row& row(DType dtype) {
  const auto& found = kRows.at(static_cast<std::size_t>(dtype));
  return found;
}

static_assert([] {
  for (std::size_t i = 0; i < kRows.size(); ++i)
    if (static_cast<std::size_t>(kRows[i].dtype) != i) return false;
  return true;
}());

bool is_signed_sub_byte(DType dtype) { return dtype >= DType::int1 && dtype <= DType::int7; }

// The width of the dtypes below 8 bits; 0 for all others.
int sub_byte_bits(DType dtype) {
  if (dtype == DType::quint4x2) return 4;
  if (dtype >= DType::uint1 && dtype <= DType::uint7)
    return 1 + static_cast<int>(dtype) - static_cast<int>(DType::uint1);
  return is_signed_sub_byte(dtype) ? 1 + static_cast<int>(dtype) - static_cast<int>(DType::int1) : 0;
}

}  // namespace

std::size_t element_size(DType dtype) { return row(dtype).size; }
std::string_view name(DType dtype) { return row(dtype).name; }
std::string_view short_name(DType dtype) { return row(dtype).short_name; }

std::optional<DType> dtype_from_name(std::string_view name) {
  if (name.starts_with("torch.")) name.remove_prefix(6);
  for (const Row& r : kRows)
    if (r.name == name || r.short_name == name) return r.dtype;
  return std::nullopt;
}

bool is_floating_point(DType dtype) {
  switch (dtype) {
    case DType::float16:
    case DType::float32:
    case DType::float64:
    case DType::bfloat16:
    case DType::float8_e4m3fn:
    case DType::float8_e5m2:
    case DType::float8_e4m3fnuz:
    case DType::float8_e5m2fnuz: return true;
    default: return false;
  }
}

bool is_complex(DType dtype) {
  return dtype == DType::complex32 || dtype == DType::complex64 || dtype == DType::complex128;
}

bool is_integral(DType dtype) { return !is_floating_point(dtype) && !is_complex(dtype) && dtype != DType::bool_; }

DType plain_dtype(DType dtype) {
  if (sub_byte_bits(dtype) > 0) return is_signed_sub_byte(dtype) ? DType::int8 : DType::uint8;
  switch (dtype) {
    case DType::quint8: return DType::uint8;
    case DType::qint8: return DType::int8;
    case DType::qint32: return DType::int32;
    default: return dtype;
  }
}

IntegerLimits integer_limits(DType dtype) {
  if (const int bits = sub_byte_bits(dtype); bits > 0) {
    const std::int64_t values = std::int64_t{1} << bits;
    return is_signed_sub_byte(dtype) ? IntegerLimits{-values / 2, values / 2 - 1} : IntegerLimits{0, values - 1};
  }
  switch (plain_dtype(dtype)) {
    case DType::uint8: return {0, 255};
    case DType::int8: return {-128, 127};
    case DType::int16: return {-32768, 32767};
    case DType::uint16: return {0, 65535};
    case DType::int32: return {std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()};
    case DType::uint32: return {0, std::numeric_limits<std::uint32_t>::max()};
    case DType::int64: return {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()};
    default: throw InvalidArgumentError("integer_limits: " + std::string(name(dtype)) + " is not an integer dtype");
  }
}

}  // namespace qdq
