#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "formats/onnx/write/model.h"
#include "ops/alias.h"
#include "ops/infer_type.h"
#include "ops/schema.h"
#include "qdq/io.h"
#include "qdq/program.h"

namespace qdq::onnx {

// Names of ONNX values.
using Name = std::string;
using Names = std::vector<Name>;

// Writes a program's graph node by node; the translations of single ops (write/<family>.cc) add ONNX nodes through it.
// Every value of the program keeps its name in ONNX, whatever comes between is "<name>_<number>".
class Emitter {
 public:
  // Both must outlive this.
  Emitter(const Program& program, const SaveOptions& options);

  // Throws FormatError, naming the node, its source line and the reason, for what ONNX cannot say.
  OutModel run();

  const SaveOptions& options() const { return options_; }
  const Program& program() const { return program_; }

  // Adds a node; its outputs get names of their own.
  Names add(std::string_view op, Names inputs, std::size_t num_outputs, NodeAttributes attributes);
  // A tensor of few elements; equal ones are stored once.
  Name constant(const Tensor& value);
  // A tensor that is made when the file is written. `name` is made unique.
  Name initializer(std::string_view name, DType dtype, Shape sizes, std::function<Tensor()> make);
  // What the value of `node` is called; one name for each tensor of a list.
  const Names& names_of(const Node& node) const;
  // A remark on the last node that was added.
  void note(std::string key, std::string value);

 private:
  void add_inputs();
  void add_attribute(const Node& node);
  void add_outputs();
  void add_call(Node& node);
  void find_needed();
  void rename_results(const Node& node, Names& results, std::size_t first_node);
  void write_in_place(const Node& node, const Names& results);
  void drop_unused();
  Name unique(std::string wanted);

  const Program& original_;
  const SaveOptions& options_;
  Program program_;
  AliasAnalysis aliases_;
  TypeInference inference_;
  OutModel model_;
  const Node* current_ = nullptr;
  std::size_t next_number_ = 0;
  std::unordered_map<const Node*, Names> names_;
  std::unordered_map<const Node*, std::vector<const Node*>> sharing_;  // by the node that made the memory
  std::unordered_set<const Node*> needed_;
  std::unordered_set<std::string> taken_;
  std::unordered_map<std::string, Name> attributes_;  // by target
  std::unordered_map<std::string, Name> constants_;   // by dtype, sizes and bytes
};

// One call of an ATen operator, as its translation sees it. Accessors take the schema's argument names.
class Op {
 public:
  Op(Emitter& emitter, const Node& of, Call bound) : call(std::move(bound)), node(of), emitter_(emitter) {}

  const Call call;  // tensors are meta, symbolic sizes stand-ins
  const Node& node;

  std::int64_t opset() const { return emitter_.options().opset; }
  Emitter& emitter() const { return emitter_; }
  const Argument& argument(std::string_view name) const;  // as in the graph, the default where it is left out
  bool has(std::string_view name) const { return call.has(name); }
  std::int64_t rank(std::string_view name) const { return call.tensor(name).dim(); }
  DType dtype(std::string_view name) const { return call.tensor(name).dtype(); }
  const TensorMeta& result(std::size_t i = 0) const;              // type of the i-th result
  const std::vector<SymInt>& sizes(std::string_view name) const;  // of a tensor

  Name in(std::string_view name) const;                  // a tensor; "" when None
  Name in_as(std::string_view name, DType dtype) const;  // a tensor, or a number as a 0-dim tensor
  Names all_in(std::string_view name) const;             // a list of tensors
  Name value(const Argument& argument, DType dtype) const;
  Name size(const Argument& size) const;                                       // an int or symbolic int, int64[1]
  Name size_list(const Argument::List& sizes) const;                           // int64[n]
  Name size_list(const std::vector<SymInt>& sizes, const Name& tensor) const;  // the sizes of `tensor`, int64[n]
  const Tensor* attribute(std::string_view name) const;  // the data, when the argument is a get_attr

  Name emit(std::string_view op, Names inputs, NodeAttributes attributes = {}) const;
  Names emit_many(std::string_view op, Names inputs, std::size_t outputs, NodeAttributes attributes = {}) const;
  Name number(double value, DType dtype) const;  // 0-dim
  Name ints(const Shape& values) const;          // int64[n]
  Name cast(const Name& value, DType to) const;
  Name reshape(const Name& value, const Shape& sizes) const;
  Name transpose(const Name& value, const Shape& order) const;
  Name squeeze(const Name& value, const Shape& dims) const;
  Name unsqueeze(const Name& value, const Shape& dims) const;
  // ReduceMax and its like, whose axes were an attribute once.
  Name reduce(std::string_view op, const Name& value, const Shape& dims, bool keepdim) const;

  // FormatError: "[save] node ...: why".
  [[noreturn]] void refuse(const std::string& why) const;
  void need_opset(std::int64_t version, std::string_view what) const;  // refuses below

 private:
  Emitter& emitter_;
};

[[noreturn]] void refuse(const Node& node, const std::string& why);

}  // namespace qdq::onnx
