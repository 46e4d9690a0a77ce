#pragma once
#include <string>
#include <string_view>

#include "base/flat_map.h"
#include "formats/json/json.h"
#include "qdq/value_type.h"

namespace qdq::pt2 {

// All throw json::Error.
SymInt read_sym_int(json::Element element);
Device read_device(json::Element element);
TensorMeta read_tensor_meta(json::Element element);
DType read_scalar_type(json::Element element);

// The value types of one graph by name: tensor_values, sym_int_values, sym_float_values, sym_bool_values and
// custom_obj_values. Built in one pass; a type is decoded when it is asked for.
class ValueTable {
 public:
  explicit ValueTable(json::Object graph);

  enum class Kind { tensor, sym_int, sym_float, sym_bool, custom_obj };
  // Error when `name` has no entry of this kind.
  ValueType type(std::string_view name, Kind kind) const;

 private:
  struct Entry {
    Kind kind;
    json::Element element;
  };
  FlatMap<std::string_view, Entry> entries_;
};

}  // namespace qdq::pt2
