#include "formats/onnx/write/emitter.h"

#include <algorithm>
#include <cstring>

#include "formats/onnx/schema.h"
#include "formats/onnx/write/family.h"
#include "qdq/error.h"

namespace qdq::onnx {
namespace {

std::string_view output_kind(OutputSpec::Kind kind) {
  switch (kind) {
    case OutputSpec::Kind::buffer_mutation: return "writes to the buffer";
    case OutputSpec::Kind::parameter_mutation: return "writes to the parameter";
    case OutputSpec::Kind::user_input_mutation: return "writes to its input";
    default: return "has a result of training for";
  }
}

}  // namespace

void refuse(const Node& node, const std::string& why) {
  throw FormatError("[save] " + node.describe() + " cannot be written as ONNX: " + why);
}

Emitter::Emitter(const Program& program, const SaveOptions& options)
    : original_(program),
      options_(options),
      program_(program.clone()),
      aliases_(program_.graph()),
      inference_(TypeInference::Computed::named) {
  if (options.opset < kOldestWritten || options.opset > kNewestWritten)
    throw InvalidArgumentError("[save] ONNX opset " + std::to_string(options.opset) + ": expected " +
                               std::to_string(kOldestWritten) + " to " + std::to_string(kNewestWritten));
  model_.opset = options.opset;
}

OutModel Emitter::run() {
  for (const OutputSpec& output : original_.outputs)
    if (output.kind != OutputSpec::Kind::user_output)
      throw FormatError("[save] the program " + std::string(output_kind(output.kind)) + " '" + output.target +
                        "': an ONNX model keeps no state between runs");
  find_needed();
  add_inputs();
  for (Node& node : program_.graph().nodes()) {
    if (node.kind() == NodeKind::call_module) refuse(node, "it is an observer; convert the program first");
    if (node.kind() == NodeKind::get_attr) add_attribute(node);
    if (node.kind() == NodeKind::call_function) add_call(node);
    sharing_[aliases_.root(node)].push_back(&node);
  }
  add_outputs();
  drop_unused();
  return std::move(model_);
}

// What the outputs depend on. Assertions have no place in ONNX, so what only they look at is left out.
void Emitter::find_needed() {
  std::vector<const Node*> open{program_.graph().output_node()};
  for (const Node& node : program_.graph().nodes()) {
    const OpSchema* schema = node.kind() == NodeKind::call_function ? find_schema(node.target()) : nullptr;
    if (schema && schema->mutates()) open.push_back(&node);
  }
  while (!open.empty()) {
    const Node* node = open.back();
    open.pop_back();
    if (!node || !needed_.insert(node).second) continue;
    for (const Node* input : node->inputs()) open.push_back(input);
  }
}

void Emitter::add_inputs() {
  for (const InputSpec& input : program_.inputs)
    if (input.kind == InputSpec::Kind::token)
      throw FormatError("[save] input '" + input.name + "' is a token of side effects, which ONNX does not have");
  for (const Node* node : program_.graph().placeholders()) {
    const TensorMeta* type = node->type.tensor();
    if (!type) refuse(*node, "inputs of ONNX models are tensors");
    if (!data_type(type->dtype)) refuse(*node, "ONNX has no " + std::string(name(type->dtype)));
    names_[node] = {unique(node->name())};
    model_.inputs.push_back({names_[node][0], *type});
  }
}

void Emitter::add_attribute(const Node& node) {
  if (!needed_.contains(&node)) return;
  const Attribute* attribute = program_.attributes.find(node.target());
  if (!attribute || !attribute->value.defined()) refuse(node, "it is no tensor");
  if (attribute->value.is_meta()) refuse(node, "its data is missing");
  const Tensor value = attribute->value;
  if (!data_type(value.dtype())) refuse(node, "ONNX has no " + std::string(name(value.dtype())));
  // Two nodes may read one attribute.
  const auto [at, is_new] = attributes_.try_emplace(node.target());
  if (is_new) at->second = initializer(node.target(), value.dtype(), value.sizes(), [value] { return value; });
  names_[&node] = {at->second};
}

void Emitter::add_outputs() {
  const Node* output = program_.graph().output_node();
  if (!output) throw FormatError("[save] the graph has no output");
  std::unordered_set<std::string> seen;
  for (const OutValue& input : model_.inputs) seen.insert(input.name);
  for (const OutTensor& tensor : model_.initializers) seen.insert(tensor.name);
  for (const Argument& result : *output->arg(0).list()) {
    const Node* node = result.node();
    if (!node) refuse(*output, "a result is no tensor");
    const TensorMeta* type = node->type.tensor();
    if (!type) refuse(*node, "it is a result of the program but no tensor of known type");
    Name name = names_of(*node).at(0);
    // An output has to be made by a node, and every output has a name of its own.
    if (!seen.insert(name).second) {
      name = add("Identity", {name}, 1, {})[0];
      const Name wanted = unique(node->name() + "_output");
      model_.nodes.back().outputs[0] = name = wanted;
    }
    model_.outputs.push_back({name, *type});
  }
}

void Emitter::add_call(Node& node) {
  if (!needed_.contains(&node)) return;
  if (!node.type.known())
    if (auto type = inference_.type_of(node)) node.type = std::move(*type);
  if (node.is("operator.getitem")) {
    const Names& all = names_of(*node.input(0));
    const auto index = node.arg(1).to_int();
    if (index < 0 || index >= static_cast<std::int64_t>(all.size())) refuse(node, "the list has no such item");
    if (all[static_cast<std::size_t>(index)].empty()) refuse(node, "ONNX does not compute this result");
    names_[&node] = {all[static_cast<std::size_t>(index)]};
    return;
  }
  if (node.target().starts_with("higher_order."))
    refuse(node, "operators with a body (cond, scan, while_loop ...) are not translated");
  const OpSchema* schema = find_schema(node.target());
  if (!schema) refuse(node, "the operator is not known");
  if (schema->traits.is_assertion) return;
  const WriteRow* row = find_writer(functional_target(*schema));
  if (!row && schema->traits.is_random) refuse(node, "it draws random numbers");
  if (!row) refuse(node, "there is no translation of the operator (docs/onnx.md lists them)");
  std::optional<Call> call;
  try {
    call = inference_.call_of(node, *schema);
  } catch (const InvalidArgumentError& error) {
    throw FormatError(error.what());
  }
  if (!call) refuse(node, "the type of an argument is not known");
  current_ = &node;
  next_number_ = 0;
  const std::size_t first_node = model_.nodes.size();
  Names results;
  try {
    results = row->write(Op(*this, node, std::move(*call)));
  } catch (const InvalidArgumentError& error) {
    throw FormatError(error.what());
  }
  rename_results(node, results, first_node);
  const std::string_view trace = node.meta.get("stack_trace");
  if (!trace.empty())
    for (std::size_t i = first_node; i < model_.nodes.size(); ++i)
      model_.nodes[i].metadata.emplace_back(kStackTrace, trace);
  if (schema->mutates()) write_in_place(node, results);
  names_[&node] = std::move(results);
}

// What a translation returns gets the name of its node, as far as it made it.
void Emitter::rename_results(const Node& node, Names& results, std::size_t first_node) {
  for (std::size_t i = 0; i < results.size(); ++i) {
    const Name old = results[i];
    bool made_here = false;
    for (std::size_t n = first_node; n < model_.nodes.size(); ++n)
      made_here |= std::count(model_.nodes[n].outputs.begin(), model_.nodes[n].outputs.end(), old) > 0;
    if (old.empty() || !made_here) continue;
    const Name wanted = unique(results.size() == 1 ? node.name() : node.name() + "_" + std::to_string(i));
    for (std::size_t n = first_node; n < model_.nodes.size(); ++n) {
      std::replace(model_.nodes[n].inputs.begin(), model_.nodes[n].inputs.end(), old, wanted);
      std::replace(model_.nodes[n].outputs.begin(), model_.nodes[n].outputs.end(), old, wanted);
    }
    std::replace(results.begin(), results.end(), old, wanted);
  }
}

// ONNX has no in-place ops: whoever reads the tensor from here on reads the result.
//
//     %a = relu_(%x)  %b = add(%x, %a)        becomes        a = Relu(x)  b = Add(a, a)
void Emitter::write_in_place(const Node& node, const Names& results) {
  const Node* written = node.input(0);
  const Node* root = aliases_.root(*written);
  if (root->kind() == NodeKind::get_attr)
    refuse(node, "it writes to '" + root->target() + "': an ONNX model keeps no state between runs");
  const Names old = names_of(*written);
  for (const Node* other : sharing_[root]) {
    const auto found = names_.find(other);
    if (found == names_.end()) continue;
    if (found->second == old) {
      found->second = results;
      continue;
    }
    for (const Node* user : other->users())
      if (node.is_before(*user) && needed_.contains(user))
        refuse(node,
               "it writes to memory that " + user->describe() + " reads through another view, '" + other->name() + "'");
  }
}

// ONNX nodes whose results nobody reads: sizes that only assertions look at, unused results of a translation.
void Emitter::drop_unused() {
  std::unordered_set<std::string> read;
  for (const OutValue& output : model_.outputs) read.insert(output.name);
  std::vector<OutNode> kept;
  for (auto node = model_.nodes.rbegin(); node != model_.nodes.rend(); ++node) {
    if (std::none_of(node->outputs.begin(), node->outputs.end(), [&](const Name& n) { return read.contains(n); }))
      continue;
    read.insert(node->inputs.begin(), node->inputs.end());
    kept.push_back(std::move(*node));
  }
  std::reverse(kept.begin(), kept.end());
  model_.nodes = std::move(kept);
  std::erase_if(model_.initializers, [&](const OutTensor& tensor) { return !read.contains(tensor.name); });
}

Name Emitter::unique(std::string wanted) {
  for (int number = 1; !taken_.insert(wanted).second; ++number) {
    const std::size_t base = number == 1 ? wanted.size() : wanted.rfind('_');
    wanted = wanted.substr(0, base) + "_" + std::to_string(number);
  }
  return wanted;
}

Names Emitter::add(std::string_view op, Names inputs, std::size_t num_outputs, NodeAttributes attributes) {
  OutNode node{std::string(op), std::move(inputs), {}, std::move(attributes), {}};
  while (!node.inputs.empty() && node.inputs.back().empty()) node.inputs.pop_back();
  for (std::size_t i = 0; i < num_outputs; ++i)
    node.outputs.push_back(unique((current_ ? current_->name() : "value") + "_" + std::to_string(next_number_++)));
  model_.nodes.push_back(std::move(node));
  return model_.nodes.back().outputs;
}

Name Emitter::constant(const Tensor& value) {
  const Tensor dense = value.contiguous();
  std::string key = std::string(name(dense.dtype())) + to_string(dense.sizes()) + ":";
  if (dense.nbytes() > 0) key.append(reinterpret_cast<const char*>(dense.raw_data()), dense.nbytes());
  const auto [at, is_new] = constants_.try_emplace(key);
  if (is_new) at->second = initializer("constant", dense.dtype(), dense.sizes(), [dense] { return dense; });
  return at->second;
}

Name Emitter::initializer(std::string_view name, DType dtype, Shape sizes, std::function<Tensor()> make) {
  model_.initializers.push_back({unique(std::string(name)), dtype, std::move(sizes), std::move(make)});
  return model_.initializers.back().name;
}

const Names& Emitter::names_of(const Node& node) const {
  const auto found = names_.find(&node);
  if (found == names_.end()) refuse(node, "its value is needed but was not written");
  return found->second;
}

void Emitter::note(std::string key, std::string value) {
  model_.nodes.back().metadata.emplace_back(std::move(key), std::move(value));
}

}  // namespace qdq::onnx
