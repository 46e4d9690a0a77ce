#pragma once
#include <cstdint>
#include <memory>
#include <span>

#include "calibrate/turns.h"
#include "qdq/executor.h"
#include "qdq/quantize.h"

namespace qdq {

// Runs the batches of `next` on the executors, each on its own thread; the first on the calling one. Returns the number of
// batches. Throws the error of the first batch that failed, once all threads have stopped.
std::int64_t run_workers(std::span<const std::unique_ptr<Executor>> executors, Turns& turns, const NextBatch& next,
                         const std::function<void(std::int64_t)>& after_batch);

}  // namespace qdq
