// Specs and annotations: what a quantizer says about a node.
#include <algorithm>
#include <unordered_map>

#include "bindings.h"

namespace qdq::python {
namespace {

using Bound = std::optional<std::int64_t>;

// Derived qparams come from a Python function of a list of observers.
struct PythonDerive {
  Kept function;
  QParams operator()(std::span<const std::shared_ptr<Observer>> observers) const {
    const nb::gil_scoped_acquire gil;
    nb::list list;
    for (const auto& observer : observers) list.append(nb::cast(observer));
    return nb::cast<QParams>(function.get()(list));
  }
};

// The graph of a place. Throws InvalidArgumentError for an edge between two graphs.
std::shared_ptr<Graph> graph_of(const EdgeOrNode& place) {
  if (place.consumer && &place.consumer->graph() != &place.producer->graph())
    throw InvalidArgumentError(place.describe() + ": its nodes belong to different graphs");
  return place.producer->graph().shared_from_this();
}

std::shared_ptr<Graph> graph_of(const std::vector<EdgeOrNode>& places) {
  std::shared_ptr<Graph> graph;
  for (const EdgeOrNode& place : places) {
    const std::shared_ptr<Graph> own = graph_of(place);
    if (graph && own != graph) throw InvalidArgumentError(place.describe() + " belongs to another graph");
    graph = own;
  }
  return graph;
}

// A spec that names nodes, with their graph.
template <typename Spec>
struct Held {
  Spec spec;
  std::shared_ptr<Graph> graph;
};
using HeldShared = Held<SharedQuantizationSpec>;
using HeldDerived = Held<DerivedQuantizationSpec>;
using HeldSpec = std::variant<std::monostate, QuantizationSpec, FixedQParamsQuantizationSpec, HeldShared, HeldDerived>;

HeldSpec held(const QuantizationSpecBase& spec) {
  if (const auto* shared = std::get_if<SharedQuantizationSpec>(&spec))
    return HeldShared{*shared, graph_of(shared->edge_or_node)};
  if (const auto* derived = std::get_if<DerivedQuantizationSpec>(&spec))
    return HeldDerived{*derived, graph_of(derived->derived_from)};
  if (const auto* fixed = std::get_if<FixedQParamsQuantizationSpec>(&spec)) return *fixed;
  if (const auto* built = std::get_if<QuantizationSpec>(&spec)) return *built;
  return std::monostate();
}

// The core's spec, whose nodes `annotation` keeps from now on.
QuantizationSpecBase kept_by(HeldAnnotation& annotation, const HeldSpec& spec) {
  if (const auto* shared = std::get_if<HeldShared>(&spec)) {
    annotation.name_nodes_of(shared->graph);
    return shared->spec;
  }
  if (const auto* derived = std::get_if<HeldDerived>(&spec)) {
    if (derived->graph) annotation.name_nodes_of(derived->graph);
    return derived->spec;
  }
  if (const auto* fixed = std::get_if<FixedQParamsQuantizationSpec>(&spec)) return *fixed;
  if (const auto* built = std::get_if<QuantizationSpec>(&spec)) return *built;
  return std::monostate();
}

void set_input_qspec(HeldAnnotation& self, Node& producer, const HeldSpec& spec) {
  self.name_nodes_of(producer.graph().shared_from_this());
  self->set_input_qspec(producer, kept_by(self, spec));
}

void bind_specs(nb::module_& m) {
  nb::class_<QuantizationSpec>(m, "QuantizationSpec", R"(How to quantize a place: build an observer for it.

Bounds that are None are the observer's defaults for the dtype.)")
      .def(
          "__init__",
          [](QuantizationSpec* self, DType dtype, ObserverFactory ctr, Bound quant_min, Bound quant_max,
             std::optional<QScheme> qscheme, Bound ch_axis, bool is_dynamic) {
            new (self) QuantizationSpec{dtype, std::move(ctr), quant_min, quant_max, qscheme, ch_axis, is_dynamic};
          },
          "dtype"_a, "observer_or_fake_quant_ctr"_a, "quant_min"_a = nb::none(), "quant_max"_a = nb::none(),
          "qscheme"_a = nb::none(), "ch_axis"_a = nb::none(), "is_dynamic"_a = false)
      .def_ro("dtype", &QuantizationSpec::dtype)
      .def_ro("observer_or_fake_quant_ctr", &QuantizationSpec::observer_or_fake_quant_ctr)
      .def_ro("quant_min", &QuantizationSpec::quant_min)
      .def_ro("quant_max", &QuantizationSpec::quant_max)
      .def_ro("qscheme", &QuantizationSpec::qscheme)
      .def_ro("ch_axis", &QuantizationSpec::ch_axis)
      .def_ro("is_dynamic", &QuantizationSpec::is_dynamic);
  using Fixed = FixedQParamsQuantizationSpec;
  nb::class_<Fixed>(m, "FixedQParamsQuantizationSpec", "Scale and zero point that are known beforehand.")
      .def(
          "__init__",
          [](Fixed* self, DType dtype, double scale, std::int64_t zero_point, Bound quant_min, Bound quant_max,
             std::optional<QScheme> qscheme, bool is_dynamic) {
            new (self) Fixed{dtype, scale, zero_point, quant_min, quant_max, qscheme, is_dynamic};
          },
          "dtype"_a, "scale"_a, "zero_point"_a, "quant_min"_a = nb::none(), "quant_max"_a = nb::none(),
          "qscheme"_a = nb::none(), "is_dynamic"_a = false)
      .def_ro("dtype", &Fixed::dtype)
      .def_ro("scale", &Fixed::scale)
      .def_ro("zero_point", &Fixed::zero_point)
      .def_ro("quant_min", &Fixed::quant_min)
      .def_ro("quant_max", &Fixed::quant_max)
      .def_ro("qscheme", &Fixed::qscheme)
      .def_ro("is_dynamic", &Fixed::is_dynamic);
  nb::class_<HeldShared>(m, "SharedQuantizationSpec", "The observer of another place, annotated earlier or later.")
      .def(
          "__init__",
          [](HeldShared* self, EdgeOrNode place) {
            new (self) HeldShared{SharedQuantizationSpec{place}, graph_of(place)};
          },
          "edge_or_node"_a)
      .def_prop_ro("edge_or_node", [](const HeldShared& self) { return self.spec.edge_or_node; });
  using Derived = HeldDerived;
  nb::class_<Derived>(m, "DerivedQuantizationSpec", R"(Computed from the observers of other places when it is needed.

derive_qparams_fn(observers) -> (scale, zero_point).)")
      .def(
          "__init__",
          [](Derived* self, std::vector<EdgeOrNode> derived_from, nb::object derive, DType dtype, Bound quant_min,
             Bound quant_max, std::optional<QScheme> qscheme, Bound ch_axis, bool is_dynamic) {
            std::shared_ptr<Graph> graph = graph_of(derived_from);
            new (self) Derived{{std::move(derived_from), PythonDerive{Kept(std::move(derive))}, dtype, quant_min,
                                quant_max, qscheme, ch_axis, is_dynamic},
                               std::move(graph)};
          },
          "derived_from"_a, "derive_qparams_fn"_a, "dtype"_a, "quant_min"_a = nb::none(), "quant_max"_a = nb::none(),
          "qscheme"_a = nb::none(), "ch_axis"_a = nb::none(), "is_dynamic"_a = false,
          nb::sig("def __init__(self, derived_from: collections.abc.Sequence[Node | tuple[Node, Node]], "
                  "derive_qparams_fn: collections.abc.Callable[[list[Observer]], tuple[qdq.typing.ArrayLike, "
                  "qdq.typing.ArrayLike | None]], dtype: DType, quant_min: int | None = None, "
                  "quant_max: int | None = None, qscheme: QScheme | None = None, ch_axis: int | None = None, "
                  "is_dynamic: bool = False) -> None"))
      .def_prop_ro("derived_from", [](const Derived& self) { return self.spec.derived_from; })
      .def_prop_ro(
          "derive_qparams_fn",
          [](const Derived& self) -> nb::object {
            const auto* python = self.spec.derive_qparams_fn.target<PythonDerive>();
            return python ? python->function.get() : nb::none();
          },
          nb::sig("def derive_qparams_fn(self) -> collections.abc.Callable[[list[Observer]], typing.Any] | None"))
      .def_prop_ro("dtype", [](const Derived& self) { return self.spec.dtype; })
      .def_prop_ro("quant_min", [](const Derived& self) { return self.spec.quant_min; })
      .def_prop_ro("quant_max", [](const Derived& self) { return self.spec.quant_max; })
      .def_prop_ro("qscheme", [](const Derived& self) { return self.spec.qscheme; })
      .def_prop_ro("ch_axis", [](const Derived& self) { return self.spec.ch_axis; })
      .def_prop_ro("is_dynamic", [](const Derived& self) { return self.spec.is_dynamic; });
}

using NewNodes = std::unordered_map<const Node*, Node*>;

EdgeOrNode in_copy(const EdgeOrNode& place, const NewNodes& copies) {
  if (!place.is_edge()) return *copies.at(place.producer);
  return {*copies.at(place.producer), *copies.at(place.consumer)};
}

QuantizationSpecBase in_copy(QuantizationSpecBase spec, const NewNodes& copies) {
  if (auto* shared = std::get_if<SharedQuantizationSpec>(&spec))
    shared->edge_or_node = in_copy(shared->edge_or_node, copies);
  if (auto* derived = std::get_if<DerivedQuantizationSpec>(&spec))
    for (EdgeOrNode& place : derived->derived_from) place = in_copy(place, copies);
  return spec;
}

}  // namespace

void HeldAnnotation::name_nodes_of(const std::shared_ptr<Graph>& graph) {
  if (graph_ && graph_ != graph)
    throw InvalidArgumentError("an annotation and its specs name nodes of one graph; found nodes of another graph");
  graph_ = graph;
}

Program clone_with_annotations(const Program& program) {
  NewNodes copies;
  Program copy = program.clone(&copies);
  for (Node& node : copy.graph().nodes()) {
    if (!node.annotation) continue;
    auto annotation = std::make_shared<QuantizationAnnotation>(*node.annotation);
    for (auto& [producer, spec] : annotation->input_qspec_map) {
      producer = copies.at(producer);
      spec = in_copy(std::move(spec), copies);
    }
    annotation->output_qspec = in_copy(std::move(annotation->output_qspec), copies);
    node.annotation = std::move(annotation);
  }
  return copy;
}

void bind_annotation(nb::module_& m) {
  bind_specs(m);
  using A = HeldAnnotation;
  using Entries = std::vector<std::pair<std::shared_ptr<Node>, HeldSpec>>;
  nb::class_<A>(m, "QuantizationAnnotation", R"(What a quantizer says about one node. prepare reads it and nothing else.

Producers and places of specs are nodes of one graph; InvalidArgumentError otherwise.)")
      .def(nb::init<>())
      .def_prop_rw(
          "input_qspec_map",
          [](const A& self) {
            Entries entries;
            for (const auto& [node, spec] : self->input_qspec_map) entries.emplace_back(shared(node), held(spec));
            return entries;
          },
          [](A& self, const std::vector<std::pair<Node*, HeldSpec>>& entries) {
            self->input_qspec_map.clear();
            for (const auto& [node, spec] : entries) set_input_qspec(self, *node, spec);
          },
          "(producer, spec) pairs, in order; a spec of None leaves that input alone.")
      .def("set_input_qspec", set_input_qspec, "producer"_a, "spec"_a.none(), "Sets or replaces one entry.")
      .def_prop_rw(
          "output_qspec", [](const A& self) { return held(self->output_qspec); },
          [](A& self, const HeldSpec& spec) { self->output_qspec = kept_by(self, spec); }, nb::arg().none())
      .def_prop_rw(
          "allow_implicit_sharing", [](const A& self) { return self->allow_implicit_sharing; },
          [](A& self, bool allow) { self->allow_implicit_sharing = allow; })
      .def_prop_rw(
          "is_output_of_quantized_pattern", [](const A& self) { return self->is_output_of_quantized_pattern; },
          [](A& self, bool is_output) { self->is_output_of_quantized_pattern = is_output; },
          "For the Inductor quantizers: ops behind the node may stay in int8.")
      .def_prop_rw(
          "annotated", [](const A& self) { return self->annotated; },
          [](A& self, bool annotated) { self->annotated = annotated; },
          "For quantizers, to skip what is taken; prepare does not look at it.")
      .def_prop_rw(
          "quantizer", [](const A& self) { return self->quantizer; },
          [](A& self, std::string quantizer) { self->quantizer = std::move(quantizer); })
      .def_prop_rw(
          "rule", [](const A& self) { return self->rule; },
          [](A& self, std::string rule) { self->rule = std::move(rule); })
      .def_prop_rw(
          "why_not", [](const A& self) { return self->why_not; },
          [](A& self, std::string why_not) { self->why_not = std::move(why_not); },
          "Without specs: why the node stays in float.");
  m.def("is_valid_annotation", &is_valid_annotation, "node"_a, "False for no annotation and for one without specs.");
  m.def(
      "annotation_of",
      [](Node& node) {
        annotation_of(node);
        return HeldAnnotation(node.annotation, node.graph().shared_from_this());
      },
      "node"_a, "The node's annotation, made when it has none.");
}

}  // namespace qdq::python
