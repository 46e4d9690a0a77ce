#include "qdq/session.h"

#include <cmath>
#include <condition_variable>
#include <mutex>

#include "qdq/error.h"

namespace qdq {
namespace {

bool has_nan(const Tensor& tensor) {
  if (!tensor.defined() || tensor.dtype() != DType::float32) return false;
  const Tensor dense = tensor.contiguous();
  const float* values = dense.data<float>();
  bool found = false;  // without a branch in the loop, which the compiler vectorises
  for (std::int64_t i = 0; i < dense.numel(); ++i) found |= values[i] != values[i];
  return found;
}

std::vector<std::string> user_inputs_of(const Program& program) {
  std::vector<std::string> names;
  for (const InputSpec& input : program.inputs)
    if (input.kind == InputSpec::Kind::user_input) names.push_back(input.name);
  return names;
}

}  // namespace

class Session::Impl {
 public:
  Impl(std::shared_ptr<const Program> program, const ExecutorOptions& options)
      : program_(std::move(program)), input_names_(user_inputs_of(*program_)) {
    idle_.push_back(make_executor(*program_, options));
    prototype_ = idle_.back()->fork();
  }

  std::vector<Tensor> run(const std::vector<Tensor>& inputs) {
    for (std::size_t i = 0; i < std::min(inputs.size(), input_names_.size()); ++i)
      if (has_nan(inputs[i])) throw InvalidArgumentError("[run] input '" + input_names_[i] + "': it has a NaN");
    const Lease lease(*this);
    return lease.executor().run(inputs);
  }

 private:
  // An executor that nobody else runs, until the end of its scope.
  class Lease {
   public:
    explicit Lease(Impl& session) : session_(session), executor_(session.take()) {}
    ~Lease() { session_.give_back(std::move(executor_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    Executor& executor() const { return *executor_; }

   private:
    Impl& session_;
    std::unique_ptr<Executor> executor_;
  };

  std::unique_ptr<Executor> take() {
    std::unique_lock lock(mutex_);
    if (idle_.empty() && prototype_) return prototype_->fork();
    returned_.wait(lock, [&] { return !idle_.empty(); });
    auto executor = std::move(idle_.back());  // the latest one's memory is in the caches
    idle_.pop_back();
    return executor;
  }

  void give_back(std::unique_ptr<Executor> executor) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(executor));
    returned_.notify_one();
  }

  std::shared_ptr<const Program> program_;
  std::vector<std::string> input_names_;
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<Executor>> idle_;
  std::unique_ptr<Executor> prototype_;  // never run; null for a program with a state, of which there is one executor
};

Session::Session(const Program& program, const ExecutorOptions& options)
    : impl_(std::make_shared<Impl>(std::shared_ptr<const Program>(std::shared_ptr<void>(), &program), options)) {}

Session::Session(Program&& program, const ExecutorOptions& options)
    : impl_(std::make_shared<Impl>(std::make_shared<const Program>(std::move(program)), options)) {}

std::vector<Tensor> Session::run(const std::vector<Tensor>& inputs) const { return impl_->run(inputs); }

}  // namespace qdq
