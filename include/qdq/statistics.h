#pragma once
#include <compare>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "qdq/observer.h"
#include "qdq/quantize.h"

namespace qdq {

// What one observer of a prepared program has seen.
struct ObserverStatistics {
  std::vector<std::string> targets;  // of the call_module nodes that call it, sorted; the first one names it
  std::string kind;
  ObserverOptions options;
  ObserverState state;
};

// Part `number` of `count` parts of the data, counted from 1. Batches are dealt out like cards: part 1 of 4 gets the
// batches 0, 4, 8, ...
struct Shard {
  std::int64_t number = 1;
  std::int64_t count = 1;
  auto operator<=>(const Shard&) const = default;
};
std::string to_string(const Shard& shard);  // "1/4"
// Throws InvalidArgumentError for anything but "i/n" with 1 <= i <= n <= 1,000,000.
Shard shard_from_text(std::string_view text);

// What calibration has found: enough to convert later, elsewhere, or to calibrate on. docs/calibration.md has the file.
struct Statistics {
  std::string program;       // fingerprint() of the program before prepare
  std::string recipe;        // JSON: how it was prepared (quantizer, options)
  std::string run;           // JSON: what else the values depend on (batch size, executor)
  std::string data;          // JSON: which data, to know it again
  std::int64_t samples = 0;  // that were seen
  std::int64_t batches = 0;
  bool is_complete = true;                    // false: a checkpoint, to go on from after `batches` batches
  std::vector<Shard> shards;                  // the parts of the data that were seen, in order; empty for all of it
  std::vector<ObserverStatistics> observers;  // by their first target
};

// A number that tells programs apart: 128 bits over graph and weights, "xxh3:0123...". Stack traces, annotations and the
// file that the program came from do not count.
std::string fingerprint(const Program& program);
// The same over tensors: dtypes, sizes, elements.
std::string fingerprint(std::span<const Tensor> tensors);

// What the observers of `prepared` know now, in memory of its own; the caller fills in the fields before `observers`.
Statistics collect_statistics(const PreparedProgram& prepared);
// Gives the observers of `prepared` what `statistics` says. Throws InvalidArgumentError, which names the observer, when
// the program has other observers than these, or when their state does not fit them.
void apply_statistics(PreparedProgram& prepared, const Statistics& statistics);

// One more part for merge_statistics, and what to call it in messages.
struct NamedStatistics {
  std::string name;
  Statistics statistics;
};
// As if all the data had been seen in one run, to the bit. Throws InvalidArgumentError for parts of different programs,
// recipes or runs, for unfinished parts, for one that is there twice, and for observers whose state depends on the order
// of the values (Observer::can_merge): the message says what to use in their place.
Statistics merge_statistics(std::span<const NamedStatistics> parts);

// Reads and writes the file. Throws as load() and save(); what is read is as hostile as any file.
Statistics load_statistics(const std::filesystem::path& path);
void save_statistics(const std::filesystem::path& path, const Statistics& statistics);

}  // namespace qdq
