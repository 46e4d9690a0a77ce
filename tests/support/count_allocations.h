#pragma once
#include <cstdint>

namespace qdq::testing {

// How often this program called operator new. Blocks of tensors come from aligned_alloc, the counts of their owners from here.
std::int64_t allocations();

}  // namespace qdq::testing
