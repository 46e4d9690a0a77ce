#pragma once
#include <span>

#include "ops/schema.h"

namespace qdq {

// One line of the operator table as a family file writes it.
struct OpRow {
  const char* text;  // "aten::conv2d.padding(Tensor input, ...) -> Tensor": what torch prints for the op's schema
  std::vector<Value> (*infer)(const Call&) = nullptr;
  OpTraits traits = {};
};
using OpFamily = std::span<const OpRow>;

// Reads a schema text. Namespaces of Python functions ("operator", "_operator", "math", "torch") have no overloads:
// "_operator::mul(...)" is the target "_operator.mul", while "aten::relu(...)" is "aten.relu.default".
// Throws InternalError for a text that does not parse.
OpSchema parse_schema(std::string_view text);

// The families, one per file of this folder; all_ops.cc lists them.
OpFamily conv_ops();
OpFamily linear_ops();
OpFamily attention_ops();
OpFamily unary_ops();
OpFamily activation_ops();
OpFamily binary_ops();
OpFamily compare_ops();
OpFamily reduction_ops();
OpFamily norm_ops();
OpFamily pool_ops();
OpFamily resample_ops();
OpFamily view_ops();
OpFamily copy_ops();
OpFamily index_ops();
OpFamily creation_ops();
OpFamily recurrent_ops();
OpFamily symbolic_ops();
OpFamily qdq_ops();

std::span<const OpFamily> all_families();

}  // namespace qdq
