// Algorithms that win back accuracy.
#include <chrono>

#include "prepared.h"
#include "qdq/interrupt.h"

namespace qdq::python {
namespace {

AccuracyPreset preset_of(std::string_view name) {
  if (const auto preset = accuracy_preset_from_text(name)) return *preset;
  throw InvalidArgumentError("accuracy: 'fast', 'balanced' or 'best' expected, found '" + std::string(name) + "'");
}

}  // namespace

CalibrationBatches batches_of(const nb::iterable& batches) {
  CalibrationBatches result;
  for (nb::handle batch : batches) {
    check_signals();
    result.push_back(tensors_of(batch));
  }
  return result;
}

AccuracyOptions options_of(std::string_view preset) {
  QuantizerOptions unused;
  AccuracyOptions options;
  apply_preset(preset_of(preset), "", true, unused, options);
  return options;
}

namespace {

// Looks for Ctrl-C now and then, on the thread that asked for a computation and let go of the GIL.
class CtrlC {
 public:
  CtrlC() : check_([this] { look(); }) {}

 private:
  using Clock = std::chrono::steady_clock;
  void look() {
    constexpr std::chrono::milliseconds kBetween(50);
    if (Clock::now() < next_) return;
    const nb::gil_scoped_acquire gil;
    check_signals();
    next_ = Clock::now() + kBetween;
  }

