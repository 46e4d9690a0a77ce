// Observers: those of the core, and those that Python code defines.
#include <nanobind/trampoline.h>

#include <array>
#include <mutex>

#include "bindings.h"
#include "observer_options.h"

namespace qdq::python {
namespace {

// An observer whose methods are Python's.
class PythonObserver : public Observer {
 public:
  NB_TRAMPOLINE(Observer);

  PythonObserver(DType dtype, QScheme qscheme, std::int64_t quant_min, std::int64_t quant_max,
                 std::optional<std::int64_t> ch_axis, bool is_dynamic, double eps, std::string kind,
                 std::optional<AffineConfig> affine)
      : kind_(std::move(kind)), affine_(std::move(affine)) {
    dtype_ = dtype;
    qscheme_ = qscheme;
    quant_min_ = quant_min;
    quant_max_ = quant_max;
    ch_axis_ = ch_axis;
    is_dynamic_ = is_dynamic;
    eps_ = eps;
  }

  std::string_view kind() const override { return kind_; }
  const AffineConfig* affine() const override { return affine_ ? &*affine_ : nullptr; }
  void observe(const Tensor& value) override {
    const nb::gil_scoped_acquire gil;
    NB_OVERRIDE_PURE(observe, value);
  }
  QParams calculate_qparams() const override {
    const nb::gil_scoped_acquire gil;
    NB_OVERRIDE_PURE(calculate_qparams);
  }
  bool has_observed() const override {
    const nb::gil_scoped_acquire gil;
    NB_OVERRIDE(has_observed);
  }
  bool is_idempotent() const override {
    const nb::gil_scoped_acquire gil;
    NB_OVERRIDE(is_idempotent);
  }

