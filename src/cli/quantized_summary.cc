#include "cli/quantized_summary.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "cli/accuracy_options.h"
#include "cli/files.h"
#include "cli/report.h"
#include "cli/table.h"
#include "qdq/explain.h"

namespace qdq::cli {
namespace {

Json tuned_json(const std::vector<TunedRegion>& tuned) {
  Json regions = Json::array();
  for (const TunedRegion& region : tuned)
    regions.push_back({{"ops", region.ops},
                       {"int8_seconds", region.int8_seconds},
                       {"float_seconds", region.float_seconds},
                       {"in_int8", region.in_int8}});
  return regions;
}

// What runs in float first.
void print_tuned(const std::vector<TunedRegion>& tuned) {
  Table table({{"region"}, {"int8", true}, {"float", true}, {"runs in"}});
  std::int64_t in_float = 0;
  for (const bool in_int8 : {false, true})
    for (const TunedRegion& region : tuned) {
      if (region.in_int8 != in_int8) continue;
      in_float += !in_int8;
      table.add({fmt::format("{}", fmt::join(region.ops, ", ")), milliseconds(region.int8_seconds),
                 milliseconds(region.float_seconds), in_int8 ? "int8" : "float"});
    }
  fmt::print("\n{} of {} quantized regions are faster in float on this machine and run in it:\n{}", in_float,
             tuned.size(), table.to_string());
}

}  // namespace

// Quantizers bound scales from below (by 2^-12, most of them). Values that are small beside that bound become a few integers
// around zero: batch norms with a large variance, folded into a convolution, leave such weights.
void warn_of_coarse_tensors(const Program& program) {
  constexpr double kFewSteps = 8, kLeastScale = 0x1p-12;
  for (const ExplainedOp& op : explain(program))
    for (const QuantizedTensor& tensor : op.inputs) {
      if (!tensor.observed || tensor.scale.empty()) continue;
      const double largest = std::max(std::abs(tensor.observed->first), std::abs(tensor.observed->second));
      const double scale = *std::min_element(tensor.scale.begin(), tensor.scale.end());
      if (scale <= kLeastScale && largest > 0 && largest < kFewSteps * scale)
        fmt::print(
            stderr,
            "qdq: warning: '{}' of {} has no value beyond {:.3g}, which is {:.1f} steps of its scale, the smallest "
            "that the quantizer allows: exclude the op\n",
            tensor.name, op.node->describe(), largest, largest / scale);
    }
}

void print_quantized(const std::string& model, const std::string& output, const Program& quantized,
                     std::int64_t samples, const Steps& steps, const std::vector<TunedRegion>& tuned, bool json,
                     const std::vector<AccuracyReport>& improved) {
  const QuantizationSummary summary = summarize_quantization(quantized);
  const std::int64_t before = file_size(model);
  const std::int64_t after = file_size(output);
  if (json) {
    Json report = {{"model", model},
                   {"output", output},
                   {"bytes_before", before},
                   {"bytes_after", after},
                   {"samples", samples},
                   {"quantized", summary.quantized()},
                   {"in_float", summary.in_float()},
                   {"accuracy", accuracy_json(improved)},
                   {"ops", ops_json(summary)},
                   {"steps", steps_json(steps.costs())}};
    if (!tuned.empty()) report["tuned"] = tuned_json(tuned);
    print_json(report);
    return;
  }
  fmt::print("{}: {} of {} ops quantized", output, summary.quantized(), summary.quantized() + summary.in_float());
  if (samples > 0) fmt::print(", calibrated on {} samples", grouped(samples));
  fmt::print("\n\n{}\n", ops_table(summary));
  if (!improved.empty()) fmt::print("{}\n", accuracy_text(improved));
  fmt::print("  {} bytes before, {} bytes after ({})\n\n", grouped(before), grouped(after),
             percent(static_cast<double>(after), static_cast<double>(before)));
  fmt::print("{}", steps_table(steps.costs()));
  if (!tuned.empty()) print_tuned(tuned);
}

}  // namespace qdq::cli
