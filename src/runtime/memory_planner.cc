#include "runtime/memory_planner.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace qdq::runtime {
namespace {

constexpr std::size_t kAlignment = 64;

// Free memory below the arena's end, as offset -> bytes; neighbours are merged.
class FreeList {
 public:
  std::size_t take(std::size_t bytes) {
    auto best = gaps_.end();
    for (auto gap = gaps_.begin(); gap != gaps_.end(); ++gap)
      if (gap->second >= bytes && (best == gaps_.end() || gap->second < best->second)) best = gap;
    if (best != gaps_.end()) {
      const auto [offset, size] = *best;
      gaps_.erase(best);
      if (size > bytes) gaps_[offset + bytes] = size - bytes;
      return offset;
    }
    // Nothing fits: grow the arena, starting in a gap at its end if there is one.
    std::size_t offset = end_;
    if (!gaps_.empty()) {
      const auto last = std::prev(gaps_.end());
      if (last->first + last->second == end_) {
        offset = last->first;
        gaps_.erase(last);
      }
    }
    end_ = offset + bytes;
    return offset;
  }

  void give(std::size_t offset, std::size_t bytes) {
    auto next = gaps_.lower_bound(offset);
    if (next != gaps_.begin()) {
      const auto before = std::prev(next);
      if (before->first + before->second == offset) {
        offset = before->first;
        bytes += before->second;
        gaps_.erase(before);
      }
    }
    if (next != gaps_.end() && offset + bytes == next->first) {
      bytes += next->second;
      gaps_.erase(next);
    }
    gaps_[offset] = bytes;
  }

  std::size_t end() const { return end_; }

 private:
  std::map<std::size_t, std::size_t> gaps_;
  std::size_t end_ = 0;
};

}  // namespace

MemoryPlan plan_memory(std::span<const Lifetime> blocks) {
  MemoryPlan plan;
  plan.offsets.resize(blocks.size());
  std::vector<std::size_t> by_first(blocks.size());
  std::iota(by_first.begin(), by_first.end(), std::size_t{0});
  // Larger blocks of one step first: they leave the more useful gaps.
  std::stable_sort(by_first.begin(), by_first.end(), [&](std::size_t a, std::size_t b) {
    return blocks[a].first != blocks[b].first ? blocks[a].first < blocks[b].first : blocks[a].bytes > blocks[b].bytes;
  });
  std::multimap<std::size_t, std::size_t> ending;  // last step -> block
  FreeList free_list;
  const auto rounded = [&](std::size_t block) {
    return (std::max<std::size_t>(blocks[block].bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
  };
  for (std::size_t block : by_first) {
    while (!ending.empty() && ending.begin()->first < blocks[block].first) {
      const std::size_t done = ending.begin()->second;
      free_list.give(plan.offsets[done], rounded(done));
      ending.erase(ending.begin());
    }
    plan.offsets[block] = free_list.take(rounded(block));
    ending.emplace(blocks[block].last, block);
  }
  plan.bytes = free_list.end();
  return plan;
}

}  // namespace qdq::runtime
