#pragma once
#include <vector>

#include "cli/report.h"
#include "qdq/accuracy.h"

namespace CLI {
class App;
}

namespace qdq::cli {

// Which algorithms win accuracy back.
void add_accuracy_options(CLI::App& command, AccuracyOptions& options);

// What they did: a line each, and for JSON.
std::string accuracy_text(const std::vector<AccuracyReport>& reports);
Json accuracy_json(const std::vector<AccuracyReport>& reports);

}  // namespace qdq::cli
