#pragma once
#include <string>
#include <vector>

#include "cli/data_options.h"
#include "cli/usage.h"
#include "qdq/report.h"

namespace qdq::cli {

// Writes the page of `quantized`, which convert made of `reference`, the file `model`. With data both run on it, to find
// where accuracy is lost.
void save_report(const std::string& path, const std::string& model, const Program& reference, const Program& quantized,
                 std::vector<ObservedTensor> observed, const DataOptions& data, const RunOptions& run);

}  // namespace qdq::cli
