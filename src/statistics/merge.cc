#include <algorithm>
#include <set>

#include "qdq/error.h"
#include "qdq/statistics.h"

namespace qdq {
namespace {

using Part = const NamedStatistics*;

[[noreturn]] void refuse(Part a, Part b, const std::string& why) {
  throw InvalidArgumentError("[merge] " + a->name + " and " + b->name + " cannot be merged: " + why);
}

void check_alike(Part first, Part other) {
  const Statistics& a = first->statistics;
  const Statistics& b = other->statistics;
  if (a.program != b.program) refuse(first, other, "they are of different programs");
  if (a.recipe != b.recipe) refuse(first, other, "quantizer or options differ: " + a.recipe + " and " + b.recipe);
  if (a.run != b.run) refuse(first, other, "they were calibrated differently: " + a.run + " and " + b.run);
  const auto same = [](const ObserverStatistics& x, const ObserverStatistics& y) {
    return x.targets == y.targets && x.kind == y.kind;
  };
  if (!std::ranges::equal(a.observers, b.observers, same)) refuse(first, other, "they have different observers");
}

// The shards of all parts: in order, none twice. Nothing when they add up to all of the data.
std::vector<Shard> union_of_shards(std::span<const Part> parts) {
  std::set<Shard> shards;
  Part earlier = parts.front();
  for (const Part part : parts) {
    const Statistics& statistics = part->statistics;
    if (part != parts.front() && statistics.data == earlier->statistics.data &&
        (statistics.shards.empty() || earlier->statistics.shards.empty()))
      refuse(earlier, part, "both have seen the same data");
    for (const Shard& shard : statistics.shards) {
      if (!shards.empty() && shards.begin()->count != shard.count)
        refuse(earlier, part,
               "the data was cut into " + std::to_string(shards.begin()->count) + " shards and into " +
                   std::to_string(shard.count));
      if (!shards.insert(shard).second) refuse(earlier, part, "both have shard " + to_string(shard));
    }
    earlier = part;
  }
  if (!shards.empty() && static_cast<std::int64_t>(shards.size()) == shards.begin()->count) return {};
  return {shards.begin(), shards.end()};
}

// The observer of `seen` as it was saved; null for one without a state, of which there is nothing to merge.
std::shared_ptr<Observer> revive(const ObserverStatistics& seen, const std::string& file) {
  if (seen.state.buffers.empty()) return nullptr;
  try {
    std::shared_ptr<Observer> observer = observer_by_name(seen.kind)(seen.options);
    observer->load_state(seen.state);
    return observer;
  } catch (const InvalidArgumentError& error) {
    throw InvalidArgumentError("[merge] " + file + ": observer '" + seen.targets.front() + "': " + error.what());
  }
}

}  // namespace

Statistics merge_statistics(std::span<const NamedStatistics> all) {
  if (all.empty()) throw InvalidArgumentError("[merge] there is nothing to merge");
  std::vector<Part> parts;
  for (const NamedStatistics& part : all) parts.push_back(&part);
  // Shards in their order, whatever that of the command line: the result is then the same.
  std::ranges::stable_sort(
      parts, {}, [](Part part) { return part->statistics.shards.empty() ? Shard{} : part->statistics.shards.front(); });
  for (const Part part : parts) {
    check_alike(parts.front(), part);
    if (!part->statistics.is_complete)
      throw InvalidArgumentError("[merge] " + part->name + ": calibration stopped after " +
                                 std::to_string(part->statistics.samples) + " samples; let it end first");
  }
  Statistics merged = parts.front()->statistics;
  merged.shards = union_of_shards(parts);
  for (const Part part : std::span(parts).subspan(1)) {
    merged.samples += part->statistics.samples;
    merged.batches += part->statistics.batches;
    if (part->statistics.data != parts.front()->statistics.data) merged.data += "," + part->statistics.data;
  }
  if (merged.data != parts.front()->statistics.data) merged.data = "[" + merged.data + "]";
  for (std::size_t i = 0; i < merged.observers.size(); ++i) {
    ObserverStatistics& into = merged.observers[i];
    const auto observer = revive(into, parts.front()->name);
    if (!observer) continue;
    if (!observer->can_merge() && parts.size() > 1)
      throw InvalidArgumentError(
          "[merge] the observers of kind " + into.kind + " (such as '" + into.targets.front() +
          "') cannot be merged: their state depends on the order of the values. Calibrate in one "
          "run, with several workers in place of shards, or with an observer that can be "
          "merged (--observer MinMaxObserver)");
    for (const Part part : std::span(parts).subspan(1))
      if (const auto other = revive(part->statistics.observers[i], part->name)) observer->merge(*other);
    into.state = observer->save_state();
  }
  return merged;
}

}  // namespace qdq
