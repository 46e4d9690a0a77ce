#include "cli/quantized_summary.h"

#include <fmt/format.h>

#include "cli/files.h"
#include "cli/report.h"
#include "cli/table.h"

namespace qdq::cli {

void print_quantized(const std::string& model, const std::string& output, const Program& quantized,
                     std::int64_t samples, const Steps& steps, bool json) {
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
