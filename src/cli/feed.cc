#include "cli/feed.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <mutex>

#include "cli/report.h"
#include "qdq/data.h"
#include "qdq/error.h"

namespace qdq::cli {
namespace {

class FileFeed : public Feed {
 public:
  FileFeed(Batches batches, const Shard& shard) : batches_(std::move(batches)), shard_(shard) {}

  std::optional<std::int64_t> batches() const override { return count(); }
  std::optional<std::int64_t> samples() const override { return samples_between(0, count()); }
  std::int64_t samples_in(std::int64_t batch) const override { return batches_.samples_in(in_data(batch)); }
  std::optional<std::vector<Tensor>> next() override {
    if (is_at_end()) return std::nullopt;
    return batches_.batch(in_data(next_++));
  }
  std::int64_t position() const override { return next_; }
  bool is_at_end() const override { return next_ == count(); }
  void start_at(std::int64_t batch) override { next_ = batch; }
  std::int64_t batch_size() const override { return batches_.batch_size(); }
  std::string identity() const override { return batches_.identity(); }

 private:
  std::int64_t in_data(std::int64_t batch) const { return shard_.number - 1 + batch * shard_.count; }
  std::int64_t count() const {
    return std::max<std::int64_t>(0, batches_.count() - shard_.number + shard_.count) / shard_.count;
  }

  Batches batches_;
  Shard shard_;
  std::int64_t next_ = 0;
};

class StreamFeed : public Feed {
 public:
  StreamFeed(const Program& program, std::istream& stream, std::string name, std::optional<std::int64_t> limit,
             const Shard& shard)
      : inputs_(program_inputs(program)),
        name_(std::move(name)),
        stream_(stream, name_),
        limit_(limit),
        shard_(shard) {}

  std::optional<std::int64_t> batches() const override { return std::nullopt; }
  std::optional<std::int64_t> samples() const override { return std::nullopt; }
  std::int64_t samples_in(std::int64_t batch) const override {
    const std::lock_guard lock(mutex_);
    return taken_.at(static_cast<std::size_t>(batch));
  }

  std::optional<std::vector<Tensor>> next() override {
    while (auto batch = read()) {
      if ((read_ - 1) % shard_.count != shard_.number - 1) continue;
      const std::lock_guard lock(mutex_);
      taken_.push_back(latest_);
      return batch;
    }
    if (read_ == 0) throw InvalidArgumentError(fmt::format("{}: no batches", name_));
    if (taken_.empty())
      throw InvalidArgumentError(
          fmt::format("{}: {} batches are too few for shard {}", name_, read_, to_string(shard_)));
    return std::nullopt;
  }
  std::int64_t position() const override { return static_cast<std::int64_t>(taken_.size()); }
  bool is_at_end() const override { return is_at_end_; }
  void start_at(std::int64_t) override { throw InternalError("a stream has no second beginning"); }
  std::int64_t batch_size() const override { return 0; }

  std::string identity() const override {
    Json inputs = Json::array();
    for (const Tensor& probe : first_) {
      Shape sizes = probe.sizes();
      if (!sizes.empty()) sizes[0] = samples_;
      inputs.push_back({{"dtype", std::string(name(probe.dtype()))}, {"shape", sizes}});
    }
    return Json{{"inputs", inputs}, {"samples", samples_}, {"probes", fingerprint(probes_)}}.dump();
  }

 private:
  static constexpr std::int64_t kProbes = 64;  // batches of which the first sample is remembered

  // The next batch of the stream, of whatever shard.
  std::optional<std::vector<Tensor>> read() {
    if (is_at_end_ || (limit_ && samples_ >= *limit_)) {
      is_at_end_ = true;
      return std::nullopt;
    }
    std::vector<Tensor> batch;
    for (const ProgramInput& input : inputs_) {
      std::optional<Tensor> array = stream_.next();
      if (!array && batch.empty()) {
        is_at_end_ = true;
        return std::nullopt;
      }
      if (!array)
        throw InvalidArgumentError(fmt::format("{}: the stream ends in batch {}, before the array for input '{}'",
                                               name_, read_ + 1, input.name));
      input.check(array->dtype(), array->sizes(), true, fmt::format("{}, batch {}", name_, read_ + 1));
      batch.push_back(array->contiguous().to(input.dtype(array->dtype())));
    }
    latest_ = 1;
    const auto counted = std::ranges::find_if(batch, [](const Tensor& tensor) { return tensor.dim() > 0; });
    if (counted != batch.end()) latest_ = counted->size(0);
    remember(batch);
    ++read_;
    samples_ += latest_;
    return batch;
  }

  void remember(const std::vector<Tensor>& batch) {
    if (read_ == 0) first_ = batch_heads(batch);
    if (read_ < kProbes) std::ranges::copy(batch_heads(batch), std::back_inserter(probes_));
  }
  // The first sample of each input, in memory of its own.
  static std::vector<Tensor> batch_heads(const std::vector<Tensor>& batch) {
    std::vector<Tensor> heads;
    for (const Tensor& tensor : batch)
      heads.push_back(tensor.dim() > 0 && tensor.size(0) > 0 ? tensor.narrow(0, 0, 1).clone() : tensor.clone());
    return heads;
  }

  std::vector<ProgramInput> inputs_;
  std::string name_;
  NpyStream stream_;
  std::optional<std::int64_t> limit_;  // of samples: no batch is begun after it
  Shard shard_;
  bool is_at_end_ = false;
  std::int64_t read_ = 0;     // batches, of all shards
  std::int64_t samples_ = 0;  // in them
  std::int64_t latest_ = 0;   // in the latest one
  mutable std::mutex mutex_;
  std::vector<std::int64_t> taken_;  // samples in the batches of this shard; changed under the lock
  std::vector<Tensor> first_;
  std::vector<Tensor> probes_;
};

std::unique_ptr<Feed> open_stream(const Program& program, const DataOptions& data, const RunOptions& run,
                                  const Shard& shard) {
  if (run.batch) throw UsageError("--batch: batches on standard input are taken as they come");
  if (data.says_how_images_become_inputs())
    throw UsageError("standard input is read as .npy files: --preprocess and its like do not apply");
  if (input_nodes(program).empty()) throw UsageError("the program has no inputs");
  return std::make_unique<StreamFeed>(program, std::cin, "standard input", run.samples, shard);
}

}  // namespace

std::int64_t Feed::samples_between(std::int64_t begin, std::int64_t end) const {
  std::int64_t samples = 0;
  for (std::int64_t batch = begin; batch < end; ++batch) samples += samples_in(batch);
  return samples;
}

std::unique_ptr<Feed> open_feed(const Program& program, const DataOptions& data, const RunOptions& run,
                                const Shard& shard) {
  if (data.is_stream()) return open_stream(program, data, run, shard);
  Batches batches = open_full_batches(program, data, run);
  if (shard.number > batches.count())
    throw InvalidArgumentError(
        fmt::format("{}: {} batches are too few for shard {}", data.path, batches.count(), to_string(shard)));
  return std::make_unique<FileFeed>(std::move(batches), shard);
}

}  // namespace qdq::cli
