#include "cli/kept_feed.h"

#include <algorithm>

namespace qdq::cli {

const CalibrationBatches& KeptFeed::first(std::int64_t samples) {
  if (!kept_.empty() || position_ > 0) return kept_;
  std::int64_t found = 0;
  while (found < samples) {
    auto batch = source_->next();
    if (!batch) break;
    found += source_->samples_in(count());
    kept_.push_back(std::move(*batch));
  }
  return kept_;
}

std::optional<std::vector<Tensor>> KeptFeed::next() {
  const std::int64_t at = position_++;
  if (at < count()) return kept_[static_cast<std::size_t>(at)];
  auto batch = source_->next();
  if (!batch) --position_;
  return batch;
}

void KeptFeed::start_at(std::int64_t batch) {
  position_ = batch;
  source_->start_at(std::max(batch, count()));
}

}  // namespace qdq::cli