  Clock::time_point next_ = Clock::now();
  InterruptCheck check_;
};

// Runs an algorithm on a prepared program without the GIL.
template <typename Algorithm>
AccuracyReport improve(Prepared& prepared, const nb::iterable& batches, Algorithm&& algorithm) {
  const CalibrationBatches data = batches_of(batches);
  const Prepared::InUse in_use(prepared);
  PreparedProgram& program = prepared.get();
  const nb::gil_scoped_release nogil;
  const CtrlC ctrl_c;
  return algorithm(program, data);
}

BiasCorrectionOptions::Kind kind_of(std::string_view kind) {
  if (kind == "fast") return BiasCorrectionOptions::Kind::fast;
  if (kind == "full") return BiasCorrectionOptions::Kind::full;
  throw InvalidArgumentError("kind: 'fast' or 'full' expected, found '" + std::string(kind) + "'");
}

void bind_presets(nb::module_& m) {
  m.def(
      "_quantizer_for",
      [](std::string_view name, std::string_view preset) -> std::shared_ptr<Quantizer> {
        QuantizerOptions options;
        AccuracyOptions unused;
        apply_preset(preset_of(preset), name, true, options, unused);
        return quantizer_by_name(name, options);
      },
      "name"_a, "preset"_a, "The quantizer of that name as a preset wants it.");
  m.def(
      "_prepare_improved",
      [](const Program& program, Quantizer& quantizer, std::string_view preset, const nb::iterable& batches) {
        const AccuracyOptions options = options_of(preset);
        const CalibrationBatches data = batches_of(batches);
        Program copy = clone_with_annotations(program);
        const nb::gil_scoped_release nogil;
        const CtrlC ctrl_c;
        improve_before_prepare(copy, quantizer, options, data);
        PreparedProgram prepared = prepare(std::move(copy), quantizer);
        improve_before_calibrate(prepared, options);
        return Prepared(std::move(prepared));
      },
      "program"_a, "quantizer"_a, "preset"_a, "batches"_a, "prepare() with what a preset does before calibration.");
  m.def(
      "_improve",
      [](Prepared& prepared, std::string_view preset, const nb::iterable& batches) {
        const AccuracyOptions options = options_of(preset);
        const CalibrationBatches data = batches_of(batches);
        const Prepared::InUse in_use(prepared);
        PreparedProgram& program = prepared.get();
        const nb::gil_scoped_release nogil;
        const CtrlC ctrl_c;
        improve_before_convert(program, options, data);
      },
      "prepared"_a, "preset"_a, "batches"_a, "What a preset does between calibration and convert().");
}

}  // namespace

void bind_accuracy(nb::module_& m) {
  bind_presets(m);
  nb::class_<SkippedLayer>(m, "SkippedLayer", "A layer that an algorithm left alone.")
      .def_ro("node", &SkippedLayer::node)
      .def_ro("reason", &SkippedLayer::reason);
  nb::class_<AccuracyReport>(m, "AccuracyReport", "What an accuracy algorithm did.")
      .def_ro("changed", &AccuracyReport::changed, "Layers, or pairs of layers.")
      .def_ro("skipped", &AccuracyReport::skipped, "In graph order.");

  m.def(
      "equalize_layers",
      [](Program& program, bool split_relu6) {
        EqualizeOptions options;
        options.split_relu6 = split_relu6;
        return equalize_layers(program, options);
      },
      "program"_a, "split_relu6"_a = false,
      R"(Scales neighbouring layers against each other so that their weights use their ranges equally; changes `program`.

Cross-layer equalization (Nagel et al. 2019). Needs no data; call it before prepare. The program computes the same.
split_relu6: a ReLU6 between two layers becomes a ReLU and a minimum per channel; False leaves such pairs alone.)");
  m.def(
      "absorb_high_biases",
      [](Program& program, const nb::iterable& batches) {
        const CalibrationBatches data = batches_of(batches);
        const nb::gil_scoped_release nogil;
        return absorb_high_biases(program, data);
      },
      "program"_a, "batches"_a,
      R"(Moves what lifts a layer's values off zero into the bias of the next layer; changes `program`.

High-bias absorption (Nagel et al. 2019), on the means and deviations measured on `batches`. Call it before prepare.)");
  m.def(
      "equalize_activations",
      [](Program& program, Quantizer& quantizer, const nb::iterable& batches) {
        const CalibrationBatches data = batches_of(batches);
        const nb::gil_scoped_release nogil;
        return equalize_activations(program, quantizer, data);
      },
      "program"_a, "quantizer"_a, "batches"_a,
      R"(Scales the channels of values between layers so that they use one range equally; changes `program`.

Activation equalization (Meller et al. 2019). The strength is chosen for each group of values that share their channels.
Call it before prepare, with the quantizer that prepare gets. The program computes the same, but that a channel is cut by a
ReLU6 where it grows beyond what `batches` show.)");
  m.def(
      "smooth_quant",
      [](Program& program, Quantizer& quantizer, const nb::iterable& batches) {
        const CalibrationBatches data = batches_of(batches);
        const nb::gil_scoped_release nogil;
        return smooth_quant(program, quantizer, data);
      },
      "program"_a, "quantizer"_a, "batches"_a,
      R"(Divides what linears read by a factor per channel that their weights take over; changes `program`.

SmoothQuant (Xiao et al. 2022). The strength is chosen for each group of linears that read one value. Call it before
prepare, with the quantizer that prepare gets. The program computes the same.)");
  m.def(
      "observe_behind_clamps", [](Prepared& prepared) { return observe_behind_clamps(prepared.get()); }, "prepared"_a,
      R"(Lets the observer behind a relu, hardtanh or clamp see the value alone where the op in front has the same one.

Call it before calibration. What the clamp cuts off takes no part of the range any more.)");
  m.def(
      "widen_activations",
      [](Prepared& prepared, const nb::iterable& batches, double target_sqnr_db, double share, int at_least,
         double float_work) {
        return improve(prepared, batches, [=](PreparedProgram& program, const CalibrationBatches& data) {
          return widen_activations(program, data,
                                   {.target_sqnr_db = target_sqnr_db,
                                    .share = share,
                                    .at_least = at_least,
                                    .float_work = float_work,
                                    .executor = {}});
        });
      },
      "prepared"_a, "batches"_a, nb::kw_only(), "target_sqnr_db"_a = WidenOptions{}.target_sqnr_db,
      "share"_a = WidenOptions{}.share, "at_least"_a = WidenOptions{}.at_least,
      "float_work"_a = WidenOptions{}.float_work,
      R"(Gives 16 bits to the activations of a calibrated program whose 8 bits cost its outputs most.

Until the outputs lose no more than target_sqnr_db says by what is left, or share of the quantized values has 16 bits
(at_least values, however few there are). Layers that read such values run in float: float_work is the share of the
multiply-accumulates that may.)");
  m.def(
      "widen_weights", [](Prepared& prepared) { return widen_weights(prepared.get()); }, "prepared"_a,
      R"(Gives 8 bits to weights of fewer bits in first and last layers and in depthwise convolutions.

Call it before calibration.)");
  m.def(
      "correct_biases",
      [](Prepared& prepared, const nb::iterable& batches, std::string_view kind, int samples) {
        const BiasCorrectionOptions::Kind chosen = kind_of(kind);
        return improve(prepared, batches, [chosen, samples](PreparedProgram& program, const CalibrationBatches& data) {
          return correct_biases(program, data, {.kind = chosen, .samples = samples});
        });
      },
      "prepared"_a, "batches"_a, "kind"_a = "fast", "samples"_a = BiasCorrectionOptions{}.samples,
      R"(Takes what quantized weights shift the mean of each channel by out of the biases of a calibrated program.

Bias correction (Nagel et al. 2019). kind: 'fast', each layer on the float program's values for the first samples, or
'full', layer by layer on what the quantized layers before it make, from all samples. Raises InvalidArgumentError for
batches that do not fit the program.)");
  m.def(
      "adaround",
      [](Prepared& prepared, const nb::iterable& batches, int iterations, double regularizer) {
        return improve(prepared, batches, [=](PreparedProgram& program, const CalibrationBatches& data) {
          AdaRoundOptions options;
          options.iterations = iterations;
          options.regularizer = regularizer;
          return adaround(program, data, options);
        });
      },
      "prepared"_a, "batches"_a, "iterations"_a = AdaRoundOptions{}.iterations,
      "regularizer"_a = AdaRoundOptions{}.regularizer,
      R"(Learns for each weight of a calibrated program whether it is rounded up or down, layer by layer.

Adaptive rounding (Nagel et al. 2020). The rounded weights take the place of the float ones; convert() finds their integers
again. regularizer: beside a loss in which rounding one weight the other way costs about 1.)");
  m.def(
      "gptq",
      [](Prepared& prepared, const nb::iterable& batches, double damping) {
        return improve(prepared, batches, [=](PreparedProgram& program, const CalibrationBatches& data) {
          GptqOptions options;
          options.damping = damping;
          return gptq(program, data, options);
        });
      },
      "prepared"_a, "batches"_a, "damping"_a = GptqOptions{}.damping,
      R"(Rounds the weights of a calibrated program one after the other, each making up for those before it.

GPTQ (Frantar et al. 2022), layer by layer. damping: added to the diagonal of the inputs' second moments, relative to its
mean.)");
}

}  // namespace qdq::python
