#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "cli/batches.h"
#include "cli/quantizer_options.h"
#include "cli/usage.h"
#include "qdq/quantize.h"
#include "qdq/statistics.h"

namespace qdq::cli {

// What the commands that calibrate have in common.
struct CalibrationOptions : RunOptions {
  QuantizerOptions quantizer;
  std::string model;
  std::string data;
  int workers = 1;
};
void add_calibration_options(CLI::App& command, CalibrationOptions& options);

// The calibration data; a last batch that the program cannot take is left out, with a note. Throws InvalidArgumentError
// for data that does not fit the program, or is less than one batch.
Batches open_batches(const Program& program, const CalibrationOptions& options);

// What the statistics of this calibration depend on: every field of Statistics but progress and observers. `program` is
// the one before prepare.
Statistics calibration_identity(const Program& program, const Batches& batches, const CalibrationOptions& options);

// Chooses the executor of `prepared` and the threads of each worker.
void set_executor(PreparedProgram& prepared, const CalibrationOptions& options);

// The part of the batches that a process sees: `first`, `first + step`, ...
struct Deal {
  std::int64_t first = 0;
  std::int64_t step = 1;

  std::int64_t count(const Batches& batches) const { return (batches.count() - first + step - 1) / step; }
  std::int64_t samples(const Batches& batches, std::int64_t begin,
                       std::int64_t end) const;  // in its batches begin..end
};

// Observes the batches of `deal` from number `begin` until `stop(batches handed out)` says so, or the end. Returns the
// number of the first batch that was not seen. `progress(samples)` is called after each batch.
std::int64_t calibrate_batches(PreparedProgram& prepared, const Batches& batches, const Deal& deal, std::int64_t begin,
                               int workers, const std::function<bool(std::int64_t)>& stop,
                               const std::function<void(std::int64_t)>& progress);

}  // namespace qdq::cli
