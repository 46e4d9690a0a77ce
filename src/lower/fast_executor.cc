#include "lower/fast_executor.h"

#include <omp.h>

#include <algorithm>
#include <list>

#include "lower/specialise.h"
#include "reference/inputs.h"
#include "reference/interpreter.h"

namespace qdq::lower {
namespace {

constexpr std::size_t kPlans = 8;  // input sizes in turn that are served without planning anew

// The number of OpenMP threads of the calling thread, restored at the end.
class ThreadCount {
 public:
  explicit ThreadCount(int threads) : saved_(omp_get_max_threads()) { omp_set_num_threads(threads); }
  ~ThreadCount() { omp_set_num_threads(saved_); }
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int saved_;
};

class FastExecutor : public Executor {
 public:
  FastExecutor(const Program& program, int threads, bool int8, std::shared_ptr<Constants> constants)
      : shared_(program, int8, std::move(constants)),
        placeholders_(program.graph().placeholders()),
        threads_(threads > 0 ? threads : omp_get_num_procs()) {
    prepare_state(shared_);
  }

  std::vector<Tensor> run(const std::vector<Tensor>& inputs) override {
    const ThreadCount thread_count(threads_);
    if (!reference_) {
      const std::vector<Value> values = bind_inputs(shared_.program, placeholders_, inputs);
      if (runtime::Plan* plan = plan_for(values)) {
        plan->set_profiling(profiling_);
        return plan->run(tensors_of(values));
      }
      reference_ = make_reference_executor(shared_.program);
      reference_->set_observe(shared_.observe);
      reference_->keep_values({shared_.kept.begin(), shared_.kept.end()});
      reference_->set_profiling(profiling_);
    }
    return reference_->run(inputs);
  }

  void set_observe(ObserveFn observe) override {
    if (reference_) reference_->set_observe(observe);
    shared_.observe = std::move(observe);
  }

  void keep_values(std::vector<std::string> nodes) override {
    if (reference_) reference_->keep_values(nodes);
    shared_.kept = {nodes.begin(), nodes.end()};
    plans_.clear();  // a kept value must not be fused away
  }

  const Tensor* kept_value(const std::string& node) const override {
    if (reference_) return reference_->kept_value(node);
    return plans_.empty() ? nullptr : plans_.front().plan->kept_value(node);
  }

  void set_profiling(bool on) override {
    if (reference_) reference_->set_profiling(on);
    profiling_ = on;
  }

  std::vector<StepTime> step_times() const override {
    if (reference_) return reference_->step_times();
    return plans_.empty() ? std::vector<StepTime>() : plans_.front().plan->step_times();
  }

  std::vector<ExecutionNote> notes() const override {
    std::vector<ExecutionNote> notes;
    if (reference_ || plans_.empty()) return notes;
    for (const Graph::Note& note : plans_.front().notes) notes.push_back({note.node, note.pass, note.reason});
    return notes;
  }

  std::unique_ptr<Executor> fork() const override {
    if (!shared_.state.empty()) return nullptr;
    return std::make_unique<FastExecutor>(shared_.program, threads_, shared_.int8, shared_.constants);
  }

 private:
  // What a plan depends on, per placeholder: sizes, or the number.
  using Signature = std::vector<Shape>;

  struct Entry {
    Signature signature;
    std::unique_ptr<runtime::Plan> plan;
    std::vector<Graph::Note> notes;
  };

  static Signature signature_of(const std::vector<Value>& values) {
    Signature signature;
    for (const Value& value : values) {
      if (const Tensor* tensor = value.tensor()) {
        signature.push_back(tensor->sizes());
      } else if (const auto* number = std::get_if<std::int64_t>(&value.v)) {
        signature.push_back({*number});
      } else {
        signature.emplace_back();
      }
    }
    return signature;
  }

  static std::vector<Tensor> tensors_of(const std::vector<Value>& values) {
    std::vector<Tensor> tensors;
    for (const Value& value : values) tensors.push_back(value.tensor() ? *value.tensor() : Tensor());
    return tensors;
  }

  // The plan for these inputs, in front of the list; null when there cannot be one.
  runtime::Plan* plan_for(const std::vector<Value>& values) {
    auto signature = signature_of(values);
    const auto found =
        std::find_if(plans_.begin(), plans_.end(), [&](const Entry& entry) { return entry.signature == signature; });
    if (found != plans_.end()) {
      plans_.splice(plans_.begin(), plans_, found);
      return plans_.front().plan.get();
    }
    Specialisation made = specialise(shared_, values);
    if (!made.plan) return nullptr;
    if (plans_.size() == kPlans) plans_.pop_back();
    plans_.push_front({std::move(signature), std::move(made.plan), std::move(made.notes)});
    return plans_.front().plan.get();
  }

  Shared shared_;
  std::vector<Node*> placeholders_;
  int threads_;
  bool profiling_ = false;
  std::list<Entry> plans_;  // the latest first
  std::unique_ptr<Executor> reference_;
};

}  // namespace
}  // namespace qdq::lower

namespace qdq {

std::unique_ptr<Executor> make_fast_executor(const Program& program, int threads, bool int8) {
  return std::make_unique<lower::FastExecutor>(program, threads, int8, std::make_shared<lower::Constants>());
}

}  // namespace qdq
