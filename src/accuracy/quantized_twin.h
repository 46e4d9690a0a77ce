#pragma once
#include <functional>
#include <string>
#include <vector>

#include "accuracy/staged_run.h"
#include "accuracy/weighted_layers.h"
#include "qdq/accuracy.h"

namespace qdq {

// A calibrated program beside itself, run layer by layer on the same batches: once in float, as it was to begin with, and
// once with every observer replaced by quantize and dequantize. Changes to a layer are seen by the layers behind it in
// the quantized run only.
class QuantizedTwin {
 public:
  QuantizedTwin(PreparedProgram& prepared, const CalibrationBatches& batches, const ExecutorOptions& executor);

  // What `layer` reads in the quantized run: a tensor for each batch. Goes forward only.
  const std::vector<Tensor>& quantized_inputs(const ObservedLayer& layer);
  // What it makes of what it reads.
  const std::vector<Tensor>& float_outputs(const ObservedLayer& layer);
  std::vector<Tensor>& quantized_outputs(const ObservedLayer& layer);

  // What it should make of what it reads, on the float run's word. Where nothing but an addition reads that, what the other summand
  // lacks in the quantized run is wanted too: the sum y + x of a residual block keeps to the float one when y makes up for
  // the errors of x. Li et al., "BRECQ: Pushing the Limit of Post-Training Quantization by Block Reconstruction",
  // ICLR 2021, fit the results of such blocks too, by gradient descent through them.
  std::vector<Tensor> wanted_outputs(const ObservedLayer& layer);

  // Each changes the prepared program and the quantized run.
  // `weight` is on its grid: the quantized run reads it as it is.
  void set_weight(const ObservedLayer& layer, const Tensor& weight);
  // Before the layer has run.
  void add_to_bias(const ObservedLayer& layer, const std::vector<double>& difference);
  // Moves the bias so that the quantized results have the means of the float results, per channel.
  void correct_bias(const ObservedLayer& layer);

 private:
  Program& prepared_;
  Program reference_;
  Program quantized_;
  StagedRun in_float_;
  StagedRun simulated_;
};

}  // namespace qdq
