#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ops/call.h"

namespace qdq {

// One argument of an operator, read from the ATen schema text.
struct ArgSchema {
  std::string name;
  std::string
      type;  // "Tensor", "Tensor?", "Tensor[]", "SymInt[2]", "int", "float", "Scalar", "ScalarType?", "bool", "str", ...
  Argument default_value;
  bool has_default = false;
  bool keyword_only = false;
  bool is_written = false;  // "Tensor(a!)": the op changes it in place
  bool is_aliased = false;  // "Tensor(a)" or "Tensor(a!)": the result may share its storage
};

// What passes and executors ask about an op.
struct OpTraits {
  bool is_view = false;         // the result is a view of the first argument (or, for lists, each result is)
  bool is_random = false;       // not to be folded or removed as a duplicate
  bool is_assertion = false;    // no result; may be dropped when running
  bool shares_qparams = false;  // moves values without changing them: input and output may share qparams
};

// The row of one operator: everything that verifier, readers, writers, executors and docs know about it.
struct OpSchema {
  std::string target;  // "aten.conv2d.default"
  std::string text;    // "conv2d(Tensor input, Tensor weight, Tensor? bias=None, ...) -> Tensor"
  std::vector<ArgSchema> args;
  std::vector<std::string> returns;  // result types
  OpTraits traits;
  // Results as meta tensors (ints for symbolic ints) from arguments that may be meta; real views of real tensors for
  // view ops. Null when the sizes depend on data.
  std::vector<Value> (*infer)(const Call&) = nullptr;

  bool mutates() const;
  const ArgSchema* find_arg(std::string_view name) const;
};

// The row of `target`, or null for an op that we do not know. A packet ("torchao.quantize_affine") stands for its default
// overload.
const OpSchema* find_schema(std::string_view target);
// The op that computes without writing what an in-place op writes: "aten.relu.default" for "aten.relu_.default". The target
// itself for ops that do not write.
std::string functional_target(const OpSchema& schema);
// All rows, in the order of the families.
std::vector<const OpSchema*> all_schemas();

// Binds a node's arguments to the schema: `value_of` gives the value of each producer. Throws InvalidArgumentError,
// naming the node, for unknown, missing or surplus arguments.
Call bind(const Node& node, const OpSchema& schema, const std::function<Value(const Node&)>& value_of);

}  // namespace qdq
