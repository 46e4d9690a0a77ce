#include "formats/onnx/read/importer.h"

#include <simdjson.h>

#include <algorithm>
#include <cctype>

#include "formats/onnx/read/family.h"
#include "graph/symbol_text.h"
#include "graph/text_names.h"

namespace qdq::onnx {
namespace {

// Integer tensors of more elements are no sizes.
constexpr std::int64_t kMaxInts = 64;

}  // namespace

std::string identifier(std::string_view text, bool keep_dots) {
  std::string result;
  for (const char c : text) {
    const bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                      (keep_dots && c == '.');
    result += fine ? c : '_';
  }
  if (result.empty() || (result[0] >= '0' && result[0] <= '9')) result.insert(0, 1, '_');
  return result;
}

Argument::List list_of(const Shape& values) { return {values.begin(), values.end()}; }

Argument number_of(const Tensor& value) {
  if (is_floating_point(value.dtype())) return Argument(value.to(DType::float64).contiguous().data<double>()[0]);
  return Argument(value.to(DType::int64).contiguous().data<std::int64_t>()[0]);
}

Importer::Importer(const InModel& model) : model_(model), tensors_(model), inference_(TypeInference::Computed::named) {}

void Importer::refuse(const InNode& reader, const std::string& why) const {
  const std::string_view name = !reader.name.empty() ? reader.name : reader.outputs.at(0);
  throw model_.error(reader.offset, "node '" + std::string(name.substr(0, 200)) + "' (" + std::string(reader.op) +
                                        ", opset " + std::to_string(model_.opset) + "): " + why);
}

Program Importer::run() {
  check_names();
  add_initializers();
  add_inputs();
  for (const InNode& node : model_.nodes) add_node(node);
  add_outputs();
  drop_unused();
  return std::move(program_);
}

// ONNX lists the nodes in running order and gives every value one name; a cycle shows as a value that comes too late.
void Importer::check_names() const {
  std::unordered_set<std::string_view> made;
  for (const InNode& node : model_.nodes)
    for (const std::string_view output : node.outputs)
      if (!output.empty() && !made.insert(output).second)
        refuse(node, "another node has the result '" + std::string(output) + "' too");
}

void Importer::add_initializers() {
  for (const InTensor& tensor : model_.initializers) {
    if (tensor.name.empty()) throw model_.error(tensor.offset, "an initializer without a name");
    ReadValue value;
    value.initializer = &tensor;
    if (const auto dtype = dtype_from_data_type(tensor.data_type)) stored_.emplace(tensor.name, *dtype);
    if (!values_.emplace(tensor.name, std::move(value)).second)
      throw model_.error(tensor.offset, "two initializers have the name '" + std::string(tensor.name) + "'");
  }
  for (const InNode& node : model_.nodes)
    for (const std::string_view input : node.inputs) ++uses_[input];
  for (const InValue& output : model_.outputs) ++uses_[output.name];
}

// A dimension that says how it was computed ("2*s0", as we write it) is that expression, any other name a symbol. Without a
// name ("", or "?" as some exporters write), each is its own.
SymInt Importer::size_of(const InDim& dim) {
  if (dim.value >= 0) return dim.value;
  const bool has_name =
      std::any_of(dim.param.begin(), dim.param.end(), [](unsigned char c) { return std::isalnum(c); });
  if (const auto known = symbols_.find(dim.param); has_name && known != symbols_.end())
    return SymInt::symbolic(known->second, std::nullopt);
  std::string expr;
  if (has_name && dim.param.find('`') == std::string_view::npos) try {
      text::Lexer lexer(dim.param, "size");
      const SymInt parsed = text::parse_symint(lexer);
      if (lexer.peek().kind == text::TokenKind::end) expr = parsed.expr;
    } catch (const FormatError&) {
    }
  std::string name(dim.param);
  if (expr.empty()) {
    const std::string wanted = "s_" + identifier(has_name ? dim.param : "dim");
    name = wanted;
    for (int number = 1; program_.range_constraints.contains(name); ++number) name = wanted + std::to_string(number);
    expr = "Symbol('" + name + "', positive=True, integer=True)";
  }
  if (expr.starts_with("Symbol(")) program_.range_constraints[name] = {1, {}};
  if (has_name) symbols_.emplace(dim.param, expr);
  return SymInt::symbolic(expr, std::nullopt);
}

void Importer::add_inputs() {
  for (const InValue& input : model_.inputs) {
    if (values_.contains(input.name)) continue;  // an initializer that callers may replace: a constant
    const auto fail = [&](const std::string& why) {
      return model_.error(input.offset, "input '" + std::string(input.name.substr(0, 200)) + "': " + why);
    };
    if (input.name.empty()) throw model_.error(input.offset, "an input without a name");
    const auto dtype = dtype_from_data_type(input.data_type);
    if (!dtype || plain_dtype(*dtype) != *dtype)
      throw fail("expected a tensor, found data type " + std::to_string(input.data_type));
    if (!input.dims) throw fail("its sizes are not given, not even how many it has");
    TensorMeta meta;
    meta.dtype = *dtype;
    for (const InDim& dim : *input.dims) meta.sizes.push_back(size_of(dim));
    meta.strides = text::default_strides(meta.sizes);
    while (meta.strides.size() < meta.sizes.size()) meta.strides.emplace_back(1);
    const std::string name = identifier(input.name);
    Node& node = graph().create(NodeKind::placeholder, name, {}, {}, name);
    node.type.v = std::move(meta);
    program_.inputs.push_back({InputSpec::Kind::user_input, node.name(), {}});
    ReadValue value;
    value.node = &node;
    values_.emplace(input.name, std::move(value));
    last_attribute_ = &node;
  }
}

void Importer::add_node(const InNode& node) {
  const std::string domain(node.domain);
  const ReadRow* row = find_reader(domain.empty() ? std::string(node.op) : domain + "." + std::string(node.op));
  if (!row)
    refuse(node, "the operator " + (domain.empty() ? "" : "of domain '" + domain + "' ") +
                     "is not read (docs/onnx.md lists those that are)");
  for (const InAttribute& attribute : node.attributes)
    if (attribute.has_graph) refuse(node, "operators with a body are not read");
  const In in(*this, node);
  try {
    if (!read_as_sizes(in)) row->read(in);
  } catch (const InvalidArgumentError& error) {
    refuse(node, error.what());
  }
}

void Importer::add_outputs() {
  Argument::List results;
  for (const InValue& output : model_.outputs) {
    const auto found = values_.find(output.name);
    if (found == values_.end())
      throw model_.error(output.offset, "no node has the result '" + std::string(output.name.substr(0, 200)) + "'");
    InNode reader;
    reader.op = "output";
    reader.outputs = {output.name};
    reader.offset = output.offset;
    try {
      results.emplace_back(node(reader, output.name));
    } catch (const InvalidArgumentError& error) {
      refuse(reader, error.what());
    }
    program_.outputs.push_back({OutputSpec::Kind::user_output, identifier(output.name)});
  }
  if (results.empty()) throw model_.error(0, "the model has no outputs");
  graph().output(std::move(results));
}

// Constants that were read as numbers, dequantizes that were built anew, sizes that nobody needed.
void Importer::drop_unused() {
  for (Node* node = graph().last(); node;) {
    Node* before = node->prev();
    if (node->num_users() == 0 && (node->kind() == NodeKind::call_function || node->kind() == NodeKind::get_attr))
      graph().erase(*node);
    node = before;
  }
  std::unordered_set<std::string> read;
  for (const Node& node : graph().nodes())
    if (node.kind() == NodeKind::get_attr) read.insert(node.target());
  std::vector<std::string> unused;
  for (const Attribute& attribute : program_.attributes)
    if (!read.contains(attribute.name)) unused.push_back(attribute.name);
  for (const std::string& name : unused) program_.attributes.erase(name);
}

ReadValue& Importer::value(const InNode& reader, std::string_view name) {
  const auto found = values_.find(name);
  if (found == values_.end())
    refuse(reader, "its input '" + std::string(name.substr(0, 200)) +
                       "' is made by no earlier node; nodes have to come in running order");
  return found->second;
}

const Tensor* Importer::constant(ReadValue& value) {
  if (value.initializer) {
    value.constant = tensors_.read(*value.initializer);
    value.initializer = nullptr;
  }
  return value.constant ? &*value.constant : nullptr;
}

const ReadValue::Ints* Importer::ints(ReadValue& value) {
  if (value.ints) return &*value.ints;
  // Weights are left alone: their sizes tell that they are no numbers.
  if (value.initializer && value.initializer->dims.size() > 1) return nullptr;
  const Tensor* tensor = constant(value);
  if (!tensor || tensor->dim() > 1 || tensor->numel() > kMaxInts) return nullptr;
  if (tensor->dtype() != DType::int64 && tensor->dtype() != DType::int32 && tensor->dtype() != DType::bool_)
    return nullptr;
  ReadValue::Ints numbers;
  const Tensor wide = tensor->to(DType::int64).contiguous();
  for (std::int64_t i = 0; i < wide.numel(); ++i) numbers.emplace_back(wide.data<std::int64_t>()[i]);
  value.ints = std::move(numbers);
  value.is_scalar = tensor->dim() == 0;
  value.ints_dtype = tensor->dtype();
  return &*value.ints;
}

Node& Importer::node(const InNode& reader, std::string_view name) {
  ReadValue& found = value(reader, name);
  if (!found.node) found.node = &as_tensor(reader, found, name);
  return *found.node;
}

Node& Importer::as_tensor(const InNode& reader, ReadValue& found, std::string_view name) {
  if (const Tensor* tensor = constant(found)) return attribute(name, *tensor);
  const ReadValue::Ints& ints = found.ints.value();
  const bool known = std::none_of(ints.begin(), ints.end(), [](const Argument& n) { return n.node() != nullptr; });
  if (known) {
    Shape numbers;
    for (const Argument& number : ints) numbers.push_back(number.to_int());
    const Shape sizes = found.is_scalar ? Shape{} : Shape{static_cast<std::int64_t>(numbers.size())};
    return attribute(name, Tensor::from(std::span<const std::int64_t>(numbers), sizes).to(found.ints_dtype));
  }
  Argument::List parts;
  for (const Argument& number : ints)
    parts.emplace_back(call(reader, "aten.scalar_tensor.default", {number}, {{"dtype", found.ints_dtype}}));
  return found.is_scalar ? *parts.at(0).node() : call(reader, "aten.stack.default", {Argument(parts)}, {});
}

std::string Importer::attribute_name(std::string_view wanted) const {
  std::string name = identifier(wanted, true);
  return program_.attributes.contains(name) ? program_.attributes.unused_name(name + "_") : name;
}

// Attributes are read at the beginning, so that a node may gain one later.
Node& Importer::attribute(std::string_view name, Tensor tensor) {
  Attribute made;
  made.name = attribute_name(name);
  made.kind = is_floating_point(tensor.dtype()) ? AttributeKind::parameter : AttributeKind::buffer;
  made.value = std::move(tensor);
  Node* before = last_attribute_ ? last_attribute_->next() : graph().first();
  if (before) {
    const auto place = graph().inserting_before(*before);
    last_attribute_ = &program_.add_attribute(std::move(made));
  } else {
    last_attribute_ = &program_.add_attribute(std::move(made));
  }
  return *last_attribute_;
}

void Importer::set(std::string_view name, ReadValue value) { values_[name] = std::move(value); }

std::optional<DType> Importer::stored_dtype(std::string_view name) const {
  const auto found = stored_.find(name);
  return found == stored_.end() ? std::nullopt : std::optional(found->second);
}

std::size_t Importer::uses(std::string_view name) const {
  const auto found = uses_.find(name);
  return found == uses_.end() ? 0 : found->second;
}

Node& Importer::call(const InNode& reader, std::string_view target, Argument::List args, Argument::Dict kwargs) {
  Node& node = graph().call_function(target, std::move(args), std::move(kwargs));
  if (const std::string_view trace = reader.remark(kStackTrace); !trace.empty() && simdjson::validate_utf8(trace))
    node.meta.set("stack_trace", std::string(trace));
  if (auto type = inference_.checked_type_of(node)) node.type = std::move(*type);
  return node;
}

}  // namespace qdq::onnx
