#pragma once
#include <string>

#include "cli/quantizer_options.h"
#include "qdq/statistics.h"

namespace qdq::cli {

// A statistics file together with the recipe in it.
struct OpenedStatistics {
  std::string file;
  Statistics statistics;
  QuantizerOptions recipe;

  PassOptions passes() const;
  // `program` prepared as it was for the calibration. `model` is its file.
  PreparedProgram prepare(Program program, const std::string& model) const;
  // Gives the observers of `prepared` what they had seen.
  void apply(PreparedProgram& prepared) const;
};

// Throws InvalidArgumentError for statistics of another program than `program`, the file `model`, and of a calibration that
// has not ended. A part of the data will do, with a note on standard error unless `quiet`.
OpenedStatistics open_statistics(const std::string& file, const Program& program, const std::string& model, bool quiet);

}  // namespace qdq::cli
