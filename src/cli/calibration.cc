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
  add_run_options(command, options);
}

Batches open_batches(const Program& program, const CalibrationOptions& options) {
  Batches batches(program, load_tensors(options.data), options.batch, Batches::Remainder::drop, options.data);
  if (options.samples) batches.limit(*options.samples);
  if (batches.dropped() > 0 && !options.quiet)
    fmt::print(stderr, "qdq: note: the last {} samples do not fill a batch of {} and are left out\n", batches.dropped(),
               batches.batch_size());
  if (batches.count() == 0)
    throw InvalidArgumentError(fmt::format("{}: {} samples do not fill one batch of {}", options.data,
                                           batches.samples(), batches.batch_size()));
  return batches;
}

Statistics calibration_identity(const Program& program, const Batches& batches, const CalibrationOptions& options) {
  Statistics identity;
  identity.program = fingerprint(program);
  identity.recipe = recipe_json(options.quantizer).dump();
  identity.run = Json{{"batch", batches.batch_size()}, {"executor", options.executor_kind}}.dump();
  identity.data = batches.identity();
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

std::int64_t Deal::samples(const Batches& batches, std::int64_t begin, std::int64_t end) const {
  std::int64_t samples = 0;
  for (std::int64_t i = begin; i < end; ++i) samples += batches.samples_in(first + i * step);
  return samples;
}

std::int64_t calibrate_batches(PreparedProgram& prepared, const Batches& batches, const Deal& deal, std::int64_t begin,
                               int workers, const std::function<bool(std::int64_t)>& stop,
                               const std::function<void(std::int64_t)>& progress) {
  const std::int64_t count = deal.count(batches);
  std::int64_t next = begin;
  const NextBatch take = [&]() -> std::optional<std::vector<Tensor>> {
    if (next == count || (next > begin && stop(next - begin))) return std::nullopt;
    return batches.batch(deal.first + deal.step * next++);
  };
  const auto after = [&](std::int64_t done) { progress(deal.samples(batches, begin + done - 1, begin + done)); };
  prepared.calibrate(take, {.workers = workers, .after_batch = after});
  return next;
}

}  // namespace qdq::cli
