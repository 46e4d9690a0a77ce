#include <unordered_set>

#include "qdq/quantize.h"

namespace qdq {

PreparedProgram::PreparedProgram(Program program, std::map<std::string, std::shared_ptr<Observer>> observers,
                                 std::vector<PassReport> pass_report)
    : program_(std::make_unique<Program>(std::move(program))),
      observers_(std::move(observers)),
      pass_report_(std::move(pass_report)) {}
PreparedProgram::PreparedProgram(PreparedProgram&&) noexcept = default;
PreparedProgram& PreparedProgram::operator=(PreparedProgram&&) noexcept = default;
PreparedProgram::~PreparedProgram() = default;

void PreparedProgram::set_executor(const ExecutorOptions& options) {
  executor_options_ = options;
  executor_.reset();
}

std::vector<Tensor> PreparedProgram::calibrate(const std::vector<Tensor>& inputs) {
  if (!executor_) {
    executor_ = make_executor(*program_, executor_options_);
    // A weight is the same in every run: an observer that would learn nothing new sees it once.
    std::unordered_set<std::string> once;
    for (Node& node : program_->graph().nodes())
      if (node.kind() == NodeKind::call_module && node.input(0)->kind() == NodeKind::get_attr) {
        const auto found = observers_.find(node.target());
        if (found != observers_.end() && found->second->is_idempotent()) once.insert(node.target());
      }
    executor_->set_observe([observers = observers_, once = std::move(once), seen = std::unordered_set<std::string>()](
                               const std::string& target, const Tensor& value) mutable {
      if (once.contains(target) && !seen.insert(target).second) return;
      observers.at(target)->observe(value);
    });
  }
  return executor_->run(inputs);
}

}  // namespace qdq
