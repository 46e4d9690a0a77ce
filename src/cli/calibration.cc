#include "cli/calibration.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <thread>

namespace qdq::cli {

void add_calibration_options(CLI::App& command, CalibrationOptions& options) {
  add_quantizer_options(command, options.quantizer);
  command
      .add_option("--workers", options.workers,
                  "Batches to run at the same time, each on its share of the threads (default: 1). The result does not "
                  "depend on it")
      ->check(CLI::Range(1, 256))
      ->type_name("N");
  command.add_flag(
      "--dry-run", options.dry_run,
      "Say how long it would take, in how much memory, and what would be written; runs the first batches and "
      "writes nothing");
  command
      .add_option("--max-memory", options.max_memory,
                  "Stop with an error rather than hold more than this in memory (500MB, 2GiB); fewer workers run when "
                  "so many do not fit")
      ->transform(CLI::AsSizeValue(true))
      ->type_name("SIZE");
  add_run_options(command, options);
  add_image_options(command, options.data);
}

Statistics calibration_identity(const Program& program, const Feed& feed, const CalibrationOptions& options) {
  Statistics identity;
  identity.program = fingerprint(program);
  identity.recipe = recipe_json(options.quantizer).dump();
  identity.run = Json{{"batch", feed.batch_size()}, {"executor", options.executor_kind}}.dump();
  return identity;
}

void set_executor(PreparedProgram& prepared, const CalibrationOptions& options) {
  ExecutorOptions executor = options.executor();
  // The cores are shared out, unless the command line says how many threads each worker has.
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  if (executor.threads == 0 && options.workers > 1) executor.threads = std::max(1, cores / options.workers);
  prepared.set_executor(executor);
  if (prepared.workers_possible(options.workers) < options.workers && !options.quiet)
    fmt::print(stderr,
               "qdq: note: the program changes its buffers, so that each batch depends on the one before: one "
               "worker calibrates\n");
}

std::int64_t calibrate_batches(PreparedProgram& prepared, Feed& feed, MemoryLimit& memory,
                               const std::function<bool(std::int64_t)>& stop,
                               const std::function<void(std::int64_t)>& progress) {
  const std::int64_t begin = feed.position();
  const NextBatch take = [&]() -> std::optional<std::vector<Tensor>> {
    const std::int64_t taken = feed.position() - begin;
    if (taken > 0 && stop(taken)) return std::nullopt;
    return feed.next();
  };
  std::int64_t done = 0;
  const auto report = [&](std::int64_t batches) { progress(feed.samples_in(begin + done + batches - 1)); };
  if (memory.is_probing()) {
    memory.before_first_batch();
    const NextBatch take_one = [&] { return feed.position() == begin ? take() : std::nullopt; };
    done = prepared.calibrate(take_one, {.workers = 1, .after_batch = report});
    memory.after_first_batch();
    if (done == 0 || stop(done)) return done;
  }
  const auto after = [&](std::int64_t batches) {
    memory.check();
    report(batches);
  };
  return done + prepared.calibrate(take, {.workers = memory.workers(), .after_batch = after});
}

}  // namespace qdq::cli
