#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "cli/data_options.h"
#include "cli/feed.h"
#include "cli/memory_limit.h"
#include "cli/quantizer_options.h"
#include "cli/usage.h"
#include "qdq/quantize.h"
#include "qdq/statistics.h"

namespace qdq::cli {

// What the commands that calibrate have in common.
struct CalibrationOptions : RunOptions {
  QuantizerOptions quantizer;
  std::string model;
  DataOptions data;
  int workers = 1;
  bool dry_run = false;
  std::optional<std::int64_t> max_memory;  // bytes
};
void add_calibration_options(CLI::App& command, CalibrationOptions& options);

// What the statistics of this calibration depend on: every field of Statistics but the data, progress and observers.
// `program` is the one before prepare.
Statistics calibration_identity(const Program& program, const Feed& feed, const CalibrationOptions& options);

// Chooses the executor of `prepared` and the threads of each worker.
void set_executor(PreparedProgram& prepared, const CalibrationOptions& options);

// Observes the batches of `feed` until `stop(batches taken)` says so, or the end. Returns the number of batches.
// `progress(samples)` is called after each. `memory` says how many workers run and what they may hold.
std::int64_t calibrate_batches(PreparedProgram& prepared, Feed& feed, MemoryLimit& memory,
                               const std::function<bool(std::int64_t)>& stop,
                               const std::function<void(std::int64_t)>& progress);

}  // namespace qdq::cli
