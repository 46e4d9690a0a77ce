#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "qdq/executor.h"
#include "qdq/observer.h"
#include "qdq/pass_manager.h"
#include "qdq/program.h"
#include "qdq/quantizer.h"

namespace qdq {

// Gives the next batch: one tensor per user input, in order; nothing at the end. Called from the threads of the workers,
// one call at a time.
using NextBatch = std::function<std::optional<std::vector<Tensor>>()>;

struct CalibrateOptions {
  // Batches that run at the same time, each on its own thread with its own executor of set_executor's `threads`. They
  // share the weights. The observers see the batches in order: what they know at the end does not depend on `workers`.
  int workers = 1;
  // After each batch, with the number of batches done so far. One call at a time.
  std::function<void(std::int64_t done)> after_batch;
};

class Turns;

// A program with observers in it. Calibrate it, then convert it.
class PreparedProgram {
 public:
  PreparedProgram(Program program, std::map<std::string, std::shared_ptr<Observer>> observers,
                  std::vector<PassReport> pass_report = {}, std::vector<std::string> warnings = {});
  PreparedProgram(PreparedProgram&&) noexcept;
  PreparedProgram& operator=(PreparedProgram&&) noexcept;
  ~PreparedProgram();

  Program& program() { return *program_; }
  const Program& program() const { return *program_; }
  // By the target of their call_module nodes. One observer may stand under several names (shared places).
  const std::map<std::string, std::shared_ptr<Observer>>& observers() const { return observers_; }

  // Which executor calibrates. Call it before the first calibrate().
  void set_executor(const ExecutorOptions& options);
  // What the passes of prepare did.
  const std::vector<PassReport>& pass_report() const { return pass_report_; }
  // What the caller should know of the annotation (annotation_warnings): nothing or little was annotated.
  const std::vector<std::string>& warnings() const { return warnings_; }

  // Runs the program on one batch: one tensor per user input, in order. Returns the program's (float) results.
  std::vector<Tensor> calibrate(const std::vector<Tensor>& inputs);

  // Runs all batches of `next`. Throws what the first batch that failed threw, or what `next` threw; the observers have
  // then seen an unspecified part of the batches. Returns the number of batches.
  std::int64_t calibrate(const NextBatch& next, const CalibrateOptions& options);

  // The batches that can run at the same time: `wanted`, or 1 for a program that changes its buffers, where each run
  // depends on the one before.
  int workers_possible(int wanted);

 private:
  std::unique_ptr<Program> program_;  // its address must not change: the executor refers to it
  std::map<std::string, std::shared_ptr<Observer>> observers_;
  std::vector<PassReport> pass_report_;
  std::vector<std::string> warnings_;
  ExecutorOptions executor_options_;
  std::vector<std::unique_ptr<Executor>> executors_;  // one per worker, made when they are first needed
  std::unique_ptr<Turns> turns_;
};

// Folds batch norms, asks the quantizer, inserts observers. Throws InvalidArgumentError for annotations that cannot be
// followed (dangling or cyclic sharing, an edge that does not exist), naming the nodes and their source lines.
PreparedProgram prepare(Program program, Quantizer& quantizer, const PassOptions& passes = {});

// For training, whose gradients need a Python door: as prepare, but batch norms stay, and convolutions train as one with
// those behind them (fuse_conv_bn_qat). Bodies of loops stay in float.
PreparedProgram prepare_qat(Program program, Quantizer& quantizer, const PassOptions& passes = {});

// Whether convert would refuse `prepared` as it is: a static observer of an activation has seen no values. False for dynamic
// quantization and for weights alone, which need no data.
bool needs_calibration(const PreparedProgram& prepared);

struct ConvertOptions {
  bool fold_quantize = true;  // weights are stored quantized; false keeps float weights followed by a quantize
  // Quantized ops are written out in integer arithmetic, as a description of what a backend computes. To be read and run
  // by the reference interpreter; it is not fast.
  bool use_reference_representation = false;
  PassOptions passes;
};

// Replaces observers by quantize/dequantize nodes, gives every annotated consumer its own dequantize, folds quantized
// weights and drops what nothing reads any more. `report`, if given, receives what the passes did.
Program convert(PreparedProgram prepared, const ConvertOptions& options = {},
                std::vector<PassReport>* report = nullptr);

// What is quantized in a converted program.
struct QuantizationSummary {
  struct Count {
    std::int64_t quantized = 0;
    std::int64_t in_float = 0;
  };
  std::map<std::string, Count> ops;  // by op; quantize, dequantize, getitem and size queries are not counted
  std::int64_t quantized() const;
  std::int64_t in_float() const;
};
// An op counts as quantized when all its floating-point activations come from a dequantize and it has no float weight
// (a constant of two or more dimensions). An op between such an op and a quantize, a relu say, counts with it.
QuantizationSummary summarize_quantization(const Program& program);

}  // namespace qdq
