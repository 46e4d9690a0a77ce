#include <algorithm>
#include <limits>
#include <set>

#include "accuracy/excluding_quantizer.h"
#include "accuracy/quantize_with.h"
#include "accuracy/widening.h"
#include "graph/observed_value.h"
#include "qdq/diagnose.h"

namespace qdq {
namespace {

class Search {
 public:
  Search(const Program& program, Quantizer& quantizer, const CalibrationBatches& batches, const Evaluate& evaluate,
         const MixedPrecisionOptions& options)
      : program_(program), quantizer_(quantizer), batches_(batches), evaluate_(evaluate), options_(options) {}

  MixedPrecision run(const std::function<void(int)>& start) {
    {
      PreparedProgram prepared = quantized_without(0);
      if (!options_.sixteen_bits) ranked_ = rank_ops(program_, prepared, batches_, options_.executor);
      most_ = options_.sixteen_bits ? static_cast<std::size_t>(count_widenable(prepared)) : ranked_.size();
    }
    if (start) start(most_evaluations(static_cast<std::int64_t>(most_)));
    result_.float_score = score_of(program_);
    if (try_with(0)) return std::move(result_);
    // Doubling finds a number of ops that is enough, halving the least such number behind the last that was not.
    std::size_t too_few = 0;
    std::size_t enough = 1;
    while (!try_with(std::min(enough, most_))) {
      too_few = std::min(enough, most_);
      if (too_few == most_) return std::move(result_);
      enough *= 2;
    }
    enough = std::min(enough, most_);
    while (enough - too_few > 1) {
      const std::size_t middle = too_few + (enough - too_few) / 2;
      (try_with(middle) ? enough : too_few) = middle;
    }
    return std::move(result_);
  }

 private:
  double score_of(const Program& program) {
    ++result_.evaluations;
    return evaluate_(program);
  }

  // All in 8 bits but the first `count` ops, which stay in float, or values, which get 16 bits.
  PreparedProgram quantized_without(std::size_t count) {
    AccuracyOptions accuracy = options_.accuracy;
    if (options_.sixteen_bits) {
      accuracy.widen_activations = count > 0;
      accuracy.widen = {.target_sqnr_db = std::numeric_limits<double>::infinity(), .float_work = 1};
      // What is rounded up to `count`.
      if (count > 0) accuracy.widen.share = (static_cast<double>(count) - 0.5) / static_cast<double>(most_);
      return prepare_with(program_, quantizer_, batches_, accuracy, options_.executor);
    }
    std::set<std::string> excluded;
    for (std::size_t i = 0; i < count; ++i) excluded.insert(ranked_[i].node);
    ExcludingQuantizer quantizer(quantizer_, excluded);
    return prepare_with(program_, quantizer, batches_, accuracy, options_.executor);
  }

  static std::vector<std::string> wide_values(const PreparedProgram& prepared) {
    std::vector<std::string> names;
    for (const Node& node : prepared.program().graph().nodes())
      if (node.kind() == NodeKind::call_module && prepared.observers().at(node.target())->dtype() == DType::int16)
        names.push_back(observed_value(node).name());
    const auto rest = std::ranges::unique(names);
    names.erase(rest.begin(), rest.end());
    return names;
  }

  // Keeps the result when it is good enough, or the best so far.
  bool try_with(std::size_t count) {
    PreparedProgram prepared = quantized_without(count);
    std::vector<std::string> wide = options_.sixteen_bits ? wide_values(prepared) : std::vector<std::string>();
    Program converted = convert(std::move(prepared));
    const double score = score_of(converted);
    const bool reached = score >= result_.float_score - options_.max_drop;
    const bool is_better = result_.evaluations == 2 || (reached && !result_.reached) ||
                           (reached == result_.reached && (reached || score > result_.score));
    if (is_better) {
      result_.program = std::move(converted);
      result_.score = score;
      result_.reached = reached;
      result_.in_16_bits = std::move(wide);
      result_.in_float.clear();
      for (std::size_t i = 0; i < std::min(count, ranked_.size()); ++i) result_.in_float.push_back(ranked_[i].node);
    }
    return reached;
  }

  const Program& program_;
  Quantizer& quantizer_;
  const CalibrationBatches& batches_;
  const Evaluate& evaluate_;
  const MixedPrecisionOptions& options_;
  std::vector<RankedOp> ranked_;
  std::size_t most_ = 0;  // ops or values that can be spared
  MixedPrecision result_;
};

}  // namespace

int most_evaluations(std::int64_t ops) {
  int halves = 0;
  for (std::int64_t reach = 1; reach < ops; reach *= 2) ++halves;
  return ops == 0 ? 2 : 3 + 2 * halves;
}

MixedPrecision quantize_within_drop(const Program& program, Quantizer& quantizer, const CalibrationBatches& batches,
                                    const Evaluate& evaluate, const MixedPrecisionOptions& options,
                                    const std::function<void(int evaluations)>& start) {
  return Search(program, quantizer, batches, evaluate, options).run(start);
}

}  // namespace qdq
