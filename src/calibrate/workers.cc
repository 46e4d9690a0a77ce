#include "calibrate/workers.h"

#include <exception>
#include <thread>

namespace qdq {
namespace {

class Workers {
 public:
  Workers(Turns& turns, const NextBatch& next, const std::function<void(std::int64_t)>& after_batch)
      : turns_(turns), next_(next), after_batch_(after_batch) {
    turns_.restart();
  }

  // Takes batches until there are no more, or one has failed.
  void work(Executor& executor) {
    std::int64_t batch = 0;
    executor.set_observe([&](const std::string& target, const Tensor& value) { turns_.observe(batch, target, value); });
    while (const std::optional<std::vector<Tensor>> inputs = take(batch)) {
      if (!attempt(batch, [&] {
            executor.run(*inputs);
            turns_.leave_all(batch);
            finish_batch();
          }))
        break;
    }
    executor.set_observe(nullptr);  // it refers to this call
  }

  std::int64_t done() const { return done_; }
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::optional<std::vector<Tensor>> take(std::int64_t& batch) {
    const std::lock_guard lock(source_);
    if (ended_ || turns_.failed() != Turns::kNone) return std::nullopt;
    batch = taken_++;
    std::optional<std::vector<Tensor>> inputs;
    attempt(batch, [&] { inputs = next_(); });
    ended_ = !inputs.has_value();
    return inputs;
  }

  void finish_batch() {
    const std::lock_guard lock(report_);
    ++done_;
    if (after_batch_) after_batch_(done_);
  }

  // Runs a part of the work on `batch`. False when it failed; the error of the first batch that did is kept.
  template <typename Work>
  bool attempt(std::int64_t batch, Work&& work) {
    try {
      work();
      return true;
    } catch (const Turns::Abandoned&) {
      return false;
    } catch (...) {
      const std::lock_guard lock(report_);
      if (batch < error_batch_) {
        error_batch_ = batch;
        error_ = std::current_exception();
      }
    }
    turns_.fail(batch);
    return false;
  }

  Turns& turns_;
  const NextBatch& next_;
  const std::function<void(std::int64_t)>& after_batch_;
  std::mutex source_;  // next_, taken_, ended_
  std::int64_t taken_ = 0;
  bool ended_ = false;
  std::mutex report_;  // after_batch_, done_, error_, error_batch_
  std::int64_t done_ = 0;
  std::exception_ptr error_;
  std::int64_t error_batch_ = Turns::kNone;
};

}  // namespace

std::int64_t run_workers(std::span<const std::unique_ptr<Executor>> executors, Turns& turns, const NextBatch& next,
                         const std::function<void(std::int64_t)>& after_batch) {
  Workers workers(turns, next, after_batch);
  {
    std::vector<std::jthread> threads;
    for (const auto& executor : executors.subspan(1)) threads.emplace_back([&] { workers.work(*executor); });
    workers.work(*executors.front());
  }
  workers.rethrow();
  return workers.done();
}

}  // namespace qdq
