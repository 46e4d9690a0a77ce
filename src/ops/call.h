#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "qdq/graph.h"
#include "qdq/tensor.h"

namespace qdq {

struct OpSchema;

// A value while a program runs or is planned. Tensors may be meta (sizes without data) when planning.
struct Value {
  using List = std::vector<Value>;
  std::variant<std::monostate, Tensor, std::int64_t, double, bool, std::string, DType, List> v;

  Value() = default;
  template <typename T>
  Value(T value) : v(std::move(value)) {}  // NOLINT(google-explicit-constructor)
  const Tensor* tensor() const { return std::get_if<Tensor>(&v); }
  const List* list() const { return std::get_if<List>(&v); }
  bool is_none() const { return v.index() == 0; }
};

// One call of an operator with its arguments as values, in the schema's order, defaults filled in. Accessors take the
// schema's argument names and throw InvalidArgumentError, naming the node and the argument, when the value is of
// another type.
class Call {
 public:
  Call(const Node& node, const OpSchema& schema, std::vector<Value> args)
      : node_(&node), schema_(&schema), args_(std::move(args)) {}

  const Node& node() const { return *node_; }
  const OpSchema& schema() const { return *schema_; }
  const Value& arg(std::string_view name) const;
  bool has(std::string_view name) const;  // present and not None

  const Tensor& tensor(std::string_view name) const;
  Tensor optional_tensor(std::string_view name) const;  // undefined when None
  std::vector<Tensor> tensors(std::string_view name) const;
  std::int64_t integer(std::string_view name) const;
  double number(std::string_view name) const;
  bool boolean(std::string_view name) const;
  const std::string& string(std::string_view name) const;
  DType dtype(std::string_view name, DType otherwise) const;  // `otherwise` when None
  Shape ints(std::string_view name) const;                    // a single int counts as a list of one
  // As ints(), a list of one repeated to `length`: stride=2 means [2, 2] for conv2d.
  Shape ints(std::string_view name, std::size_t length) const;
  // A dimension argument made non-negative. Throws InvalidArgumentError when it is outside [-rank, rank).
  std::int64_t dim(std::string_view name, std::int64_t rank) const;

  [[noreturn]] void fail(
      const std::string& why) const;  // InvalidArgumentError: "[run] 'add' (aten.add.Tensor) at ...: why"

 private:
  const Node* node_;
  const OpSchema* schema_;
  std::vector<Value> args_;
};

}  // namespace qdq
