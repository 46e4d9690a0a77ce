#include "calibrate/turns.h"
#include "calibrate/workers.h"
#include "qdq/error.h"
#include "qdq/quantize.h"

namespace qdq {

PreparedProgram::PreparedProgram(Program program, std::map<std::string, std::shared_ptr<Observer>> observers,
                                 std::vector<PassReport> pass_report, std::vector<std::string> warnings)
    : program_(std::make_unique<Program>(std::move(program))),
      observers_(std::move(observers)),
      pass_report_(std::move(pass_report)),
      warnings_(std::move(warnings)) {}
PreparedProgram::PreparedProgram(PreparedProgram&&) noexcept = default;
PreparedProgram& PreparedProgram::operator=(PreparedProgram&&) noexcept = default;
PreparedProgram::~PreparedProgram() = default;

void PreparedProgram::set_executor(const ExecutorOptions& options) {
  executor_options_ = options;
  executors_.clear();
}

int PreparedProgram::workers_possible(int wanted) {
  if (wanted < 1) throw InvalidArgumentError("[calibrate] 1 or more workers expected, found " + std::to_string(wanted));
  if (!turns_) turns_ = std::make_unique<Turns>(program_->graph(), observers_);
  if (executors_.empty()) executors_.push_back(make_executor(*program_, executor_options_));
  while (executors_.size() < static_cast<std::size_t>(wanted)) {
    auto another = executors_.front()->fork();
    if (!another) return 1;
    executors_.push_back(std::move(another));
  }
  return wanted;
}

std::int64_t PreparedProgram::calibrate(const NextBatch& next, const CalibrateOptions& options) {
  const auto workers = static_cast<std::size_t>(workers_possible(options.workers));
  return run_workers(std::span(executors_).first(workers), *turns_, next, options.after_batch);
}

std::vector<Tensor> PreparedProgram::calibrate(const std::vector<Tensor>& inputs) {
  workers_possible(1);
  turns_->restart();
  Executor& executor = *executors_.front();
  executor.set_observe(
      [turns = turns_.get()](const std::string& target, const Tensor& value) { turns->observe(0, target, value); });
  std::vector<Tensor> results = executor.run(inputs);
  turns_->leave_all(0);
  return results;
}

}  // namespace qdq
