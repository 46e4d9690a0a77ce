// Graph and Node with torch.fx's names.
#include "bindings.h"

namespace qdq::python {
namespace {

using NodePtr = std::shared_ptr<Node>;

// A node's string metadata as a mapping that writes through.
struct Meta {
  NodePtr node;
};

// What is known about a node's value: None, TensorMeta, SymInt, SymBool, SymFloat, int, or a list of these.
nb::object value_to_python(const ValueType& type) {
  if (const auto* tensor = type.tensor()) return nb::cast(*tensor);
  if (const auto* integer = std::get_if<ValueType::SymIntValue>(&type.v))
    return integer->value.is_symbolic() ? nb::cast(integer->value) : nb::cast(integer->value.value);
  if (const auto* boolean = std::get_if<ValueType::SymBoolValue>(&type.v)) return nb::cast(*boolean);
  if (const auto* real = std::get_if<ValueType::SymFloatValue>(&type.v)) return nb::cast(*real);
  if (const auto* list = type.list()) {
    nb::list result;
    for (const ValueType& item : *list) result.append(value_to_python(item));
    return result;
  }
  return nb::none();
}

ValueType value_from_python(nb::handle source) {
  ValueType type;
  if (source.is_none()) return type;
  if (nb::isinstance<TensorMeta>(source)) {
    type.v = nb::cast<TensorMeta>(source);
  } else if (nb::isinstance<SymInt>(source)) {
    type.v = ValueType::SymIntValue{nb::cast<SymInt>(source)};
  } else if (nb::isinstance<ValueType::SymBoolValue>(source)) {
    type.v = nb::cast<ValueType::SymBoolValue>(source);
  } else if (nb::isinstance<ValueType::SymFloatValue>(source)) {
    type.v = nb::cast<ValueType::SymFloatValue>(source);
  } else if (nb::isinstance<nb::list>(source) || nb::isinstance<nb::tuple>(source)) {
    ValueType::List list;
    for (nb::handle item : source) list.push_back(value_from_python(item));
    type.v = std::move(list);
  } else {
    type.v = ValueType::SymIntValue{SymInt(nb::cast<std::int64_t>(source))};
  }
  return type;
}

NodeKind kind_from(std::string_view text) {
  for (const NodeKind kind :
       {NodeKind::placeholder, NodeKind::get_attr, NodeKind::call_function, NodeKind::call_module, NodeKind::output})
    if (name(kind) == text) return kind;
  throw InvalidArgumentError("placeholder, get_attr, call_function, call_module or output expected, found '" +
                             std::string(text) + "'");
}

void bind_meta(nb::module_& m) {
  nb::class_<Meta>(m, "Metadata", "The string metadata of a node, in order: a mapping that writes through.")
      .def("__getitem__",
           [](const Meta& self, std::string_view key) {
             const std::string* value = self.node->meta.find(key);
             if (!value) throw nb::key_error(std::string(key).c_str());
             return *value;
           })
      .def("__setitem__", [](const Meta& self, std::string_view key,
                             std::string value) { self.node->meta.set(key, std::move(value)); })
      .def("__delitem__", [](const Meta& self, std::string_view key) { self.node->meta.erase(key); })
      .def("__contains__", [](const Meta& self, std::string_view key) { return self.node->meta.find(key) != nullptr; })
      .def(
          "get",
          [](const Meta& self, std::string_view key, std::optional<std::string> otherwise) {
            const std::string* value = self.node->meta.find(key);
            return value ? std::optional(*value) : otherwise;
          },
          "key"_a, "default"_a = nb::none())
      .def("items", [](const Meta& self) { return items_of(self.node->meta); })
      .def("__repr__", [](const Meta& self) {
        nb::dict items;
        for (const auto& [key, value] : self.node->meta) items[nb::str(key.c_str())] = nb::str(value.c_str());
        return nb::cast<std::string>(nb::repr(items));
      });
}

void bind_arguments(nb::module_& m) {
  nb::class_<Argument::Subgraph>(m, "Subgraph", "The body of a higher-order op.")
      .def(
          "__init__",
          [](Argument::Subgraph* self, std::string name, std::shared_ptr<Graph> graph) {
            new (self) Argument::Subgraph{std::move(name), std::move(graph)};
          },
          "name"_a, "graph"_a)
      .def_ro("name", &Argument::Subgraph::name)
      .def_ro("graph", &Argument::Subgraph::graph);
  nb::class_<Argument::Operator>(m, "Operator", "An operator passed as a value.")
      .def(
          "__init__",
          [](Argument::Operator* self, std::string target) { new (self) Argument::Operator{std::move(target)}; },
          "target"_a)
      .def_ro("target", &Argument::Operator::target);
  nb::class_<Argument::Opaque>(m, "Opaque", "An argument that qdq only carries.")
      .def(
          "__init__",
          [](Argument::Opaque* self, std::string kind, std::string json) {
            new (self) Argument::Opaque{std::move(kind), std::move(json)};
          },
          "kind"_a, "json"_a)
      .def_ro("kind", &Argument::Opaque::kind)
      .def_ro("json", &Argument::Opaque::json);
}

void bind_node(nb::class_<Node>& node) {
  node.def_prop_ro(
          "op", [](const Node& self) { return name(self.kind()); },
          "'placeholder', 'get_attr', 'call_function', 'call_module' or 'output'.")
      .def_prop_ro("name", &Node::name)
      .def_prop_rw(
          "target", &Node::target, [](Node& self, std::string target) { self.set_target(std::move(target)); },
          "The operator (\"aten.conv2d.default\"), or the dotted name of a tensor or observer.")
      .def_prop_rw(
          "args",
          [](const Node& self) {
            nb::list list = nb::cast<nb::list>(argument_to_python(Argument(self.args())));
            return nb::tuple(list);
          },
          [](Node& self, const std::vector<ArgumentLike>& args) { self.set_args(all_of(args)); },
          nb::for_getter(nb::sig("def args(self) -> tuple[qdq.typing.Argument, ...]")),
          nb::for_setter(nb::sig("def args(self, args: collections.abc.Sequence[qdq.typing.Argument], /) -> None")),
          "Positional arguments: nodes, numbers, strings, dtypes, None, lists and dicts of these.")
      .def_prop_rw(
          "kwargs", [](const Node& self) { return argument_to_python(Argument(Argument::Variant(self.kwargs()))); },
          [](Node& self, const ArgumentLike& kwargs) {
            const auto* dict = kwargs.get().get_if<Argument::Dict>();
            if (!dict) throw nb::type_error("a dict expected");
            self.set_kwargs(*dict);
          },
          nb::for_getter(nb::sig("def kwargs(self) -> dict[str, qdq.typing.Argument]")),
          nb::for_setter(nb::sig("def kwargs(self, kwargs: dict[str, qdq.typing.Argument], /) -> None")))
      .def_prop_ro(
          "users", [](const Node& self) { return shared(self.users()); },
          "The nodes that read this one, each once, in torch.fx's order.")
      .def_prop_ro(
          "all_input_nodes", [](const Node& self) { return shared(self.inputs()); },
          "The nodes that this one reads, each once.")
      .def_prop_ro(
          "next", [](const Node& self) { return shared(self.next()); }, nb::sig("def next(self) -> Node | None"))
      .def_prop_ro(
          "prev", [](const Node& self) { return shared(self.prev()); }, nb::sig("def prev(self) -> Node | None"))
      .def_prop_ro("graph", [](const Node& self) { return self.graph().shared_from_this(); })
      .def_prop_ro("meta", [](Node& self) { return Meta{shared(&self)}; })
      .def(
          "_set_metadata",
          [](Node& self, const std::vector<std::pair<std::string_view, std::string>>& entries) {
            self.meta = Metadata();
            for (const auto& [key, value] : entries) self.meta.set(key, value);
          },
          "entries"_a, "Replaces all metadata: for graphs that cross as a whole, one call for each node.")
      .def_prop_ro("erased", &Node::erased)
      .def_prop_rw(
          "annotation",
          [](const Node& self) {
            return self.annotation ? std::optional(HeldAnnotation(self.annotation, self.graph().shared_from_this()))
                                   : std::nullopt;
          },
          [](Node& self, HeldAnnotation* annotation) {
            if (annotation) annotation->name_nodes_of(self.graph().shared_from_this());
            self.annotation = annotation ? annotation->get() : nullptr;
          },
          nb::arg().none(), nb::for_getter(nb::sig("def annotation(self) -> QuantizationAnnotation | None")),
          nb::for_setter(nb::sig("def annotation(self, annotation: QuantizationAnnotation | None, /) -> None")),
          "What a quantizer says about this node.")
      .def_prop_rw(
          "value_type", [](const Node& self) { return value_to_python(self.type); },
          [](Node& self, nb::handle type) { self.type = value_from_python(type); }, nb::arg().none(),
          nb::for_getter(nb::sig("def value_type(self) -> qdq.typing.ValueType")),
          nb::for_setter(nb::sig("def value_type(self, value_type: qdq.typing.ValueType, /) -> None")),
          "What is known about the value: a TensorMeta, a SymInt, an int, a list of these, or None.")
      .def(
          "replace_all_uses_with",
          [](Node& self, Node& replacement) { return shared(self.replace_all_uses_with(replacement)); },
          "replacement"_a, "Returns the users, which read `replacement` from now on.")
      .def(
          "replace_input_with", [](Node& self, Node& from, Node& to) { self.replace_input_with(from, to); }, "old"_a,
          "new"_a)
      .def("describe", &Node::describe, "\"'conv2d' (aten.conv2d.default) at model.py:12\", for messages.")
      .def("__repr__", [](const Node& self) { return self.name(); })
      .def("__str__", [](const Node& self) { return to_text(self); });
}

}  // namespace

void bind_graph(nb::module_& m) {
  auto node = nb::class_<Node>(m, "Node", R"(One operation of a graph, with torch.fx's names.

A node keeps its graph alive.)");
  auto graph = nb::class_<Graph>(m, "Graph", "A list of nodes in execution order, with unique names.");
  bind_meta(m);
  bind_arguments(m);
  bind_node(node);
  graph
      .def(nb::new_([] { return std::make_shared<Graph>(); }))  // nodes keep it by shared_from_this
      .def_prop_ro(
          "nodes",
          [](const Graph& self) {
            std::vector<NodePtr> nodes;
            nodes.reserve(self.size());
            for (Node& each : self.nodes()) nodes.push_back(shared(&each));
            return nodes;
          },
          "All nodes in execution order.")
      .def("__len__", &Graph::size)
      .def(
          "find", [](const Graph& self, std::string_view name) { return shared(self.find(name)); }, "name"_a,
          nb::sig("def find(self, name: str) -> Node | None"), "The node of that name.")
      .def(
          "placeholder", [](Graph& self, std::string_view name) { return shared(&self.placeholder(name)); }, "name"_a)
      .def(
          "get_attr", [](Graph& self, std::string_view target) { return shared(&self.get_attr(target)); }, "target"_a)
      .def(
          "call_function",
          [](Graph& self, std::string_view target, const std::vector<ArgumentLike>& args, const ArgumentLike& kwargs) {
            const auto* dict = kwargs.get().get_if<Argument::Dict>();
            return shared(&self.call_function(target, all_of(args), dict ? *dict : Argument::Dict{}));
          },
          "target"_a, "args"_a, "kwargs"_a = nb::none(), "A new node at the end.")
      .def(
          "output",
          [](Graph& self, const std::vector<ArgumentLike>& results) { return shared(&self.output(all_of(results))); },
          "results"_a)
      .def(
          "create_node",
          [](Graph& self, std::string_view op, std::string_view target, const std::vector<ArgumentLike>& args,
             const ArgumentLike& kwargs, std::string_view name, Node* before) {
            const auto* dict = kwargs.get().get_if<Argument::Dict>();
            const auto create = [&] {
              return shared(&self.create(kind_from(op), target, all_of(args), dict ? *dict : Argument::Dict{}, name));
            };
            if (!before) return create();
            if (&before->graph() != &self || before->erased())
              throw InvalidArgumentError("before: " + before->describe() +
                                         (before->erased() ? " was erased" : " belongs to another graph"));
            const auto at = self.inserting_before(*before);
            return create();
          },
          "op"_a, "target"_a, "args"_a, "kwargs"_a = nb::none(), "name"_a = "", "before"_a = nb::none(),
          nb::sig(
              "def create_node(self, op: str, target: str, args: collections.abc.Sequence[qdq.typing.Argument], "
              "kwargs: dict[str, qdq.typing.Argument] | None = None, name: str = '', before: Node | None = None) -> "
              "Node"),
          "A new node in front of `before`, or at the end. `name` is made unique.")
      .def("erase_node", &Graph::erase, "node"_a,
           "Raises InternalError while the node has users, and for one that is not in the graph.")
      .def(
          "reserve_name", [](Graph& self, std::string_view name) { return self.unique_name(name); }, "name"_a,
          "Takes `name`, or a name made from it that is free, so that no node gets it.")
      .def_prop_ro(
          "notes",
          [](const Graph& self) {
            std::vector<std::tuple<std::string, std::string, std::string>> notes;
            for (const auto& note : self.notes()) notes.emplace_back(note.node, note.pass, note.reason);
            return notes;
          },
          "Why a pass left a node alone: (node, pass, reason).")
      .def("__str__", [](const Graph& self) { return to_text(self); })
      .def("__repr__", [](const Graph& self) { return "<qdq.Graph of " + std::to_string(self.size()) + " nodes>"; });
}

}  // namespace qdq::python
