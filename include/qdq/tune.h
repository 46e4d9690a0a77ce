#pragma once
#include <string>
#include <vector>

#include "qdq/executor.h"
#include "qdq/program.h"

namespace qdq {

// Ops between dequantize and quantize that were timed in int8 and in float on this machine.
struct TunedRegion {
  std::vector<std::string> ops;  // the nodes that read dequantized values, in graph order
  double int8_seconds = 0;       // of one run, medians
  double float_seconds = 0;
  bool in_int8 = true;  // what is faster; of two alike int8
};

// Times every region of a converted program on `inputs`, in int8 and in float between its dequantize and quantize nodes, `runs`
// times each in turn, and marks the ops that lose in int8 (kRunInFloat) in the program's metadata, which is saved with it:
// executors then compute them in float. The values that the graph describes stay what they are. Marks of an earlier time are
// removed first. `options`: the threads that matter to the caller.
std::vector<TunedRegion> tune(Program& program, const std::vector<Tensor>& inputs, const ExecutorOptions& options = {},
                              int runs = 20);

}  // namespace qdq
