#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "qdq/dtype.h"
#include "qdq/value_type.h"

// Numbers and names of torch.export's schema, major version 8 (docs/pt2_format.md).
namespace qdq::pt2 {

constexpr std::int64_t kSchemaMajor = 8;
constexpr std::int64_t kSchemaMinor = 20;

// ScalarType, Layout and MemoryFormat by their numbers in the file; nothing for numbers that we have no type for.
std::optional<DType> dtype_from_scalar_type(std::int64_t number);
std::int64_t scalar_type(DType dtype);
std::optional<Layout> layout_from_number(std::int64_t number);
std::int64_t layout_number(Layout layout);
std::optional<MemoryFormat> memory_format_from_number(std::int64_t number);
std::int64_t memory_format_number(MemoryFormat format);

// How an argument was passed.
constexpr std::int64_t kPositional = 1;
constexpr std::int64_t kKeyword = 2;

// Targets: the file says "torch.ops.aten.conv2d.default", "_operator.mul", "math.trunc", "torch.sym_max" or
// "#namespace:op", a Node "aten.conv2d.default", "_operator.mul", "math.trunc", "torch.sym_max", "#namespace:op".
// Nothing for a text of another form.
std::optional<std::string> target_from_file(std::string_view text);
std::string target_to_file(std::string_view target);
bool is_higher_order(std::string_view target);  // "higher_order.cond"

inline constexpr std::string_view kGetItem = "operator.getitem";

// Where things are in the archive, below its root folder.
inline constexpr std::string_view kWeights = "data/weights/";
inline constexpr std::string_view kConstants = "data/constants/";
inline constexpr std::string_view kWeightPrefix = "weight_";
inline constexpr std::string_view kConstantPrefix = "tensor_";

// Keys of Program::passthrough for what no field of Program holds. Most are members of the file's top level or of its
// graph_module under their own names; these are ours:
// the bytes of a pickled custom object, "<prefix><file name>:<fully qualified name>".
inline constexpr std::string_view kPickledObject = "pickled_object/";

}  // namespace qdq::pt2
