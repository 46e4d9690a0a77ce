#include "qdq/program.h"

namespace qdq {

Attribute& Attributes::add(Attribute attribute) {
  if (index_.contains(attribute.name))
    throw InvalidArgumentError("the program has an attribute '" + attribute.name + "' already");
  items_.push_back(std::move(attribute));
  index_[items_.back().name] = std::prev(items_.end());
  return items_.back();
}

Attribute* Attributes::find(std::string_view name) {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &*found->second;
}

const Attribute* Attributes::find(std::string_view name) const { return const_cast<Attributes*>(this)->find(name); }

const Tensor& Attributes::tensor(std::string_view name) const {
  const Attribute* attribute = find(name);
  if (!attribute || !attribute->value.defined())
    throw InvalidArgumentError("the program has no tensor '" + std::string(name) + "'");
  return attribute->value;
}

void Attributes::erase(std::string_view name) {
  const auto found = index_.find(name);
  if (found == index_.end()) return;
  const auto item = found->second;
  index_.erase(found);  // before the name that it is found by
  items_.erase(item);
}

std::string Attributes::unused_name(std::string_view prefix) const {
  std::int64_t& next = next_unused_[std::string(prefix)];
  std::string name;
  do name = std::string(prefix) + std::to_string(next++);
  while (index_.contains(name));
  return name;
}

TensorMeta meta_of(const Tensor& tensor) {
  TensorMeta meta;
  meta.dtype = tensor.dtype();
  meta.sizes.assign(tensor.sizes().begin(), tensor.sizes().end());
  meta.strides.assign(tensor.strides().begin(), tensor.strides().end());
  return meta;
}

Program Program::clone(std::unordered_map<const Node*, Node*>* map) const {
  Program copy;
  copy.inputs = inputs;
  copy.outputs = outputs;
  for (const Attribute& attribute : attributes) copy.attributes.add(attribute);
  copy.range_constraints = range_constraints;
  copy.passthrough = passthrough;
  copy.set_graph(graph_->clone(map));
  return copy;
}

Node& Program::add_attribute(Attribute attribute) {
  const Attribute& added = attributes.add(std::move(attribute));
  Node& node = graph_->get_attr(added.name);
  node.type.v = meta_of(added.value);
  return node;
}

}  // namespace qdq
