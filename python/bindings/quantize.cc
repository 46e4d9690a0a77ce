// prepare, calibrate, convert.
#include <atomic>
#include <chrono>
#include <future>

#include "prepared.h"

namespace qdq::python {

std::vector<Tensor> tensors_of(nb::handle batch) {
  std::vector<Tensor> tensors;
  if (nb::isinstance<nb::tuple>(batch) || nb::isinstance<nb::list>(batch)) {
    for (nb::handle item : batch) tensors.push_back(tensor_from_python(item));
  } else {
    tensors.push_back(tensor_from_python(batch));
  }
  return tensors;
}

namespace {

// The batches of a Python iterator. Ctrl-C stops at the next batch.
NextBatch batches_of(const nb::object& iterator, const std::atomic<bool>& stop) {
  return [&iterator, &stop]() -> std::optional<std::vector<Tensor>> {
    if (stop) return std::nullopt;
    const nb::gil_scoped_acquire gil;
    check_signals();
    PyObject* next = PyIter_Next(iterator.ptr());
    if (!next && PyErr_Occurred()) throw nb::python_error();
    if (!next) return std::nullopt;
    return tensors_of(nb::steal(next));
  };
}

// Python handles signals on the thread that called us only. With several workers that thread waits here and looks.
template <typename Work>
std::int64_t wait_for(Work work, std::atomic<bool>& stop) {
  std::future<std::int64_t> done = std::async(std::launch::async, work);
  try {
    while (done.wait_for(std::chrono::milliseconds(50)) != std::future_status::ready) {
      const nb::gil_scoped_acquire gil;
      check_signals();
    }
  } catch (...) {
    stop = true;
    done.wait();
    throw;
  }
  return done.get();
}

std::int64_t calibrate(Prepared& self, const nb::iterable& batches, int workers,
                       const std::optional<std::function<void(std::int64_t)>>& after_batch) {
  const Prepared::InUse in_use(self);
  PreparedProgram& prepared = self.get();
  const nb::object iterator = nb::iter(batches);
  std::atomic<bool> stop = false;
  CalibrateOptions options{.workers = workers, .after_batch = {}};
  if (after_batch) options.after_batch = *after_batch;
  const NextBatch next = batches_of(iterator, stop);
  const nb::gil_scoped_release nogil;
  options.workers = prepared.workers_possible(workers);
  const auto work = [&] { return prepared.calibrate(next, options); };
  return options.workers == 1 ? work() : wait_for(work, stop);
}

PassOptions pass_options(std::vector<std::string> disabled) {
  PassOptions options;
  options.disabled = std::move(disabled);
  return options;
}

}  // namespace

void bind_quantize(nb::module_& m) {
  nb::class_<Prepared>(m, "PreparedProgram", "A program with observers in it. Calibrate it, then convert it.")
      .def(
          "__init__",
          [](Prepared* self, Program& program, std::map<std::string, std::shared_ptr<Observer>> observers) {
            new (self) Prepared(PreparedProgram(taken(program), std::move(observers)));
          },
          "program"_a, "observers"_a,
          "Takes over `program`, whose call_module nodes name `observers`; `program` is empty afterwards.")
      .def_prop_ro("graph", [](Prepared& self) { return self.get().program().graph().shared_from_this(); })
      .def_prop_ro(
          "observers", [](Prepared& self) { return self.get().observers(); },
          "By the target of their call_module nodes. One observer may stand under several names.")
      .def_prop_ro("attributes",
                   [](Prepared& self) {
                     const auto& attributes = self.get().program().attributes;
                     return std::vector<Attribute>(attributes.begin(), attributes.end());
                   })
      .def_prop_ro(
          "warnings", [](Prepared& self) { return self.get().warnings(); },
          "What to know of the annotation: nothing or little was annotated.")
      .def("text", [](Prepared& self) { return to_text(self.get().program()); })
      .def("__str__", [](Prepared& self) { return to_text(self.get().program()); })
      .def(
          "set_executor",
          [](Prepared& self, std::string_view executor, int threads) {
            self.get().set_executor(executor_options(executor, threads));
          },
          "executor"_a = "fast", "threads"_a = 0, "Which executor calibrates. Call it before the first calibration.")
      .def(
          "run",
          [](Prepared& self, const nb::object& batch) {
            const std::vector<Tensor> tensors = tensors_of(batch);
            const Prepared::InUse in_use(self);
            PreparedProgram& prepared = self.get();
            const nb::gil_scoped_release nogil;
            return prepared.calibrate(tensors);
          },
          "batch"_a,
          R"(Calibrates on one batch: an array, or a tuple with one array per user input. Returns the float results.

Raises InvalidArgumentError for inputs of the wrong number, rank, dtype or size.)")
      .def("_calibrate", calibrate, "batches"_a, "workers"_a = 1, "after_batch"_a = nb::none());

  m.def(
      "prepare",
      [](const Program& program, Quantizer& quantizer, std::vector<std::string> disabled_passes) {
        Program copy = clone_with_annotations(program);
        const nb::gil_scoped_release nogil;
        return Prepared(prepare(std::move(copy), quantizer, pass_options(std::move(disabled_passes))));
      },
      "program"_a, "quantizer"_a, "disabled_passes"_a = std::vector<std::string>{},
      R"(Folds batch norms, asks the quantizer, inserts observers. `program` stays as it is.

Raises InvalidArgumentError for annotations that cannot be followed (dangling or cyclic sharing, an edge that does not
exist), naming the nodes and their source lines.)");
  m.def(
      "_prepare_taking",
      [](Program& program, Quantizer& quantizer, bool is_qat) {
        Program own = taken(program);
        const nb::gil_scoped_release nogil;
        return Prepared(is_qat ? prepare_qat(std::move(own), quantizer) : prepare(std::move(own), quantizer));
      },
      "program"_a, "quantizer"_a, "is_qat"_a = false,
      "prepare() that takes over `program`, which is empty afterwards; is_qat: for training.");
  m.def(
      "convert",
      [](Prepared& prepared, bool fold_quantize, bool use_reference_representation,
         std::vector<std::string> disabled_passes) {
        PreparedProgram taken = prepared.take();
        const nb::gil_scoped_release nogil;
        return convert(std::move(taken), {.fold_quantize = fold_quantize,
                                          .use_reference_representation = use_reference_representation,
                                          .passes = pass_options(std::move(disabled_passes))});
      },
      "prepared"_a, "fold_quantize"_a = true, "use_reference_representation"_a = false,
      "disabled_passes"_a = std::vector<std::string>{},
      R"(Replaces observers by quantize and dequantize nodes. `prepared` cannot be used afterwards.

fold_quantize: weights are stored quantized; False keeps float weights followed by a quantize.
use_reference_representation: quantized ops are written out in integer arithmetic, to be read; it is not fast.
Raises InvalidArgumentError when an activation's observer has seen no values.)");

  nb::class_<QuantizationSummary::Count>(m, "OpCount")
      .def_ro("quantized", &QuantizationSummary::Count::quantized)
      .def_ro("in_float", &QuantizationSummary::Count::in_float);
  nb::class_<QuantizationSummary>(m, "QuantizationSummary", "What is quantized in a converted program.")
      .def_ro("ops", &QuantizationSummary::ops, "By op.")
      .def_prop_ro("quantized", &QuantizationSummary::quantized)
      .def_prop_ro("in_float", &QuantizationSummary::in_float);
  m.def("summarize_quantization", &summarize_quantization, "program"_a,
        "How many calls of each op are quantized and how many are in float.");
}

}  // namespace qdq::python
