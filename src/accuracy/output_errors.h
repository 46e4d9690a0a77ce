#pragma once
#include <string>
#include <unordered_map>
#include <vector>

#include "accuracy/activation_range.h"
#include "qdq/accuracy.h"

namespace qdq {

// Observation points that are quantized together, with their ranges, by the targets of their call_module nodes.
using QuantizedPoints = std::unordered_map<std::string, ActivationRange>;

// For each of `sets`, what quantizing its points and nothing else does to the results of a program with observers: the sum over its
// floating-point outputs y of |y_q - y|^2 / |y|^2, measured on one sample of `batches`. Small errors of different points add up.
//
// As many sets as a batch has samples are measured in one run, each on a sample of its own. Where values or outputs have no
// dimension for samples in front, a run measures one set, on the whole batch.
std::vector<double> output_errors(const Program& program, const std::vector<QuantizedPoints>& sets,
                                  const CalibrationBatches& batches, const ExecutorOptions& executor);

}  // namespace qdq
