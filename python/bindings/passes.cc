// Passes by name, and the switches between training and evaluation.
#include "bindings.h"

namespace qdq::python {

void bind_passes(nb::module_& m) {
  m.def(
      "run_pass",
      [](Program& program, std::string_view name) {
        const NamedPass* pass = find_pass(name);
        if (!pass) {
          std::string known;
          for (const NamedPass& each : all_passes()) known += (known.empty() ? "" : ", ") + std::string(each.name);
          throw InvalidArgumentError("no pass is called '" + std::string(name) + "'; there are " + known);
        }
        return pass->run(program);
      },
      "program"_a, "name"_a, nb::call_guard<nb::gil_scoped_release>(),
      "Runs one pass in place. Returns the number of changes. Raises InvalidArgumentError for an unknown name.");
  m.def(
      "pass_names",
      [] {
        std::vector<std::string> names;
        for (const NamedPass& pass : all_passes()) names.emplace_back(pass.name);
        return names;
      },
      "The names that run_pass knows.");
  m.def("move_exported_model_to_eval", &move_exported_model_to_eval, "program"_a,
        "Dropouts and batch norms evaluate. Returns how many ops changed.");
  m.def("move_exported_model_to_train", &move_exported_model_to_train, "program"_a,
        "Dropouts and batch norms train. Returns how many ops changed.");
}

}  // namespace qdq::python
