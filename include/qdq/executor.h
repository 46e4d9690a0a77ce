#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "qdq/tensor.h"
#include "qdq/thread_pool.h"

namespace qdq {

class Program;
struct ExecutorOptions;

// Called with the value at an observation point while the program runs: `observer` is the target of the call_module
// node. The tensor is only valid during the call, and to be written to only with ExecutorOptions::writable_observations.
// Throwing stops the run.
using ObserveFn = std::function<void(const std::string& observer, const Tensor& value)>;

// How long one step of a run took. A step computes one node, or several that were fused into it.
struct StepTime {
  std::string node;  // the node whose value the step makes
  std::string kind;  // what computes it: "convolution", "reference:aten.topk.default"
  double start = 0;  // seconds since the run began
  double seconds = 0;
  std::int64_t operations = 0;  // multiplications and additions of convolutions and matrix products; 0 for other steps
};

// A decision of the latest plan that a reader of the graph would not expect.
struct ExecutionNote {
  std::string node;
  std::string kind;    // "int8": it is not computed in int8; "fuse_activation" ...: it is not part of another step
  std::string reason;  // "its result is not quantized"
};

// The metadata entry of an op that executors compute in float although its operands are dequantized, and why: see tune().
inline constexpr std::string_view kRunInFloat = "run_in_float";

// Something that runs a program. The reference interpreter and the fast executors implement it; calibration, comparison
// and the command line are handed one. One run at a time per Executor; fork() gives more for other threads.
class Executor {
 public:
  virtual ~Executor() = default;

  // `inputs` in the order of the program's user inputs; the results in the order of its user outputs (symbolic ints as
  // 0-dim int64 tensors). Buffers that the program mutates keep their new values for the next run.
  // Throws InvalidArgumentError for inputs of the wrong number, rank, dtype or size, and UnsupportedOpError, which names
  // op, node and source line, for an op without a kernel.
  virtual std::vector<Tensor> run(const std::vector<Tensor>& inputs) = 0;

  // The same into the caller's memory: an output of the right dtype and sizes is written where it lies, with its strides; what does not
  // fit is replaced by a new tensor, so that an empty vector becomes one to use again. Outputs must not overlap inputs or each other.
  // From its second run with the same sizes on, a fast executor allocates no memory where all ops have kernels and inputs and outputs
  // are contiguous.
  virtual void run_into(const std::vector<Tensor>& inputs, std::vector<Tensor>& outputs) = 0;

  // Receives the values at call_module nodes; without one they pass through.
  virtual void set_observe(ObserveFn observe) = 0;

  // Makes run() also keep the values of these nodes, by name, for `compare` and tests.
  virtual void keep_values(std::vector<std::string> nodes) = 0;
  virtual const Tensor* kept_value(const std::string& node) const = 0;  // null when it did not run

  // Makes run() measure its steps. Costs nothing while it is off.
  virtual void set_profiling(bool on) = 0;
  // Those of the last run with profiling on, in the order in which they ran; empty before it.
  virtual std::vector<StepTime> step_times() const = 0;

  // Of the latest run; empty before it, and for executors that do as the graph says.
  virtual std::vector<ExecutionNote> notes() const = 0;

  // Another executor of the same program, which may run at the same time on another thread. It shares the weights and what was
  // computed from them, and outlives this one if need be. Null when runs may change the program's buffers: then each run
  // depends on the one before. Of `options`, `threads` and `pool` count; the others are this one's.
  virtual std::unique_ptr<Executor> fork(const ExecutorOptions& options) const = 0;
  // With the same options throughout.
  virtual std::unique_ptr<Executor> fork() const = 0;
};

struct ExecutorOptions {
  enum class Kind {
    fast,  // fused and planned: float kernels on oneDNN, ops between dequantize and quantize on our int8 kernels; ops
           // without a fast kernel run on the reference
    reference,  // the readable interpreter
  };
  Kind kind = Kind::fast;
  int threads = 0;  // 0: all cores of the machine
  // Runs use these threads, and `threads` does not count. What oneDNN computes, in float, is done by the calling thread alone.
  std::shared_ptr<ThreadPool> pool = nullptr;
  // Runs throw InvalidArgumentError, which names the input, for a NaN in it.
  bool refuse_nan = false;
  // Computes quantized ops in float between dequantize and quantize, as torch does and the reference always: to compare with.
  bool simulate_quantization = false;
  // Activations at observation points are copies: what reads them there, and nothing else, sees what the observe function
  // has written.
  bool writable_observations = false;
};

// An executor for `program`, which must outlive it unchanged.
std::unique_ptr<Executor> make_executor(const Program& program, const ExecutorOptions& options = {});

// What one thread of this machine can do at most: int8 multiplications and additions per second, measured for about `seconds` with
// the engine's widest kernel on operands in the first-level cache.
double measure_int8_peak(double seconds = 0.1);

}  // namespace qdq
