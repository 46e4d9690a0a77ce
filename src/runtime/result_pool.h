#pragma once
#include <cstddef>
#include <memory>

#include "qdq/tensor.h"

namespace qdq::runtime {

// Memory for the results of runs that callers have let go of the last time: fresh memory costs a page fault for every 4 KB, a tenth of
// the time of a language model with large logits. A caller that keeps its results gets new memory.
class ResultPool {
 public:
  ResultPool();

  // Contiguous, with anything in it. The memory returns to the pool with the last tensor that looks at it, on any thread, also
  // after the pool's end.
  Tensor empty(DType dtype, const Shape& sizes);

 private:
  struct Spare;
  std::shared_ptr<Spare> spare_;
};

}  // namespace qdq::runtime
