#include "qdq/session.h"

#include <condition_variable>
#include <mutex>

namespace qdq {
class Session::Impl {
 public:
  Impl(std::shared_ptr<const Program> program, ExecutorOptions options)
      : program_(std::move(program)), options_(std::move(options)) {
    options_.refuse_nan = true;
    prototype_ = make_executor(*program_, options_)->fork();
    if (!prototype_) idle_.push_back(make_executor(*program_, options_));
  }

  std::shared_ptr<Impl> share(const ExecutorOptions& options) const {
    ExecutorOptions own = options_;
    own.threads = options.threads;
    own.pool = options.pool;
    if (!prototype_) return std::make_shared<Impl>(program_, own);
    auto shared = std::shared_ptr<Impl>(new Impl(program_));
    shared->options_ = own;
    shared->prototype_ = prototype_->fork(own);
    return shared;
  }

  std::vector<Tensor> run(const std::vector<Tensor>& inputs) {
    const Lease lease(*this);
    return lease.executor().run(inputs);
  }

  void run_into(const std::vector<Tensor>& inputs, std::vector<Tensor>& outputs) {
    const Lease lease(*this);
    lease.executor().run_into(inputs, outputs);
  }

 private:
  explicit Impl(std::shared_ptr<const Program> program) : program_(std::move(program)) {}

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
  ExecutorOptions options_;
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<Executor>> idle_;
  std::unique_ptr<Executor> prototype_;  // never run; null for a program with a state, of which there is one executor
};

Session::Session(const Program& program, const ExecutorOptions& options)
    : impl_(std::make_shared<Impl>(std::shared_ptr<const Program>(std::shared_ptr<void>(), &program), options)) {}

Session::Session(Program&& program, const ExecutorOptions& options)
    : impl_(std::make_shared<Impl>(std::make_shared<const Program>(std::move(program)), options)) {}

Session Session::share(const ExecutorOptions& options) const { return Session(impl_->share(options)); }

std::vector<Tensor> Session::run(const std::vector<Tensor>& inputs) const { return impl_->run(inputs); }

void Session::run_into(const std::vector<Tensor>& inputs, std::vector<Tensor>& outputs) const {
  impl_->run_into(inputs, outputs);
}

}  // namespace qdq
