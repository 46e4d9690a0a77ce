// Specs and annotations: what a quantizer says about a node.
#include <algorithm>

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
  nb::class_<SharedQuantizationSpec>(m, "SharedQuantizationSpec",
                                     "The observer of another place, annotated earlier or later.")
      .def(
          "__init__", [](SharedQuantizationSpec* self, EdgeOrNode place) { new (self) SharedQuantizationSpec{place}; },
          "edge_or_node"_a)
      .def_ro("edge_or_node", &SharedQuantizationSpec::edge_or_node);
  using Derived = DerivedQuantizationSpec;
  nb::class_<Derived>(m, "DerivedQuantizationSpec", R"(Computed from the observers of other places when it is needed.

derive_qparams_fn(observers) -> (scale, zero_point).)")
      .def(
          "__init__",
          [](Derived* self, std::vector<EdgeOrNode> derived_from, nb::object derive, DType dtype, Bound quant_min,
             Bound quant_max, std::optional<QScheme> qscheme, Bound ch_axis, bool is_dynamic) {
            new (self) Derived{std::move(derived_from),
                               PythonDerive{Kept(std::move(derive))},
                               dtype,
                               quant_min,
                               quant_max,
                               qscheme,
                               ch_axis,
                               is_dynamic};
          },
          "derived_from"_a, "derive_qparams_fn"_a, "dtype"_a, "quant_min"_a = nb::none(), "quant_max"_a = nb::none(),
          "qscheme"_a = nb::none(), "ch_axis"_a = nb::none(), "is_dynamic"_a = false,
          nb::sig("def __init__(self, derived_from: collections.abc.Sequence[Node | tuple[Node, Node]], "
                  "derive_qparams_fn: collections.abc.Callable[[list[Observer]], tuple[qdq.typing.ArrayLike, "
                  "qdq.typing.ArrayLike | None]], dtype: DType, quant_min: int | None = None, "
                  "quant_max: int | None = None, qscheme: QScheme | None = None, ch_axis: int | None = None, "
                  "is_dynamic: bool = False) -> None"))
      .def_ro("derived_from", &Derived::derived_from)
      .def_prop_ro(
          "derive_qparams_fn",
          [](const Derived& self) -> nb::object {
            const auto* python = self.derive_qparams_fn.target<PythonDerive>();
            return python ? python->function.get() : nb::none();
          },
          nb::sig("def derive_qparams_fn(self) -> collections.abc.Callable[[list[Observer]], typing.Any] | None"))
      .def_ro("dtype", &Derived::dtype)
      .def_ro("quant_min", &Derived::quant_min)
      .def_ro("quant_max", &Derived::quant_max)
      .def_ro("qscheme", &Derived::qscheme)
      .def_ro("ch_axis", &Derived::ch_axis)
      .def_ro("is_dynamic", &Derived::is_dynamic);
}

}  // namespace

void bind_annotation(nb::module_& m) {
  bind_specs(m);
  using A = QuantizationAnnotation;
  using Entries = std::vector<std::pair<std::shared_ptr<Node>, QuantizationSpecBase>>;
  nb::class_<A>(m, "QuantizationAnnotation", "What a quantizer says about one node. prepare reads it and nothing else.")
      .def(nb::init<>())
      .def_prop_rw(
          "input_qspec_map",
          [](const A& self) {
            Entries entries;
            for (const auto& [node, spec] : self.input_qspec_map) entries.emplace_back(shared(node), spec);
            return entries;
          },
          [](A& self, const std::vector<std::pair<Node*, QuantizationSpecBase>>& entries) {
            self.input_qspec_map.clear();
            for (const auto& [node, spec] : entries) self.set_input_qspec(*node, spec);
          },
          "(producer, spec) pairs, in order; a spec of None leaves that input alone.")
      .def("set_input_qspec", &A::set_input_qspec, "producer"_a, "spec"_a.none(), "Sets or replaces one entry.")
      .def_prop_rw(
          "output_qspec", [](const A& self) { return self.output_qspec; },
          [](A& self, QuantizationSpecBase spec) { self.output_qspec = std::move(spec); }, nb::arg().none())
      .def_rw("allow_implicit_sharing", &A::allow_implicit_sharing)
      .def_rw("annotated", &A::annotated, "For quantizers, to skip what is taken; prepare does not look at it.")
      .def_rw("quantizer", &A::quantizer)
      .def_rw("rule", &A::rule)
      .def_rw("why_not", &A::why_not, "Without specs: why the node stays in float.");
  m.def("is_valid_annotation", &is_valid_annotation, "node"_a, "False for no annotation and for one without specs.");
  m.def(
      "annotation_of",
      [](Node& node) {
        annotation_of(node);
        return node.annotation;
      },
      "node"_a, "The node's annotation, made when it has none.");
}

}  // namespace qdq::python
