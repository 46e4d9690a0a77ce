// Where accuracy is lost, and what to do about it.
#include "prepared.h"

namespace qdq::python {

void bind_diagnose(nb::module_& m) {
  nb::class_<ErrorStats>(m, "ErrorStats", "How far values are from their reference, gathered over batches.")
      .def_prop_ro("count", &ErrorStats::count)
      .def_prop_ro("max_abs", &ErrorStats::max_abs, "The largest absolute difference.")
      .def_prop_ro("mse", &ErrorStats::mse, "The mean squared difference.")
      .def_prop_ro("mean_error", &ErrorStats::mean_error, "The mean of value - reference.")
      .def_prop_ro("sqnr_db", &ErrorStats::sqnr_db, "10 log10(sum of squares / sum of squared differences).")
      .def_prop_ro("cosine", &ErrorStats::cosine, "Of the angle between the two as vectors.");
  nb::class_<TensorDiagnosis>(m, "TensorDiagnosis", "What quantizing one tensor costs.")
      .def_ro("node", &TensorDiagnosis::node, "The node that makes the value.")
      .def_ro("observer", &TensorDiagnosis::observer, "The class that chose the range.")
      .def_ro("is_weight", &TensorDiagnosis::is_weight)
      .def_ro("added", &TensorDiagnosis::added, "The float program's value, quantized, against itself.")
      .def_ro("inherited", &TensorDiagnosis::inherited,
              "The quantized program's value, before it is quantized, against the float program's.")
      .def_ro("clipped", &TensorDiagnosis::clipped, "The share of the float values outside of the range.");
  nb::class_<OpDiagnosis>(m, "OpDiagnosis", "What keeping one op in float would bring.")
      .def_ro("node", &OpDiagnosis::node)
      .def_ro("op", &OpDiagnosis::op)
      .def_ro("own_sqnr_db", &OpDiagnosis::own_sqnr_db,
              "Of its value, with what quantizes its inputs, on float inputs.")
      .def_ro("gain_db", &OpDiagnosis::gain_db, "By which the SQNR of the program's outputs rises with it in float.");
  nb::class_<Diagnosis>(m, "Diagnosis")
      .def_ro("sqnr_db", &Diagnosis::sqnr_db, "Of the program's outputs.")
      .def_ro("tensors", &Diagnosis::tensors, "What adds most first.")
      .def_ro("ops", &Diagnosis::ops, "Those that were tried in float, what brings most first.")
      .def_ro("exclude", &Diagnosis::exclude, "The ops that bring 0.5 dB or more.");
  m.def(
      "diagnose",
      [](const Program& program, Quantizer& quantizer, const nb::iterable& batches, std::string_view accuracy,
         int ops) {
        const CalibrationBatches data = batches_of(batches);
        const DiagnoseOptions options{.accuracy = options_of(accuracy), .ops = ops, .executor = {}, .progress = {}};
        const nb::gil_scoped_release nogil;
        return diagnose(program, quantizer, data, options);
      },
      "program"_a, "quantizer"_a, "batches"_a, nb::kw_only(), "accuracy"_a = "fast", "ops"_a = DiagnoseOptions{}.ops,
      R"(Quantizes a program and shows where its accuracy is lost. `program` stays as it is.

accuracy: the preset that it is quantized with. ops: how many are tried in float, each at the price of a calibration.)");

  nb::class_<MixedPrecision>(m, "MixedPrecision", "A program with the fewest ops in float that a score allows.")
      .def_prop_ro(
          "program", [](const MixedPrecision& self) { return self.program.clone(); }, "Quantized.")
      .def_ro("in_float", &MixedPrecision::in_float, "The ops that the search left in float, the most sensitive first.")
      .def_ro("in_16_bits", &MixedPrecision::in_16_bits, "The nodes whose values it gave 16 bits, in graph order.")
      .def_ro("float_score", &MixedPrecision::float_score)
      .def_ro("score", &MixedPrecision::score)
      .def_ro("evaluations", &MixedPrecision::evaluations)
      .def_ro("reached", &MixedPrecision::reached, "score >= float_score - max_drop");
  m.def(
      "quantize_within_drop",
      [](const Program& program, Quantizer& quantizer, const nb::iterable& batches,
         const std::function<double(const nb::object&)>& evaluate, double max_drop, std::string_view accuracy,
         bool sixteen_bits, const std::optional<std::function<void(int)>>& start) {
        const CalibrationBatches data = batches_of(batches);
        const auto score = [&](const Program& tried) {
          check_signals();
          return evaluate(nb::cast(tried.clone()));
        };
        return quantize_within_drop(
            program, quantizer, data, score,
            {.max_drop = max_drop, .sixteen_bits = sixteen_bits, .accuracy = options_of(accuracy), .executor = {}},
            start.value_or(nullptr));
      },
      "program"_a, "quantizer"_a, "batches"_a, "evaluate"_a, "max_drop"_a, nb::kw_only(), "accuracy"_a = "fast",
      "sixteen_bits"_a = false, "start"_a = nb::none(),
      R"(Quantizes as much of a program as max_drop allows. `program` stays as it is.

evaluate: from a program to a number, higher is better. max_drop: in its units. start: called before the first
evaluation with the most that there can be. sixteen_bits: give activations 16 bits instead of leaving ops in float.)");
}

}  // namespace qdq::python
