#pragma once
#include <memory>
#include <utility>
#include <vector>

#include "cli/feed.h"
#include "qdq/accuracy.h"

namespace qdq::cli {

// A feed whose first batches are kept for algorithms that need them before and after the calibration. Of a stream too.
class KeptFeed : public Feed {
 public:
  explicit KeptFeed(std::unique_ptr<Feed> source) : source_(std::move(source)) {}

  // The first batches, of `samples` samples or a little more, fewer when there are no more. Not while a calibration runs.
  const CalibrationBatches& first(std::int64_t samples);

  std::optional<std::int64_t> batches() const override { return source_->batches(); }
  std::optional<std::int64_t> samples() const override { return source_->samples(); }
  std::int64_t samples_in(std::int64_t batch) const override { return source_->samples_in(batch); }
  std::int64_t position() const override { return position_; }
  std::optional<std::vector<Tensor>> next() override;
  bool is_at_end() const override { return position_ >= count() && source_->is_at_end(); }
  void start_at(std::int64_t batch) override;
  std::int64_t batch_size() const override { return source_->batch_size(); }
  std::string identity() const override { return source_->identity(); }

 private:
  std::int64_t count() const { return static_cast<std::int64_t>(kept_.size()); }

  std::unique_ptr<Feed> source_;  // stands behind the batches that are kept, or further on
  CalibrationBatches kept_;
  std::int64_t position_ = 0;
};

}  // namespace qdq::cli
