// The Quantizer interface, which Python classes implement too.
#include <nanobind/trampoline.h>

#include "bindings.h"

namespace qdq::python {
namespace {

// A program in the hands of Python. One that Python does not know yet moves into a Python object and back at the end; where
// somebody has kept that object (the locals of a traceback do), it goes on seeing the graph and the tensors of then.
class Lent {
 public:
  explicit Lent(Program& program) : program_(program), object_(nb::find(program)) {
    if (object_.is_valid()) return;
    object_ = nb::cast(taken(program));
    is_ours_ = true;
  }
  ~Lent() {
    if (!is_ours_) return;
    Program& lent = nb::cast<Program&>(object_);
    program_ = taken(lent);
    if (Py_REFCNT(object_.ptr()) > 1) lent = view_of(program_);
  }
  Lent(const Lent&) = delete;
  Lent& operator=(const Lent&) = delete;
  const nb::object& object() const { return object_; }

 private:
  static Program view_of(Program& program) {
    Program view;
    view.inputs = program.inputs;
    view.outputs = program.outputs;
    for (const Attribute& attribute : program.attributes) view.attributes.add(attribute);
    view.range_constraints = program.range_constraints;
    view.passthrough = program.passthrough;
    view.set_graph(program.graph().shared_from_this());
    return view;
  }

  Program& program_;
  nb::object object_;
  bool is_ours_ = false;
};

// Calls the Python method `name` of the object behind `trampoline` if there is one.
template <typename... Args>
nb::object call_override(const nb::detail::trampoline& trampoline, const char* name, std::uint64_t hash, bool is_pure,
                         Args&&... args) {
  const nb::detail::ticket ticket(trampoline, name, hash, is_pure);
  if (!ticket.key.is_valid()) return {};
  return trampoline.base().attr(ticket.key)(std::forward<Args>(args)...);
}

template <typename... Args>
nb::object call_with_program(const nb::detail::trampoline& trampoline, const char* name, std::uint64_t hash,
                             bool is_pure, Program& program, Args&&... args) {
  const Lent lent(program);
  return call_override(trampoline, name, hash, is_pure, lent.object(), std::forward<Args>(args)...);
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
    call_with_program(nb_trampoline, "transform_for_annotation", nb::detail::str_hash("transform_for_annotation"),
                      false, program);
  }
  void annotate(Program& program) override {
    const nb::gil_scoped_acquire gil;
    call_with_program(nb_trampoline, "annotate", nb::detail::str_hash("annotate"), true, program);
  }
  void validate(const Program& program) override {
    const nb::gil_scoped_acquire gil;
    call_with_program(nb_trampoline, "validate", nb::detail::str_hash("validate"), false,
                      const_cast<Program&>(program));  // moves away and back
  }
  void prepare_obs_or_fq_callback(Program& program, ObserverMap& observers) override {
    const nb::gil_scoped_acquire gil;
    const nb::object replaced =
        call_with_program(nb_trampoline, "prepare_obs_or_fq_callback",
                          nb::detail::str_hash("prepare_obs_or_fq_callback"), false, program, observers);
    if (replaced.is_valid() && !replaced.is_none()) observers = nb::cast<ObserverMap>(replaced);
  }
};

}  // namespace

void bind_quantizer(nb::module_& m) {
  nb::class_<Quantizer, PythonQuantizer>(m, "Quantizer", R"(Decides what is quantized and how, by annotating nodes.

A subclass defines annotate(program); it may define name(), transform_for_annotation(program), validate(program) and
prepare_obs_or_fq_callback(program, observers) -> observers | None, where observers is a list of (node or edge, Observer)
pairs. prepare calls them in this order. A `program` that is kept beyond the call shares its graph with the prepared one.)",
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
