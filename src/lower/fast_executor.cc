#include "lower/fast_executor.h"

#include <omp.h>

#include <algorithm>
#include <list>

#include "lower/specialise.h"
#include "reference/inputs.h"
#include "reference/interpreter.h"
#include "runtime/helper_threads.h"
#include "runtime/parallel.h"

namespace qdq::lower {
namespace {

constexpr std::size_t kPlans = 8;  // input sizes in turn that are served without planning anew

class FastExecutor : public Executor {
 public:
  FastExecutor(const Program& program, const ExecutorOptions& options, std::shared_ptr<Constants> constants)
      : shared_(program, !options.simulate_quantization, std::move(constants)),
        placeholders_(program.graph().placeholders()),
        options_(options),
        threads_(options.threads > 0 ? options.threads : omp_get_num_procs()),
        helpers_(threads_),
        takes_tensors_only_(takes_tensors_only(program, placeholders_)) {
    shared_.writable_observations = options.writable_observations;
    prepare_state(shared_);
  }

  std::vector<Tensor> run(const std::vector<Tensor>& inputs) override {
    std::vector<Tensor> outputs;
    run_into(inputs, outputs);
    return outputs;
  }

  void run_into(const std::vector<Tensor>& inputs, std::vector<Tensor>& outputs) override {
    const runtime::ThreadScope threads(threads_, options_.pool.get());
    if (!reference_) {
      if (is_planned_for(inputs)) return run_plan(inputs, outputs);
      const std::vector<Value> values = bind_inputs(shared_.program, placeholders_, inputs);
      if (plan_for(values)) return run_plan(tensors_of(values), outputs);
      reference_ = make_reference_executor(shared_.program, options_);
      reference_->set_observe(shared_.observe);
      reference_->keep_values({shared_.kept.begin(), shared_.kept.end()});
      reference_->set_profiling(profiling_);
    }
    reference_->run_into(inputs, outputs);
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
    if (!reference_ && plans_.empty()) return notes;
    for (const Graph::Note& note : reference_ ? notes_without_plan_ : plans_.front().notes)
      notes.push_back({note.node, note.pass, note.reason});
    return notes;
  }

  std::unique_ptr<Executor> fork() const override { return fork(options_); }

  std::unique_ptr<Executor> fork(const ExecutorOptions& options) const override {
    if (!shared_.state.empty()) return nullptr;
    ExecutorOptions own = options_;
    own.threads = options.threads;
    own.pool = options.pool;
    return std::make_unique<FastExecutor>(shared_.program, own, shared_.constants);
  }

 private:
  // What a plan depends on, per placeholder: sizes, or the number.
  using Signature = std::vector<Shape>;

  struct Entry {
    Signature signature;
    std::vector<DType> dtypes;  // of the placeholders' tensors
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

  static bool takes_tensors_only(const Program& program, const std::vector<Node*>& placeholders) {
    return std::all_of(placeholders.begin(), placeholders.end(),
                       [](const Node* node) { return node->type.tensor(); }) &&
           std::all_of(program.inputs.begin(), program.inputs.end(),
                       [](const InputSpec& input) { return input.kind == InputSpec::Kind::user_input; });
  }

  // The latest plan is for inputs like these, so that there is nothing to check or to bind.
  bool is_planned_for(const std::vector<Tensor>& inputs) const {
    if (!takes_tensors_only_ || plans_.empty() || inputs.size() != placeholders_.size()) return false;
    const Entry& latest = plans_.front();
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (!inputs[i].defined() || inputs[i].dtype() != latest.dtypes[i] || inputs[i].sizes() != latest.signature[i])
        return false;
    return true;
  }

  // The latest plan.
  void run_plan(const std::vector<Tensor>& tensors, std::vector<Tensor>& outputs) {
    if (options_.refuse_nan) refuse_nan(placeholders_, tensors);
    runtime::Plan& plan = *plans_.front().plan;
    plan.set_profiling(profiling_);
    // OpenMP's threads look out for work as the helpers do: one kind of them at a time.
    const bool with_helpers = !options_.pool && !plan.calls_onednn();
    const runtime::ThreadScope threads(threads_, with_helpers ? &helpers_ : options_.pool.get());
    plan.run(tensors, outputs);
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
    if (!made.plan) {
      notes_without_plan_ = std::move(made.notes);
      return nullptr;
    }
    if (plans_.size() == kPlans) plans_.pop_back();
    std::vector<DType> dtypes;
    for (const Value& value : values) dtypes.push_back(value.tensor() ? value.tensor()->dtype() : DType::int64);
    plans_.push_front({std::move(signature), std::move(dtypes), std::move(made.plan), std::move(made.notes)});
    return plans_.front().plan.get();
  }

  Shared shared_;
  std::vector<Node*> placeholders_;
  ExecutorOptions options_;
  int threads_;
  runtime::HelperThreads helpers_;
  bool takes_tensors_only_;
  bool profiling_ = false;
  std::list<Entry> plans_;               // the latest first
  std::unique_ptr<Executor> reference_;  // of a program that no plan can hold
  std::vector<Graph::Note> notes_without_plan_;
};

}  // namespace
}  // namespace qdq::lower

namespace qdq {

std::unique_ptr<Executor> make_fast_executor(const Program& program, const ExecutorOptions& options) {
  return std::make_unique<lower::FastExecutor>(program, options, std::make_shared<lower::Constants>());
}

}  // namespace qdq
