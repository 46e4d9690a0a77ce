#pragma once
#include <cstdint>
#include <optional>

#include "qdq/dtype.h"

// Field numbers and enumerations of onnx.proto, as far as we read or write them.
namespace qdq::onnx {

enum class ModelField : std::uint32_t {
  ir_version = 1,
  producer_name = 2,
  producer_version = 3,
  graph = 7,
  opset_import = 8,
  metadata_props = 14,
  functions = 25,
};
enum class OpsetField : std::uint32_t { domain = 1, version = 2 };
enum class GraphField : std::uint32_t {
  node = 1,
  name = 2,
  initializer = 5,
  input = 11,
  output = 12,
  value_info = 13,
  sparse_initializer = 15,
};
enum class NodeField : std::uint32_t {
  input = 1,
  output = 2,
  name = 3,
  op_type = 4,
  attribute = 5,
  domain = 7,
  metadata_props = 9,
};
enum class AttributeField : std::uint32_t {
  name = 1,
  f = 2,
  i = 3,
  s = 4,
  t = 5,
  g = 6,
  floats = 7,
  ints = 8,
  strings = 9,
  type = 20,
  ref_attr_name = 21,
};
enum class TensorField : std::uint32_t {
  dims = 1,
  data_type = 2,
  segment = 3,
  float_data = 4,
  int32_data = 5,
  int64_data = 7,
  name = 8,
  raw_data = 9,
  double_data = 10,
  uint64_data = 11,
  doc_string = 12,
  external_data = 13,
  data_location = 14,
};
enum class EntryField : std::uint32_t { key = 1, value = 2 };  // StringStringEntryProto
enum class ValueInfoField : std::uint32_t { name = 1, type = 2 };
enum class TypeField : std::uint32_t { tensor_type = 1, sequence_type = 4, map_type = 5, optional_type = 9 };
enum class TensorTypeField : std::uint32_t { elem_type = 1, shape = 2 };
enum class ShapeField : std::uint32_t { dim = 1 };
enum class DimField : std::uint32_t { value = 1, param = 2 };

// AttributeProto.AttributeType
enum class AttributeType : std::int32_t { f = 1, i = 2, s = 3, t = 4, g = 5, floats = 6, ints = 7, strings = 8 };

constexpr std::int32_t kExternal = 1;  // TensorProto.DataLocation

// TensorProto.DataType of a dtype; nothing where ONNX has none.
std::optional<std::int32_t> data_type(DType dtype);
// The inverse. Types of less than 8 bits are int4 and uint4 here, whose tensors hold one value to a byte.
std::optional<DType> dtype_from_data_type(std::int32_t number);

// Versions of the default operator set that we read and write.
constexpr std::int64_t kOldestRead = 11;
constexpr std::int64_t kOldestWritten = 13;
constexpr std::int64_t kNewestWritten = 23;
constexpr std::int64_t kNewestRead = 28;

// The largest number of float8_e4m3fn and float8_e5m2, with which we compute; nothing for other dtypes.
std::optional<double> largest_float8(DType dtype);

// The version of the file format that came with an operator set.
std::int64_t ir_version(std::int64_t opset);

// Keys of a node's metadata_props. The first is that of torch's own exporter; the others say what ONNX has no place for.
inline constexpr const char* kStackTrace = "pkg.torch.onnx.stack_trace";
inline constexpr const char* kQuantRange = "qdq.quant_range";        // "-127 127", where it is narrower than the dtype
inline constexpr const char* kOriginalDtype = "qdq.original_dtype";  // "int8" of a tensor that is written as uint8
// "0 6": the bounds of the clamp that a Clip of integers stands for, or that the range of a QuantizeLinear implies.
inline constexpr const char* kClamp = "qdq.clamp";

}  // namespace qdq::onnx
