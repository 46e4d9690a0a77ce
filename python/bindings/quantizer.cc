// The Quantizer interface, which Python classes implement too.
#include <nanobind/trampoline.h>

#include "bindings.h"

namespace qdq::python {
namespace {

// Calls the Python method `name` of the object behind `trampoline` if there is one. A program is passed by reference and
// is valid during the call only.
template <typename... Args>
nb::object call_override(const nb::detail::trampoline& trampoline, const char* name, std::uint64_t hash, bool is_pure,
                         Args&&... args) {
  const nb::detail::ticket ticket(trampoline, name, hash, is_pure);
  if (!ticket.key.is_valid()) return {};
  return trampoline.base().attr(ticket.key)(std::forward<Args>(args)...);
}

class PythonQuantizer : public Quantizer {
 public:
  NB_TRAMPOLINE(Quantizer);

  std::string name() const override {
    const nb::gil_scoped_acquire gil;
    constexpr std::uint64_t kHash = nb::detail::str_hash("name");
    const nb::object name = call_override(nb_trampoline, "name", kHash, false);
    if (name.is_valid()) return nb::cast<std::string>(name);
    return nb::cast<std::string>(nb_trampoline.base().type().attr("__name__"));
  }
  void transform_for_annotation(Program& program) override {
    const nb::gil_scoped_acquire gil;
    call_override(nb_trampoline, "transform_for_annotation", nb::detail::str_hash("transform_for_annotation"), false,
                  &program);
  }
  void annotate(Program& program) override {
    const nb::gil_scoped_acquire gil;
    call_override(nb_trampoline, "annotate", nb::detail::str_hash("annotate"), true, &program);
  }
  void validate(const Program& program) override {
    const nb::gil_scoped_acquire gil;
    call_override(nb_trampoline, "validate", nb::detail::str_hash("validate"), false, &program);
  }
  void prepare_obs_or_fq_callback(Program& program, ObserverMap& observers) override {
    const nb::gil_scoped_acquire gil;
    const nb::object replaced =
        call_override(nb_trampoline, "prepare_obs_or_fq_callback", nb::detail::str_hash("prepare_obs_or_fq_callback"),
                      false, &program, observers);
    if (replaced.is_valid() && !replaced.is_none()) observers = nb::cast<ObserverMap>(replaced);
  }
};

}  // namespace

void bind_quantizer(nb::module_& m) {
  nb::class_<Quantizer, PythonQuantizer>(m, "Quantizer", R"(Decides what is quantized and how, by annotating nodes.

A subclass defines annotate(program); it may define name(), transform_for_annotation(program), validate(program) and
prepare_obs_or_fq_callback(program, observers) -> observers | None, where observers is a list of (node or edge, Observer)
pairs. prepare calls them in this order. `program` is valid during the call only.)",
                                         nb::dynamic_attr())
      .def(nb::init<>())
      .def("name", &Quantizer::name)
      .def(
          "transform_for_annotation", [](Quantizer& self, Program& program) { self.transform_for_annotation(program); },
          "program"_a)
      .def(
          "annotate", [](Quantizer& self, Program& program) { self.annotate(program); }, "program"_a)
      .def(
          "validate", [](Quantizer& self, const Program& program) { self.validate(program); }, "program"_a)
      .def(
          "prepare_obs_or_fq_callback",
          [](Quantizer& self, Program& program, ObserverMap observers) {
            self.prepare_obs_or_fq_callback(program, observers);
            return observers;
          },
          "program"_a, "observers"_a,
          nb::sig("def prepare_obs_or_fq_callback(self, program: Program, "
                  "observers: collections.abc.Sequence[tuple[Node | tuple[Node, Node], Observer | None]]) -> "
                  "list[tuple[Node | tuple[Node, Node], Observer | None]]"));
  nb::class_<ComposableQuantizer, Quantizer>(m, "ComposableQuantizer",
                                             "Several quantizers as one: the first to annotate a node keeps it.")
      .def(nb::init<std::vector<std::shared_ptr<Quantizer>>>(), "quantizers"_a);
}

}  // namespace qdq::python
