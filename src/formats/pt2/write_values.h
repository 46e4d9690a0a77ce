#pragma once
#include <array>
#include <string_view>

#include "formats/json/json_writer.h"
#include "qdq/value_type.h"

namespace qdq::pt2 {

void write_tensor_meta(json::Writer& json, const TensorMeta& meta);
void write_device(json::Writer& json, const Device& device);

// The union that refers to a value of this type: {"as_tensor": {"name": ...}}, {"as_sym_int": {"as_name": ...}}, ...
// A value of unknown type counts as a tensor, a list as well (it can only be used as a whole by name).
void write_reference(json::Writer& json, std::string_view name, const ValueType& type);

// Collects tensor_values, sym_int_values and the like of one graph.
class ValueSections {
 public:
  ValueSections();
  void add(std::string_view name, const ValueType& type);  // a type that is no list and not unknown
  void write_to(json::Writer& json);                       // as members of the enclosing object; once

 private:
  std::array<json::Writer, 5> sections_;
};

}  // namespace qdq::pt2
