#pragma once
#include <string>
#include <string_view>

namespace qdq {

// A mistake of a user, told in a few lines so that its author can mend it without reading our code:
//
//     [prepare] 'add' (aten.add.Tensor) at model.py:12: shares with ..., which has no spec of its own
//       rule: a SharedQuantizationSpec takes over the observer of a place that has one
//       remedy: give the output of 'conv' (...) an output_qspec, or share with another place
//       annotated by: xnnpack.add
struct Mistake {
  std::string where;              // the place: describe() of a node or an edge
  std::string what;               // what is wrong with it
  std::string rule;               // what would be right
  std::string remedy;             // what to write or do instead
  std::string annotated_by = {};  // the quantizer and its rule, where they are known
};

[[noreturn]] void refuse(std::string_view stage, const Mistake& mistake);  // throws InvalidArgumentError

}  // namespace qdq
