#include "formats/onnx/schema.h"

#include <array>
#include <utility>

namespace qdq::onnx {
namespace {

constexpr std::array<std::pair<DType, std::int32_t>, 21> kDataTypes = {{
    {DType::float32, 1},
    {DType::uint8, 2},
    {DType::int8, 3},
    {DType::uint16, 4},
    {DType::int16, 5},
    {DType::int32, 6},
    {DType::int64, 7},
    {DType::bool_, 9},
    {DType::float16, 10},
    {DType::float64, 11},
    {DType::uint32, 12},
    {DType::uint64, 13},
    {DType::complex64, 14},
    {DType::complex128, 15},
    {DType::bfloat16, 16},
    {DType::float8_e4m3fn, 17},
    {DType::float8_e4m3fnuz, 18},
    {DType::float8_e5m2, 19},
    {DType::float8_e5m2fnuz, 20},
    {DType::uint4, 21},
    {DType::int4, 22},
}};

}  // namespace

std::optional<std::int32_t> data_type(DType dtype) {
  for (const auto& [type, number] : kDataTypes)
    if (type == dtype) return number;
  return std::nullopt;
}

std::optional<DType> dtype_from_data_type(std::int32_t number) {
  for (const auto& [type, each] : kDataTypes)
    if (each == number) return type;
  return std::nullopt;
}

std::optional<double> largest_float8(DType dtype) {
  if (dtype == DType::float8_e4m3fn) return 448.0;
  if (dtype == DType::float8_e5m2) return 57344.0;
  return std::nullopt;
}

std::int64_t ir_version(std::int64_t opset) {
  if (opset >= 23) return 11;
  if (opset >= 21) return 10;
  if (opset >= 19) return 9;
  return opset >= 15 ? 8 : 7;
}

}  // namespace qdq::onnx
