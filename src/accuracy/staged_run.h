#pragma once
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "qdq/accuracy.h"
#include "qdq/executor.h"
#include "qdq/program.h"

namespace qdq {

// Runs a program on all batches, one stretch of nodes at a time, and keeps the values that are still needed. Between two
// stretches the caller may change attributes that only nodes behind read, and values.
//
//     StagedRun run(program, batches, options);
//     run.before("conv");          // everything in front of it
//     ... run.value("relu") ...    // what it reads
//     run.through("conv");         // the node itself
//
// `program` must outlive it. Throws InvalidArgumentError for a program that changes its buffers: its batches depend on
// each other.
class StagedRun {
 public:
  StagedRun(const Program& program, const CalibrationBatches& batches, const ExecutorOptions& options);

  // Runs the nodes in front of `node`, or up to it. Does nothing for what has run already.
  void before(const std::string& node);
  void through(const std::string& node);

  // A tensor for each batch. Present while a node behind needs it, and for the last node that ran.
  std::vector<Tensor>& values(const std::string& node);
  // The same of a node that has not run, computed apart from what is kept; nothing counts as run by it. Empty when a layer
  // or an op that writes in place would have to run for it.
  std::vector<Tensor> values_ahead(const std::string& node);

 private:
  std::size_t position(const std::string& node) const;
  void run_to(std::size_t end);
  // Runs `nodes` on each batch: the values of `results`, batch by batch.
  std::vector<std::vector<Tensor>> run(const std::vector<const Node*>& nodes, const std::vector<std::string>& results);
  bool is_needed(const Node& node, std::size_t from) const { return last_use_.at(&node) >= from; }

  const Program& program_;
  ExecutorOptions options_;
  std::size_t batches_;
  std::unordered_set<const Node*> recomputed_;
  std::vector<const Node*> order_;
  std::unordered_map<const Node*, std::size_t> position_;
  std::unordered_map<const Node*, std::size_t> last_use_;  // of a value; through those computed again too
  std::size_t done_ = 0;
  std::unordered_map<std::string, std::vector<Tensor>> values_;
};

}  // namespace qdq
