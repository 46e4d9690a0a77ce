#include "cli/report.h"

#include <fmt/format.h>

#include "cli/table.h"

namespace qdq::cli {

std::string steps_table(const std::vector<StepCost>& costs) {
  Table table({{"step"}, {"time", true}, {"peak memory", true}});
  for (const StepCost& cost : costs) table.add({cost.name, seconds(cost.seconds), megabytes(cost.peak_bytes)});
  return table.to_string();
}

Json steps_json(const std::vector<StepCost>& costs) {
  Json steps = Json::array();
  for (const StepCost& cost : costs)
    steps.push_back({{"name", cost.name}, {"seconds", cost.seconds}, {"peak_bytes", cost.peak_bytes}});
  return steps;
}

std::string ops_table(const QuantizationSummary& summary) {
  Table table({{"op"}, {"quantized", true}, {"in float", true}});
  for (const auto& [op, count] : summary.ops) table.add({op, grouped(count.quantized), grouped(count.in_float)});
  return table.to_string();
}

Json ops_json(const QuantizationSummary& summary) {
  Json ops = Json::object();
  for (const auto& [op, count] : summary.ops) ops[op] = {{"quantized", count.quantized}, {"in_float", count.in_float}};
  return ops;
}

void print_json(const Json& json) { fmt::print("{}\n", json.dump(2)); }

}  // namespace qdq::cli
