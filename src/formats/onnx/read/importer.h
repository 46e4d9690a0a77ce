#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "formats/onnx/read/model.h"
#include "ops/infer_type.h"
#include "qdq/program.h"

namespace qdq::onnx {

// What an ONNX value is to us. Sizes are tensors in ONNX and numbers in ATen graphs, so small integer tensors that are
// known, or computed from sizes, are kept as numbers; they become nodes when an op needs them as tensors.
struct ReadValue {
  using Ints = Argument::List;  // each a literal or a node that is a symbolic int

  Node* node = nullptr;
  const InTensor* initializer = nullptr;  // not read yet
  std::optional<Tensor> constant;
  std::optional<Ints> ints;
  bool is_scalar = false;           // `ints` of no dimensions
  DType ints_dtype = DType::int64;  // that they have as a tensor
};

// Builds a program from a model; the translations of single ops (read/<family>.cc) add nodes through it.
class Importer {
 public:
  explicit Importer(const InModel& model);

  // Throws FormatError, naming the node and its place in the file, for what we do not read.
  Program run();

  const InModel& model() const { return model_; }
  const Program& program() const { return program_; }
  Graph& graph() { return program_.graph(); }
  ReadValue& value(const InNode& reader, std::string_view name);
  // The constant behind a value, read when it is first asked for; null when it is computed.
  const Tensor* constant(ReadValue& value);
  // The numbers of a value of integers; null when it is another tensor.
  const ReadValue::Ints* ints(ReadValue& value);
  // The value as a node, which reads an attribute when it is a constant.
  Node& node(const InNode& reader, std::string_view name);
  Node& attribute(std::string_view name, Tensor value);
  Tensor read(const InTensor& tensor) { return tensors_.read(tensor); }
  void set(std::string_view name, ReadValue value);
  // The data type of an initializer, which for 4 bits is not that of its tensor.
  std::optional<DType> stored_dtype(std::string_view name) const;
  std::size_t uses(std::string_view name) const;  // by nodes and as a result of the model

  Node& call(const InNode& reader, std::string_view target, Argument::List args, Argument::Dict kwargs);
  [[noreturn]] void refuse(const InNode& reader, const std::string& why) const;

 private:
  void add_initializers();
  void add_inputs();
  void add_node(const InNode& node);
  void add_outputs();
  void check_names() const;
  void drop_unused();
  SymInt size_of(const InDim& dim);
  Node& as_tensor(const InNode& reader, ReadValue& value, std::string_view name);
  std::string attribute_name(std::string_view wanted) const;

  const InModel& model_;
  TensorReader tensors_;
  TypeInference inference_;
  Program program_;
  std::unordered_map<std::string_view, ReadValue> values_;
  std::unordered_map<std::string_view, DType> stored_;
  std::unordered_map<std::string_view, std::size_t> uses_;
  std::unordered_map<std::string_view, std::string> symbols_;  // names of dimensions -> expressions
  Node* last_attribute_ = nullptr;
};

// One ONNX node, as its translation sees it. Inputs are counted as in the operator's description.
class In {
 public:
  In(Importer& importer, const InNode& of) : node(of), importer_(importer) {}

  const InNode& node;

  std::int64_t opset() const { return importer_.model().opset; }
  Importer& importer() const { return importer_; }

  std::int64_t integer(std::string_view name, std::int64_t otherwise) const;
  double number(std::string_view name, double otherwise) const;
  std::string text(std::string_view name, std::string_view otherwise) const;
  std::optional<Shape> ints(std::string_view name) const;
  bool has_attribute(std::string_view name) const { return node.find(name) != nullptr; }

  std::size_t num_inputs() const { return node.inputs.size(); }
  bool has(std::size_t i) const { return i < node.inputs.size() && !node.inputs[i].empty(); }
  ReadValue& value(std::size_t i) const;  // refuses when it is left out, as tensor() does
  Node& tensor(std::size_t i) const;
  Argument optional(std::size_t i) const;            // None when it is left out
  const Tensor* constant(std::size_t i) const;       // null when it is computed or left out
  const Argument::List* sizes(std::size_t i) const;  // numbers, known or symbolic; null when they are computed
  const Argument::List& need_sizes(std::size_t i) const;
  const Argument& need_size(std::size_t i, std::string_view what) const;  // one number, known or symbolic
  Shape known_ints(std::size_t i, std::string_view what) const;           // refuses when they are not known
  double known_number(std::size_t i, double otherwise, std::string_view what) const;
  std::int64_t known_integer(std::size_t i, std::int64_t otherwise, std::string_view what) const;
  bool is_scalar(std::size_t i) const;  // of `sizes`
  // What the attribute `name` said once and what input `i` says since: axes of Squeeze, splits, pads.
  std::optional<Shape> attribute_or_input(std::string_view name, std::size_t i) const;

  const TensorMeta& type(std::size_t i) const;  // refuses when it is not known
  const TensorMeta& type(const Node& value) const;
  std::int64_t rank(std::size_t i) const { return static_cast<std::int64_t>(type(i).sizes.size()); }
  const SymInt& size(const Node& value, std::int64_t dim) const;  // refuses dimensions that it does not have
  const SymInt& size(std::size_t i, std::int64_t dim) const { return size(tensor(i), dim); }
  std::int64_t axis(std::int64_t value, std::int64_t rank) const;  // made non-negative; refuses outside

  Node& call(std::string_view target, Argument::List args, Argument::Dict kwargs = {}) const {
    return importer_.call(node, target, std::move(args), std::move(kwargs));
  }
  Node& item(Node& list, std::int64_t index) const { return call("operator.getitem", {list, index}); }
  Node& attribute(std::string_view name, Tensor value) const { return importer_.attribute(name, std::move(value)); }
  Argument size_of(Node& value, std::int64_t dim) const;  // a number, or a node for a symbolic size

  void result(Node& value, std::size_t i = 0) const;
  void result(ReadValue value, std::size_t i = 0) const;
  bool wants(std::size_t i) const;  // whether somebody reads output `i`

  [[noreturn]] void refuse(const std::string& why) const { importer_.refuse(node, why); }

 private:
  Argument known(std::size_t i, std::string_view what) const;

  Importer& importer_;
};

Argument::List list_of(const Shape& values);
// The first element as it is: an integer, or a double for floats.
Argument number_of(const Tensor& value);
// `text` with '_' for what is neither letter, digit nor '_' (nor '.'): ONNX names may hold anything.
std::string identifier(std::string_view text, bool keep_dots = false);

}  // namespace qdq::onnx
