#pragma once
// Algorithms that win back accuracy. They learn from data and rewrite weights and biases: of a float program before
// prepare, or of a prepared and calibrated one before convert. What is quantized and how they take from the annotations'
// observers, so that they serve any quantizer. docs/accuracy.md says when each of them helps and what it costs.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "qdq/executor.h"
#include "qdq/program.h"
#include "qdq/quantize.h"
#include "qdq/quantizers.h"

namespace qdq {

// What the algorithms learn from: batches of one tensor per user input each, in order.
using CalibrationBatches = std::vector<std::vector<Tensor>>;

// A layer that an algorithm left alone, and why; for people.
struct SkippedLayer {
  std::string node;
  std::string reason;
};

// What an algorithm did.
struct AccuracyReport {
  std::string algorithm;              // "equalize", "bias_correction" ...
  std::int64_t changed = 0;           // layers, or pairs of layers
  std::vector<SkippedLayer> skipped;  // in graph order
  double seconds = 0;
};

struct EqualizeOptions {
  int sweeps = 20;  // over all pairs; stops earlier when no factor is further than 0.1 % from 1
  // A ReLU6 between two layers becomes a ReLU and a minimum with 6 / s_i per channel: the same function, but an op more
  // in float. False: such pairs are left alone.
  bool split_relu6 = false;
};

// Cross-layer equalization: scales the output channels of a layer and the input channels of the next one against each
// other, so that the weights of both use their ranges equally. With r1_i the largest |weight| of output channel i of the
// first and r2_i that of input channel i of the second, s_i = sqrt(r1_i / r2_i): the first is divided by s_i, its bias too,
// and the second multiplied. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction",
// ICCV 2019, equation 11.
//
// Pairs are convolutions and linears with nothing between them but ops that let a positive factor through (relu,
// leaky_relu, pooling, dropout) and that nobody else reads. The float program computes the same as before. Needs no data;
// `program` has no observers yet, and its batch norms are folded here first.
AccuracyReport equalize_layers(Program& program, const EqualizeOptions& options = {});

// High-bias absorption: moves c_i = max(0, mean - 3 std) of a layer's output channel i, as measured on `batches`, through
// the ReLU behind it into the bias of the next layer; the range of the value between them shrinks by c_i. Exact but for
// values below c_i (0.1 % of a normal distribution). The same paper, section 4.1.3. A second layer that pads its input with
// zeros is left alone: the padding would lack c_i.
AccuracyReport absorb_high_biases(Program& program, const CalibrationBatches& batches,
                                  const ExecutorOptions& executor = {});

struct EqualizeActivationsOptions {
  // The strengths that are tried for each group of values: 0 changes nothing, 1 lets every channel fill the range.
  std::vector<double> strengths = {0.25, 0.5, 0.75, 1.0};
  double largest_factor = 64;   // channels that hardly move would ask for any
  double least_gain = 0.05;     // of the estimated error: groups that gain less are left alone
  double clamp_headroom = 1.5;  // above what `batches` show, for what a ReLU6 must still let through
  ExecutorOptions executor = {};
};

// Activation equalization: multiplies the channels of values between convolutions or linears by a factor each, so that
// channels with small values use the range of the whole tensor, which has one scale for all. The layers that make the values
// take the factors into the rows of their weights, which have a scale each and lose nothing; those that read them divide
// their columns. Meller et al., "Same, Same But Different: Recovering Neural Network Quantization Error Through Weight
// Factorization", ICML 2019, section 4. The strength is chosen per group for the least estimated error of what the reading
// layers make: steps d of values and of weights count as noise of variance d^2 / 12.
//
// Values that are added are one group, so that whole residual streams are scaled alike. ReLU6 is no obstacle: its channels are
// scaled up no further than to the number where it cuts divided by a headroom; what outgrows that is cut. The
// float program computes the same as before but for that. Weights with one scale per tensor are left alone. `program` has
// no observers yet.
AccuracyReport equalize_activations(Program& program, Quantizer& quantizer, const CalibrationBatches& batches,
                                    const EqualizeActivationsOptions& options = {});

struct SmoothOptions {
  // The strengths alpha that are tried for each group. 0 leaves all difficulty with the inputs, 1 with the weights.
  std::vector<double> strengths = {0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9};
  ExecutorOptions executor = {};
};

// SmoothQuant: divides what linears read by a factor per channel and multiplies the columns of their weights with it, so
// that channels with large values no longer set the steps of all. s_j = max|X_j|^alpha / max|W_j|^(1 - alpha); alpha is
// chosen per group of linears with one input, for the least squared error of their results when both are quantized as
// `quantizer` says. Xiao et al., "SmoothQuant: Accurate and Efficient Post-Training Quantization for Large Language
// Models", ICML 2023, equation 4.
//
// The factors go into the norm in front (layer_norm, rms_norm, mul by a parameter), which gets a twin where others read it
// too, or through attention into the linear that makes its values. The float program computes the same as before.
// `program` has no observers yet.
AccuracyReport smooth_quant(Program& program, Quantizer& quantizer, const CalibrationBatches& batches,
                            const SmoothOptions& options = {});

// Lets the observer behind a relu, hardtanh or clamp see the value alone where the op in front has the same one: what the
// clamp cuts off takes no part of the range, and the op and its clamp are quantized as one. PyTorch's XNNPACK quantizer,
// which fuses relu only, observes the output of a convolution in front of a ReLU6. Before calibration; `changed` counts
// clamps. As exact as before: quantizing saturates where the clamp does.
AccuracyReport observe_behind_clamps(PreparedProgram& prepared);

// Gives weights of fewer than 8 bits 8 of them in the layers that suffer most: those that no layer is in front of or behind, which
// read the inputs or make the outputs, and depthwise convolutions, whose few products even no errors out. Before calibration;
// `changed` counts observers. Weights with a scale for each group of inputs are left alone.
AccuracyReport widen_weights(PreparedProgram& prepared);

struct WidenOptions {
  double target_sqnr_db = 40;  // of the outputs, as far as activations go: less error is not looked for
  double share = 0.125;        // of the quantized values, at most
  int at_least = 4;            // that many whatever `share` says: a sum of squares and its terms are three values
  double float_work = 0.05;    // of the multiply-accumulates, at most: layers that read 16 bits run in float
  ExecutorOptions executor = {};
};
// Gives 16 bits to the activations whose 8 bits cost the outputs most. For each of them is measured what quantizing it alone does to
// the outputs, on one sample; such errors add up, and those that add most are widened until the target is reached or the shares
// are spent. What a value's own error says is little: a depthwise convolution behind it may multiply it by 50, a norm may
// remove it.
//
// Where a value is read by layers (convolutions, linears, matrix products) and others, as at the forks of a residual network, the
// two are measured and widened apart: additions then have 16 bits while layers keep theirs in 8, and their speed. `prepared`
// must be calibrated; `changed` counts values. Bondarenko et al., "Understanding and Overcoming the Challenges of Efficient
// Transformer Quantization", EMNLP 2021, section 4, mixes 8 and 16 bits by such an analysis of single tensors.
AccuracyReport widen_activations(PreparedProgram& prepared, const CalibrationBatches& batches,
                                 const WidenOptions& options = {});

struct BiasCorrectionOptions {
  enum class Kind {
    fast,  // each layer on the float program's values: E[W x] - E[W_q x]; one run of the float program
    full,  // layer by layer, on the values that the quantized layers before it make: E[W x] - E[W_q x_q]
  };
  Kind kind = Kind::fast;
  // From how many samples `fast` learns its means: the first batches that hold so many. Twice as many brought 0.1 dB or less
  // to five networks of six.
  int samples = 32;
  ExecutorOptions executor = {};
};

// Bias correction: adds the difference of the means, per output channel, to the bias of every layer with a quantized
// weight; a layer without bias gets one. `prepared` must be calibrated. The same paper, section 4.2; `full` is its
// appendix D. Throws InvalidArgumentError for batches that do not fit the program, and, for `full`, for a program that
// changes its buffers.
AccuracyReport correct_biases(PreparedProgram& prepared, const CalibrationBatches& batches,
                              const BiasCorrectionOptions& options = {});

// How the two below choose the integers of a weight. Both go layer by layer: each layer keeps its results as well as the grid
// allows on what the quantized layers before it make, and its bias takes the shift of the mean that is left. Where a program has
// weights of fewer than 8 bits, each layer aims at the float program's results instead, and so makes up for errors of those
// before it; in front of a residual sum for those of the other summand as well. Such weights have their scales chosen
// for the least error of the results too, where output channels have one each or all the same. Either ends with a few sweeps of coordinate descent. The rounded weights take the place of the float ones;
// convert finds their integers again. `prepared` must be calibrated. Output channels that rounding to nearest fits better keep it.
// Throw as correct_biases with `full`.
struct AdaRoundOptions {
  int iterations = 1000;
  double learning_rate = 0.01;
  double regularizer = 1;  // lambda, beside a loss in which rounding one weight the other way costs about 1
  double damping = 0.01;   // added to the diagonal of the inputs' second moments, relative to its mean
  ExecutorOptions executor = {};
};
// Adaptive rounding. Nagel et al., "Up or Down? Adaptive Rounding for Post-Training Quantization", ICML 2020. Output channels
// that gptq fits better take its integers.
AccuracyReport adaround(PreparedProgram& prepared, const CalibrationBatches& batches,
                        const AdaRoundOptions& options = {});
// About how many seconds the learning will take on this machine: measured on a few steps, in less than half a second.
double estimate_adaround_seconds(PreparedProgram& prepared, const AdaRoundOptions& options = {});

struct GptqOptions {
  double damping = 0.01;
  ExecutorOptions executor = {};
};
// Rounding with error feedback. Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained
// Transformers", ICLR 2023. Faster than adaround; groups of inputs with a scale each are welcome.
AccuracyReport gptq(PreparedProgram& prepared, const CalibrationBatches& batches, const GptqOptions& options = {});

// Which algorithms run, in the order of the fields.
struct AccuracyOptions {
  enum class Rounding { nearest, adaround, gptq };
  bool equalize = false;
  bool absorb_high_biases = false;
  bool equalize_activations = false;
  bool smooth_quant = false;
  bool observe_behind_clamps = false;
  bool widen_weights = false;
  bool widen_activations = false;
  WidenOptions widen = {};  // for that; the executor is the one that the algorithms are handed
  Rounding rounding = Rounding::nearest;
  std::optional<BiasCorrectionOptions::Kind> bias_correction = {};

