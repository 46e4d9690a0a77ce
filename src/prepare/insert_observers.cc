#include "prepare/insert_observers.h"

#include <algorithm>
#include <iterator>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/flat_map.h"
#include "graph/observed_value.h"
#include "ops/schema.h"
#include "prepare/mistake.h"

namespace qdq {
namespace {

class Inserter {
 public:
  Inserter(Program& program, const ObserverMap& observers) : program_(program) {
    by_place_.reserve(observers.size());
    for (const auto& [place, observer] : observers) by_place_.emplace(place, observer);
  }

  std::map<std::string, std::shared_ptr<Observer>> run() {
    std::vector<Node*> annotated;
    for (Node& node : program_.graph().nodes())
      if (node.annotation && (node.annotation->annotated || is_valid_annotation(node))) annotated.push_back(&node);
    for (Node* node : annotated) {
      observe_inputs(*node);
      observe_output(*node);
    }
    std::ranges::sort(
        named_, {},
        &std::pair<std::string, std::shared_ptr<Observer>>::first);  // a map of sorted items is made in O(n)
    return {std::make_move_iterator(named_.begin()), std::make_move_iterator(named_.end())};
  }

 private:
  const std::shared_ptr<Observer>* find(const EdgeOrNode& place) const {
    const auto found = by_place_.find(place);
    return found == by_place_.end() || !found->second ? nullptr : &found->second;
  }

  Node& insert_behind(Node& value, const std::shared_ptr<Observer>& observer) {
    const std::string name = "activation_post_process_" + std::to_string(next_number_++);
    named_.emplace_back(name, observer);
    auto at = program_.graph().inserting_after(value);
    Node& call = program_.graph().call_module(name, {value});
    call.type = value.type;
    return call;
  }

  void observe_inputs(Node& node) {
    for (const auto& [key, value] : node.kwargs())
      for_each_node(value, [&](const Node& input) {
        refuse(node, {node.describe(), "it takes the tensor '" + input.name() + "' as keyword argument '" + key + "'",
                      "only positional tensors of an annotated node can be observed",
                      "pass it by position in transform_for_annotation, or leave the node without annotation"});
      });
    Argument::List args;
    for (std::size_t i = 0; i < node.args().size(); ++i) args.push_back(observed(node.args()[i], node, i));
    node.set_args(std::move(args));
  }

  Argument observed(const Argument& argument, Node& node, std::size_t position) {
    if (const auto* list = argument.list()) {
      Argument::List items;
      for (const Argument& item : *list) items.push_back(observed(item, node, position));
      return Argument(std::move(items));
    }
    Node* current = argument.node();
    if (!current) return argument;
    Node& value = observed_value(*current);
    const auto* observer = find(EdgeOrNode(value, node));
    if (!observer || (position == 0 && is_written_state(value, node))) return argument;
    const auto* of_producer = find(EdgeOrNode(value));
    if (of_producer && *of_producer == *observer) return argument;  // the producer's output observer serves
    auto& calls = calls_[current];
    auto call = std::ranges::find(calls, observer->get(), &Call::first);
    if (call == calls.end()) call = calls.emplace(call, observer->get(), &insert_behind(*current, *observer));
    return Argument(*call->second);
  }

  // A buffer (or a view of one) that `node` writes to must stay the buffer itself.
  bool is_written_state(Node& value, const Node& node) const {
    const OpSchema* schema = find_schema(node.target());
    if (!schema || schema->args.empty() || !schema->args[0].is_written) return false;
    bool has_buffer = false;
    std::vector<Node*> work = {&value};
    std::unordered_set<const Node*> seen = {&value};
    while (!work.empty()) {
      Node* at = work.back();
      work.pop_back();
      if (at->kind() == NodeKind::placeholder) return false;
      if (at->kind() == NodeKind::get_attr) {
        const Attribute* attribute = program_.attributes.find(at->target());
        has_buffer |= attribute && attribute->kind == AttributeKind::buffer;
      }
      for (Node* input : at->inputs())
        if (seen.insert(input).second) work.push_back(input);
    }
    return has_buffer;
  }

  void observe_output(Node& node) {
    const auto* observer = find(EdgeOrNode(node));
    if (!observer || !node.type.tensor()) return;
    Node& call = insert_behind(node, *observer);
    if (const std::string* from = node.meta.find("from_node")) call.meta.set("from_node", *from);
    node.replace_uses_with_if(call, [&](const Node& user) { return &user != &call; });
  }

  Program& program_;
  using Call = std::pair<Observer*, Node*>;
  FlatMap<EdgeOrNode, std::shared_ptr<Observer>, EdgeOrNodeHash> by_place_;
  std::vector<std::pair<std::string, std::shared_ptr<Observer>>> named_;
  FlatMap<Node*, std::vector<Call>> calls_;  // input observers made so far, by observed value
  std::int64_t next_number_ = 0;
};

}  // namespace

std::map<std::string, std::shared_ptr<Observer>> insert_observers(Program& program, const ObserverMap& observers) {
  return Inserter(program, observers).run();
}

}  // namespace qdq