 private:
  std::string kind_;
  std::optional<AffineConfig> affine_;
};

// A Python function that builds an observer from options.
struct PythonBuild {
  Kept function;
  std::shared_ptr<Observer> operator()(const ObserverOptions& options) const {
    const nb::gil_scoped_acquire gil;
    const nb::object built = function.get()(options);
    if (!nb::isinstance<Observer>(built))
      throw nb::type_error(("a function that builds observers returns a qdq.Observer, found " +
                            std::string(nb::type_name(built.type()).c_str()))
                               .c_str());
    return nb::cast<std::shared_ptr<Observer>>(built);
  }
};

std::mutex& mutex_of(const Observer& observer) {
  static std::array<std::mutex, 64> mutexes;
  return mutexes[std::hash<const void*>{}(&observer) / sizeof(Observer) % mutexes.size()];
}

// An observer that asks others, or Python, is written for that; a lock around it could wait for itself.
bool asks_others(const Observer& observer) {
  return dynamic_cast<const PythonObserver*>(&observer) || observer.kind() == "DerivedObserverOrFakeQuantize";
}

// Calls a method while no other thread is in that observer: Python's threads may run one model at once, and methods let go of
// the interpreter, here before they wait for their turn.
template <class Method>
auto in_turn(const Observer& observer, Method method) {
  const nb::gil_scoped_release nogil;
  if (asks_others(observer)) return method();
  const std::scoped_lock turn(mutex_of(observer));
  return method();
}

void bind_base(nb::module_& m) {
  nb::class_<Observer, PythonObserver>(m, "Observer",
                                       R"(Watches the values of one place and chooses scale and zero point.

The core's observers come from ObserverFactory. A subclass defines observe(value) and calculate_qparams() -> (scale,
zero_point); it may define has_observed() and is_idempotent(). The memory of `value` is used again after the call: copy what you
keep.)",
                                       nb::dynamic_attr())
      .def(nb::init<DType, QScheme, std::int64_t, std::int64_t, std::optional<std::int64_t>, bool, double, std::string,
                    std::optional<AffineConfig>>(),
           "dtype"_a, "qscheme"_a = QScheme::per_tensor_affine, "quant_min"_a = 0, "quant_max"_a = 255,
           "ch_axis"_a = nb::none(), "is_dynamic"_a = false, "eps"_a = kFloat32Eps, "kind"_a = "Observer",
           "affine"_a = nb::none())
      .def_prop_ro(
          "kind", [](const Observer& self) { return std::string(self.kind()); },
          "The class name, PyTorch's: 'HistogramObserver'.")
      .def(
          "observe", [](Observer& self, const ArrayLike& value) { in_turn(self, [&] { self.observe(value.get()); }); },
          "value"_a,
          "Any shape, any dtype that converts to float32. Raises InvalidArgumentError for values that the observer "
          "cannot digest (NaN in a histogram).")
      .def(
          "calculate_qparams",
          [](const Observer& self) { return in_turn(self, [&] { return self.calculate_qparams(); }); },
          R"((scale, zero_point): float32 of shape [1] or [channels], and int64, int32 or float32 of the same shape.

An affine observer has an element for each block. Raises InvalidArgumentError where PyTorch's observer has none.)")
      .def(
          "has_observed", [](const Observer& self) { return in_turn(self, [&] { return self.has_observed(); }); },
          "False until the first value came.")
      .def("is_idempotent", &Observer::is_idempotent, "True when observing everything again would change nothing.")
      .def(
          "state", [](const Observer& self) { return in_turn(self, [&] { return self.save_state().buffers; }); },
          "(name, tensor) pairs: the buffers of PyTorch's state dict, in memory of their own.")
      .def(
          "load_state",
          [](Observer& self, const std::vector<std::pair<std::string, ArrayLike>>& state) {
            ObserverState buffers;
            for (const auto& [name, value] : state) buffers.buffers.emplace_back(name, value.get());
            in_turn(self, [&] { self.load_state(buffers); });
          },
          "state"_a, "Raises InvalidArgumentError for missing buffers and wrong shapes.")
      .def("merge", &Observer::merge, "other"_a, "Adds what `other` has seen.")
      .def_prop_ro("can_merge", &Observer::can_merge)
      .def_prop_ro(
          "recorded",
          [](const Observer& self) { return in_turn(self, [&] { return std::vector(get_tensor_value(self)); }); },
          "What a RecordingObserver kept.")
      .def_prop_ro("dtype", &Observer::dtype)
      .def_prop_ro("qscheme", &Observer::qscheme)
      .def_prop_ro("quant_min", &Observer::quant_min)
      .def_prop_ro("quant_max", &Observer::quant_max)
      .def_prop_ro("ch_axis", &Observer::ch_axis)
      .def_prop_ro("is_dynamic", &Observer::is_dynamic)
      .def_prop_ro("eps", &Observer::eps)
      .def_prop_ro("affine",
                   [](const Observer& self) { return self.affine() ? std::optional(*self.affine()) : std::nullopt; })
      .def("__repr__", [](const Observer& self) { return "<qdq." + std::string(self.kind()) + ">"; });
}

void bind_factory(nb::module_& m) {
  nb::class_<ObserverFactory>(m, "ObserverFactory",
                              R"(Builds observers of one kind: PyTorch's ``Observer.with_args(...)``.

ObserverFactory('HistogramObserver') is one of the core's (qdq.observer_names()). ObserverFactory(name, build) calls the
Python function build(options) -> Observer.)")
      .def(
          "__init__",
          [](ObserverFactory* self, std::string_view name) { new (self) ObserverFactory(observer_by_name(name)); },
          "name"_a)
      .def(
          "__init__",
          [](ObserverFactory* self, std::string kind, nb::object build, const ObserverOptions& defaults) {
            new (self) ObserverFactory(std::move(kind), PythonBuild{Kept(std::move(build))}, defaults);
          },
          "kind"_a, "build"_a, "defaults"_a = ObserverOptions{},
          nb::sig("def __init__(self, kind: str, build: collections.abc.Callable[[ObserverOptions], Observer], "
                  "defaults: ObserverOptions = ...) -> None"))
      .def_prop_ro("kind", &ObserverFactory::kind)
      .def_prop_ro("defaults", &ObserverFactory::defaults)
      .def_prop_ro(
          "build",
          [](const ObserverFactory& self) -> nb::object {
            const auto* python = self.build().target<PythonBuild>();
            return python ? python->function.get() : nb::none();
          },
          nb::sig("def build(self) -> collections.abc.Callable[[ObserverOptions], Observer] | None"),
          "The Python function that builds, None for the core's observers.")
      .def("with_args", &ObserverFactory::with_args, "options"_a,
           "A factory whose `options` win over the present ones.")
      .def("__call__", &ObserverFactory::operator(), "options"_a = ObserverOptions{},
           "A new observer. Raises InvalidArgumentError for options that PyTorch's constructor refuses.");
  m.def("observer_names", &observer_names, "The names that ObserverFactory knows.");
}

}  // namespace

void bind_observer(nb::module_& m) {
  bind_observer_options(m);
  bind_base(m);
  bind_factory(m);
}

}  // namespace qdq::python
