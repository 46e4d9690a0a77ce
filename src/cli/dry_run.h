#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/feed.h"
#include "qdq/quantize.h"

namespace qdq::cli {

// What a calibration would cost, found by running its first batches. Bytes are of memory.
struct DryRun {
  std::optional<std::int64_t> samples;  // nothing where no data is needed
  std::int64_t batches = 0;
  std::int64_t measured = 0;  // batches that were run
  double seconds = 0;         // that all batches would take
  std::int64_t weights = 0;   // mapped from the file
  std::int64_t observers = 0;
  std::int64_t batch = 0;      // the inputs of one
  std::int64_t executors = 0;  // what running added: values under way and packed weights, of all workers
  std::int64_t peak = 0;       // of the whole process
};

// Runs two rounds of `workers` batches, as far as there are so many: the first one plans, the second one is measured. The
// observers have seen them afterwards. `feed` null: no data, nothing is run.
DryRun dry_run(PreparedProgram& prepared, Feed* feed, int workers);

// What was found, and the files that the command would write.
void print_dry_run(const std::string& model, const DryRun& found, const std::vector<std::string>& files, bool json);

}  // namespace qdq::cli