  bool needs_data() const {
    return absorb_high_biases || equalize_activations || smooth_quant || widen_activations ||
           rounding != Rounding::nearest || bias_correction;
  }
};

// Ready-made choices. `fast`: what the quantizer says and nothing else, as PyTorch does. `balanced`: what takes two
// to three times as long as `fast`. `best`: what may take minutes.
enum class AccuracyPreset : std::uint8_t { fast, balanced, best };
std::optional<AccuracyPreset> accuracy_preset_from_text(std::string_view name);  // "fast" ...; empty for other names

// Turns on what `preset` stands for beside what is on already, and fills in what `quantizer_options` leave to the quantizer
// of that name. Without data, only what needs none.
void apply_preset(AccuracyPreset preset, std::string_view quantizer, bool has_data, QuantizerOptions& quantizer_options,
                  AccuracyOptions& accuracy);

// Run those that rewrite a float program, before prepare; those that change what is observed, before calibration; and those
// that need the observers' ranges, between calibration and convert. One report for each that ran.
std::vector<AccuracyReport> improve_before_prepare(Program& program, Quantizer& quantizer,
                                                   const AccuracyOptions& options, const CalibrationBatches& batches,
                                                   const ExecutorOptions& executor = {});
std::vector<AccuracyReport> improve_before_calibrate(PreparedProgram& prepared, const AccuracyOptions& options);
std::vector<AccuracyReport> improve_before_convert(PreparedProgram& prepared, const AccuracyOptions& options,
                                                   const CalibrationBatches& batches,
                                                   const ExecutorOptions& executor = {});

}  // namespace qdq
