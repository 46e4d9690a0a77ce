#include "cli/dry_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <unordered_set>

#include "cli/calibration.h"
#include "cli/report.h"
#include "cli/steps.h"
#include "cli/table.h"

namespace qdq::cli {
namespace {

std::int64_t weight_bytes(const Program& program) {
  std::int64_t bytes = 0;
  for (const auto& attribute : program.attributes)
    if (attribute.value.defined()) bytes += static_cast<std::int64_t>(attribute.value.nbytes());
  return bytes;
}

std::int64_t observer_bytes(const PreparedProgram& prepared) {
  std::int64_t bytes = 0;
  std::unordered_set<const Observer*> counted;  // one may stand under several names
  for (const auto& [target, observer] : prepared.observers())
    if (counted.insert(observer.get()).second)
      for (const auto& [name, buffer] : observer->save_state().buffers)
        bytes += static_cast<std::int64_t>(buffer.nbytes());
  return bytes;
}

// One batch for each worker.
struct Round {
  std::int64_t batches = 0;
  double seconds = 0;
};
Round run_round(PreparedProgram& prepared, Feed& feed, int workers) {
  const auto start = std::chrono::steady_clock::now();
  MemoryLimit memory(std::nullopt, workers);
  const std::int64_t batches = calibrate_batches(
      prepared, feed, memory, [&](std::int64_t taken) { return taken >= workers; }, [](std::int64_t) {});
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  return {batches, elapsed.count()};
}

std::int64_t batch_bytes(Feed& feed) {
  std::int64_t bytes = 0;
  if (const auto batch = feed.next())
    for (const Tensor& tensor : *batch) bytes += static_cast<std::int64_t>(tensor.nbytes());
  feed.start_at(0);
  return bytes;
}

}  // namespace

DryRun dry_run(PreparedProgram& prepared, Feed* feed, int workers) {
  DryRun found;
  found.weights = weight_bytes(prepared.program());
  if (feed != nullptr) {
    found.samples = feed->samples();
    found.batches = *feed->batches();
    found.batch = batch_bytes(*feed);
    const std::int64_t before = resident_memory();
    const Round first = run_round(prepared, *feed, workers);
    const Round second = feed->is_at_end() ? first : run_round(prepared, *feed, workers);
    found.measured = feed->position();
    const std::int64_t left = found.batches - first.batches;
    found.seconds = first.seconds + second.seconds * static_cast<double>(left) / static_cast<double>(second.batches);
    found.executors = std::max<std::int64_t>(0, resident_memory() - before - found.batch * workers);
  }
  found.observers = observer_bytes(prepared);
  found.peak = peak_memory();
  return found;
}

void print_dry_run(const std::string& model, const DryRun& found, const std::vector<std::string>& files, bool json) {
  if (json) {
    print_json({{"model", model},
                {"dry_run", true},
                {"samples", found.samples ? Json(*found.samples) : Json()},
                {"batches", found.batches},
                {"measured_batches", found.measured},
                {"seconds", found.seconds},
                {"memory",
                 {{"weights", found.weights},
                  {"observers", found.observers},
                  {"batch", found.batch},
                  {"executors", found.executors},
                  {"peak", found.peak}}},
                {"files", files}});
    return;
  }
  if (found.samples) {
    fmt::print("{}: {} samples in {} batches would take about {} (measured on {})\n\n", model, grouped(*found.samples),
               grouped(found.batches), seconds(found.seconds), grouped(found.measured));
  } else {
    fmt::print("{}: no data would be read\n\n", model);
  }
  Table table({{"memory"}, {"", true}});
  table.add({"weights, mapped from the file", megabytes(found.weights)});
  table.add({"executors: values under way, packed weights", megabytes(found.executors)});
  table.add({"inputs of a batch", megabytes(found.batch)});
  table.add({"observers", megabytes(found.observers)});
  table.add({"peak of the process", megabytes(found.peak)});
  fmt::print("{}\n", table.to_string());
  for (const std::string& file : files) fmt::print("would write {}\n", file);
}

}  // namespace qdq::cli
