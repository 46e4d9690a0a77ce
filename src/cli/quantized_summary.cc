#include "cli/quantized_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/files.h"
#include "cli/report.h"
#include "cli/table.h"
#include "qdq/explain.h"

namespace qdq::cli {
namespace {

// Quantizers bound scales from below (by 2^-12, most of them). Values that are small beside that bound become a few integers
// around zero: batch norms with a large variance, folded into a convolution, leave such weights.
void warn_of_coarse_tensors(const Program& program) {
  constexpr double kFewSteps = 8;
  for (const ExplainedOp& op : explain(program))
    for (const QuantizedTensor& tensor : op.inputs) {
      if (!tensor.observed || tensor.scale.empty()) continue;
      const double largest = std::max(std::abs(tensor.observed->first), std::abs(tensor.observed->second));
      const double scale = *std::min_element(tensor.scale.begin(), tensor.scale.end());
      if (largest > 0 && largest < kFewSteps * scale)
        fmt::print(
            stderr,
            "qdq: warning: '{}' of {} has no value beyond {:.3g}, which is {:.1f} steps of its scale, the smallest "
            "that the quantizer allows: exclude the op\n",
            tensor.name, op.node->describe(), largest, largest / scale);
    }
}

}  // namespace

void print_quantized(const std::string& model, const std::string& output, const Program& quantized,
                     std::int64_t samples, const Steps& steps, bool json) {
  warn_of_coarse_tensors(quantized);
  const QuantizationSummary summary = summarize_quantization(quantized);
  const std::int64_t before = file_size(model);
  const std::int64_t after = file_size(output);
  if (json) {
    print_json({{"model", model},
                {"output", output},
                {"bytes_before", before},
                {"bytes_after", after},
                {"samples", samples},
                {"quantized", summary.quantized()},
                {"in_float", summary.in_float()},
                {"ops", ops_json(summary)},
                {"steps", steps_json(steps.costs())}});
    return;
  }
  fmt::print("{}: {} of {} ops quantized", output, summary.quantized(), summary.quantized() + summary.in_float());
  if (samples > 0) fmt::print(", calibrated on {} samples", grouped(samples));
  fmt::print("\n\n{}\n", ops_table(summary));
  fmt::print("  {} bytes before, {} bytes after ({})\n\n", grouped(before), grouped(after),
             percent(static_cast<double>(after), static_cast<double>(before)));
  fmt::print("{}", steps_table(steps.costs()));
}

}  // namespace qdq::cli
