#include "cli/memory_limit.h"

#include <algorithm>
#include <string>

#include "cli/steps.h"
#include "cli/table.h"
#include "qdq/error.h"

namespace qdq::cli {
namespace {

[[noreturn]] void fail(std::int64_t limit, std::int64_t in_use, const std::string& when) {
  throw InvalidArgumentError("--max-memory: " + megabytes(in_use) + " are in use " + when + ", " + megabytes(limit) +
                             " are allowed: allow more, or run smaller batches (--batch)");
}

}  // namespace

int workers_that_fit(std::int64_t limit, std::int64_t in_use, std::int64_t per_worker, int wanted) {
  const std::int64_t others = std::max<std::int64_t>(0, limit - in_use) / std::max<std::int64_t>(1, per_worker);
  return static_cast<int>(std::min<std::int64_t>(wanted, 1 + others));
}

void MemoryLimit::before_first_batch() {
  before_ = resident_memory();
  if (before_ > *limit_) fail(*limit_, before_, "before the first batch");
}

void MemoryLimit::after_first_batch() {
  probed_ = true;
  const std::int64_t in_use = resident_memory();
  if (in_use > *limit_) fail(*limit_, in_use, "after the first batch");
  workers_ = workers_that_fit(*limit_, in_use, in_use - before_, workers_);
}

void MemoryLimit::check() const {
  if (!limit_) return;
  if (const std::int64_t in_use = resident_memory(); in_use > *limit_) fail(*limit_, in_use, "after a batch");
}

}  // namespace qdq::cli
