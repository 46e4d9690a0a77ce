#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "qdq/executor.h"
#include "qdq/tensor.h"
#include "runtime/result_pool.h"

namespace qdq::runtime {

// What a step does at run time, bound to the addresses of its operands.
using Kernel = std::function<void()>;

// One step of a plan. Operands are tensors whose storage is either planned (see PlanBuilder::new_storage: no memory yet)
// or real (weights, state). `bind` receives the same operands, reads first, all with memory.
struct Step {
  std::string name;  // of the node that it computes, for messages and profiles
  std::string kind;  // "convolution", "copy", "reference:aten.topk.default", ...
  std::vector<Tensor> reads;
  std::vector<Tensor> writes;
  std::function<Kernel(std::span<const Tensor> operands)> bind;
  std::int64_t operations = 0;  // multiplications and additions, for profiles
  bool calls_onednn = false;    // which spreads its loops over OpenMP's threads
};

// A program for fixed input sizes: steps in order, all values in one arena. Knows nothing of graphs.
struct PlanSpec {
  std::vector<std::shared_ptr<Storage>> planned;  // storages that want memory in the arena
  std::vector<Step> steps;
  std::vector<Tensor> inputs;                        // where the user's inputs are copied to; undefined: not used
  std::vector<Tensor> results;                       // copied out after the steps
  std::vector<std::pair<std::string, Tensor>> kept;  // these too, under a name
  // After the results: new values of mutated buffers, (destination, source).
  std::vector<std::pair<Tensor, Tensor>> write_backs;
};

// A storage of `bytes` bytes without memory: its tensors have sizes and strides, and the storage tells them apart.
std::shared_ptr<Storage> planned_storage(std::size_t bytes);

class Plan {
 public:
  // Assigns memory by lifetime and binds every step.
  explicit Plan(PlanSpec spec);

  // `inputs` must have the sizes and dtypes of the specification's inputs. Results are written to those of `outputs` that have their
  // dtype and sizes, and replace the others.
  void run(std::span<const Tensor> inputs, std::vector<Tensor>& outputs);
  const Tensor* kept_value(const std::string& name) const;

  bool calls_onednn() const { return calls_onednn_; }  // in any of its steps
  std::size_t arena_bytes() const { return arena_ ? arena_->size() : 0; }
  struct StepInfo {
    std::string name;
    std::string kind;
    std::int64_t operations;
  };
  const std::vector<StepInfo>& steps() const { return infos_; }
  // Of the last run with profiling on.
  void set_profiling(bool on) { profiling_ = on; }
  const std::vector<StepTime>& step_times() const { return times_; }

 private:
  void run_profiled();

  std::shared_ptr<Storage> arena_;
  std::unordered_set<std::shared_ptr<Storage>> real_;  // weights and literals that kernels point into
  std::vector<Kernel> kernels_;
  std::vector<StepInfo> infos_;
  std::vector<Tensor> inputs_;
  std::vector<Tensor> results_;
  ResultPool pool_;
  std::vector<std::pair<std::string, Tensor>> kept_;
  std::vector<std::pair<std::string, Tensor>> kept_values_;
  std::vector<std::pair<Tensor, Tensor>> write_backs_;
  std::vector<StepTime> times_;
  bool calls_onednn_ = false;
  bool profiling_ = false;
};

}  // namespace qdq::runtime
