#pragma once
#include <cstddef>
#include <memory>

#include "qdq/tensor.h"

namespace qdq::runtime {

// Zeroed memory for the activations of a plan, on pages of 2 MB where it is large and the system has them: it lives long and is walked
// from end to end in each run, which then misses the TLB less. Memory that is used once is better off without: the system takes longer to
// find such pages than it saves.
std::shared_ptr<Storage> allocate_arena(std::size_t bytes);

}  // namespace qdq::runtime
