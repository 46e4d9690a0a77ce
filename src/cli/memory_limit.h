#pragma once
#include <cstdint>
#include <optional>

namespace qdq::cli {

// The promise of --max-memory: the process never holds more bytes in memory than the limit after a batch, or it stops. What a
// batch takes shows only when one has run, so the first one runs alone; then as many workers run as fit. The result
// does not depend on their number.
class MemoryLimit {
 public:
  // `limit` in bytes; none: `workers` and no promise.
  MemoryLimit(std::optional<std::int64_t> limit, int workers) : limit_(limit), workers_(workers) {}

  // The first batch is to run alone.
  bool is_probing() const { return limit_.has_value() && !probed_; }
  int workers() const { return is_probing() ? 1 : workers_; }

  // Around the first batch. Both throw InvalidArgumentError when the limit is broken.
  void before_first_batch();
  void after_first_batch();
  // After every other batch.
  void check() const;

 private:
  std::optional<std::int64_t> limit_;
  int workers_;
  bool probed_ = false;
  std::int64_t before_ = 0;
};

// How many of `wanted` workers fit, when one that is running has brought the process to `in_use` of at most `limit` bytes
// and every other one takes `per_worker` more. At least 1.
int workers_that_fit(std::int64_t limit, std::int64_t in_use, std::int64_t per_worker, int wanted);

}  // namespace qdq::cli
