#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/steps.h"
#include "qdq/quantize.h"

namespace qdq::cli {

using Json = nlohmann::ordered_json;

// The parts that the commands' summaries share, as text and as JSON.
std::string steps_table(const std::vector<StepCost>& costs);
Json steps_json(const std::vector<StepCost>& costs);
std::string ops_table(const QuantizationSummary& summary);
Json ops_json(const QuantizationSummary& summary);

void print_json(const Json& json);  // on stdout, indented

}  // namespace qdq::cli
