#include "accuracy/output_errors.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "accuracy/samples.h"
#include "qdq/interrupt.h"

namespace qdq {
namespace {

// The sum of x^2, or of (x - from)^2.
double sum_of_squares(const Tensor& x, const Tensor& from = {}) {
  const Tensor plain = x.to(DType::float32).contiguous();
  const Tensor plain_from = from.defined() ? from.to(DType::float32).contiguous() : Tensor();
  const float* values = plain.data<float>();
  const float* others = from.defined() ? plain_from.data<float>() : nullptr;
  double sum = 0;
  for (std::int64_t i = 0, count = plain.numel(); i < count; ++i) {
    const double value = others ? values[i] - others[i] : values[i];
    sum += value * value;
  }
  return sum;
}

class Measurement {
 public:
  Measurement(const Program& program, const std::vector<QuantizedPoints>& sets, const CalibrationBatches& batches,
              const ExecutorOptions& executor)
      : program_(program), sets_(sets), batches_(batches), options_(executor), errors_(sets.size()) {
    options_.writable_observations = true;
    start();
    has_state_ = executor_->fork() == nullptr;
  }

  std::vector<double> run() {
    std::vector<std::size_t> left(sets_.size());
    for (std::size_t i = 0; i < left.size(); ++i) left[i] = i;
    for (std::size_t batch = 0; !left.empty() && counts_samples(batch); batch = (batch + 1) % batches()) {
      const auto samples = static_cast<std::size_t>(*samples_of(batches_[batch]));
      const std::size_t count = std::min(samples, left.size());
      measure(batch, {left.begin(), left.begin() + static_cast<std::ptrdiff_t>(count)}, true);
      left.erase(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(count));
    }
    std::ranges::copy(left, std::back_inserter(without_samples_));
    for (const std::size_t set : without_samples_) measure(0, {set}, false);
    return std::move(errors_);
  }

 private:
  static constexpr std::size_t kBatches = 2;  // in turn: results in float are needed of each

  void start() {
    executor_ = make_executor(program_, options_);
    executor_->set_observe([this](const std::string& target, const Tensor& value) { quantize(target, value); });
  }

  // Every run begins with the buffers that the program came with.
  std::vector<Tensor> run_on(std::size_t batch) {
    if (has_state_) start();
    return executor_->run(batches_[batch]);
  }

  std::size_t batches() const { return std::min(kBatches, batches_.size()); }

  const std::vector<Tensor>& float_results(std::size_t batch) {
    std::vector<Tensor>& results = in_float_[batch];
    if (results.empty()) {
      current_.clear();
      results = run_on(batch);
    }
    return results;
  }

  bool counts_samples(std::size_t batch) {
    const auto samples = samples_of(batches_[batch]);
    return samples && *samples > 0 && std::ranges::all_of(float_results(batch), [&](const Tensor& y) {
             return !is_floating_point(y.dtype()) || (y.dim() > 0 && y.size(0) == *samples);
           });
  }

  // One run with each of `sets` on a sample of its own, or with one set on all of the batch.
  void measure(std::size_t batch, const std::vector<std::size_t>& sets, bool by_sample) {
    check_interrupt();
    const std::vector<Tensor>& expected = float_results(batch);
    current_ = sets;
    by_sample_ = by_sample;
    samples_ = by_sample ? *samples_of(batches_[batch]) : 0;
    const std::vector<Tensor> found = run_on(batch);
    for (std::size_t i = 0; i < sets.size(); ++i) {
      double& error = errors_[sets[i]];
      error = 0;
      for (std::size_t y = 0; y < expected.size(); ++y) {
        if (!is_floating_point(expected[y].dtype())) continue;
        const auto part = [&](const Tensor& whole) {
          return by_sample ? whole.narrow(0, static_cast<std::int64_t>(i), 1) : whole;
        };
        const double signal = sum_of_squares(part(expected[y]));
        if (signal > 0) error += sum_of_squares(part(found[y]), part(expected[y])) / signal;
      }
      if (std::isnan(error)) error = std::numeric_limits<double>::infinity();
    }
  }

  void quantize(const std::string& target, const Tensor& value) {
    for (std::size_t i = 0; i < current_.size(); ++i) {
      const auto point = sets_[current_[i]].find(target);
      if (point == sets_[current_[i]].end()) continue;
      if (!by_sample_) {
        value.copy_from(point->second.quantized(value));
      } else if (value.dim() > 0 && value.size(0) == samples_) {
        const Tensor sample = value.narrow(0, static_cast<std::int64_t>(i), 1);
        sample.copy_from(point->second.quantized(sample));
      } else if (std::ranges::find(without_samples_, current_[i]) == without_samples_.end()) {
        without_samples_.push_back(current_[i]);
      }
    }
  }

  const Program& program_;
  const std::vector<QuantizedPoints>& sets_;
  const CalibrationBatches& batches_;
  ExecutorOptions options_;
  std::unique_ptr<Executor> executor_;
  bool has_state_ = false;  // runs change buffers
  std::vector<double> errors_;
  std::vector<Tensor> in_float_[kBatches];
  std::vector<std::size_t> current_;          // the sets of this run
  std::vector<std::size_t> without_samples_;  // sets with a value that does not count samples in front
  bool by_sample_ = false;
  std::int64_t samples_ = 0;
};

}  // namespace

std::vector<double> output_errors(const Program& program, const std::vector<QuantizedPoints>& sets,
                                  const CalibrationBatches& batches, const ExecutorOptions& executor) {
  return Measurement(program, sets, batches, executor).run();
}

}  // namespace qdq
