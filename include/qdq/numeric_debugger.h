#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "qdq/executor.h"
#include "qdq/program.h"

namespace qdq {

// How far values are from their reference, gathered over batches, in double precision.
class ErrorStats {
 public:
  // Any numeric dtypes, the same sizes. Throws InvalidArgumentError when the sizes differ.
  void add(const Tensor& reference, const Tensor& value);

  std::int64_t count() const { return count_; }
  double max_abs() const { return max_abs_; }  // max |reference - value|
  double mse() const;                          // mean of (reference - value)^2; 0 before the first value
  double mean_error() const;                   // mean of value - reference; 0 before the first value
  // Signal to quantization noise, 10 log10(sum reference^2 / sum (reference - value)^2), in dB. Infinite without error.
  double sqnr_db() const;
  double cosine() const;  // of the angle between the two as vectors; 1 when both are zero

 private:
  std::int64_t count_ = 0;
  double max_abs_ = 0;
  double reference_squared_ = 0;
  double value_squared_ = 0;
  double product_ = 0;
  double error_squared_ = 0;
  double error_ = 0;
};

// Numbers the operators, those in bodies of higher-order ops too, from one more than the largest number that is there
// already, or from 1. An operator that has a number keeps it. It is in the node's metadata in the form in which torch.export
// saves it: "custom" is {"numeric_debug_handle": 7}. Returns how many operators got one.
int generate_numeric_debug_handle(Program& program);
std::optional<std::int64_t> numeric_debug_handle(const Node& node);

// Two nodes that should produce the same value, by name.
struct NodePair {
  std::string reference;
  std::string other;
  std::string op;
};

// The ops of `reference` that have a counterpart in `other`: the same op with the same numeric debug handle, or, where one
// of the two has none, with the same name. A batch norm that is gone in `other` pairs with the convolution or linear
// that feeds it: quantization folds it into that one. Quantize and dequantize nodes, and nodes that do not produce a
// floating-point tensor, have none.
std::vector<NodePair> matching_nodes(const Program& reference, const Program& other);

// The error of one node.
struct NodeAccuracy {
  NodePair nodes;
  std::string nn_module_stack;  // of the reference's node
  // The other program's value against the reference's: what the op inherits from its inputs and what it adds.
  ErrorStats total;
  // What it adds: its value, with the quantize and dequantize in front of it, on the reference's inputs.
  std::optional<ErrorStats> own;
};

struct NumericDebuggerOptions {
  ExecutorOptions executor;
  bool own_errors = true;  // costs one more run of the other program
};

// Finds the node where accuracy is lost: runs a program and its prepared or converted twin on the same inputs.
//
//     NumericDebugger debugger(in_float, quantized);
//     for (const auto& batch : batches) debugger.add(batch);
//     for (const NodeAccuracy& node : debugger.nodes()) ...
//
// Both programs must outlive it unchanged. In a program that changes its buffers, own errors are those on the buffers'
// values as that run has them.
class NumericDebugger {
 public:
  NumericDebugger(const Program& reference, const Program& other, const NumericDebuggerOptions& options = {});
  ~NumericDebugger();

  struct Results {
    std::vector<Tensor> reference;
    std::vector<Tensor> other;
  };
  // Runs both on one batch: one tensor per user input, in order. Returns what they return. Throws as Executor::run.
  Results add(const std::vector<Tensor>& inputs);

  // In the order of the reference program.
  const std::vector<NodeAccuracy>& nodes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace qdq
