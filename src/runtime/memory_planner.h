#pragma once
#include <cstddef>
#include <span>
#include <vector>

namespace qdq::runtime {

// A block of memory that is needed from step `first` to step `last`, both included.
struct Lifetime {
  std::size_t bytes = 0;
  std::size_t first = 0;
  std::size_t last = 0;
};

struct MemoryPlan {
  std::vector<std::size_t> offsets;  // multiples of 64, one per block
  std::size_t bytes = 0;             // of the whole arena
};

// Places the blocks so that no two that live at the same time overlap: in order of their first step, each into the
// smallest gap that fits (best fit), lowest first. O(n log n) for n blocks with few gaps.
MemoryPlan plan_memory(std::span<const Lifetime> blocks);

}  // namespace qdq::runtime
