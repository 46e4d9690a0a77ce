#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "cli/steps.h"
#include "qdq/accuracy.h"
#include "qdq/quantize.h"
#include "qdq/tune.h"

namespace qdq::cli {

// Warns, on standard error, of tensors whose values are a few steps of their scale, the smallest one that there is.
void warn_of_coarse_tensors(const Program& quantized);

// The summary of the commands that write a quantized program, on standard output. `samples`: 0 when there was no data;
// `tuned`: empty when nothing was timed; `improved`: what the accuracy algorithms did.
void print_quantized(const std::string& model, const std::string& output, const Program& quantized,
                     std::int64_t samples, const Steps& steps, const std::vector<TunedRegion>& tuned, bool json,
                     const std::vector<AccuracyReport>& improved = {});

}  // namespace qdq::cli
