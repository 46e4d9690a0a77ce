#include <set>

#include "accuracy/excluding_quantizer.h"
#include "accuracy/quantize_with.h"
#include "qdq/diagnose.h"

namespace qdq {
namespace {

class Search {
 public:
  Search(const Program& program, Quantizer& quantizer, const CalibrationBatches& batches, const Evaluate& evaluate,
         const MixedPrecisionOptions& options)
      : program_(program), quantizer_(quantizer), batches_(batches), evaluate_(evaluate), options_(options) {}

  MixedPrecision run(const std::function<void(int)>& start) {
    PreparedProgram prepared = prepare_with(program_, quantizer_, batches_, options_.accuracy, options_.executor);
    ranked_ = rank_ops(program_, prepared, batches_, options_.executor);
    if (start) start(most_evaluations(static_cast<std::int64_t>(ranked_.size())));
    result_.float_score = score_of(program_);
    if (try_with(0)) return std::move(result_);
    // Doubling finds a number of ops that is enough, halving the least such number behind the last that was not.
    std::size_t too_few = 0;
    std::size_t enough = 1;
    while (!try_with(std::min(enough, ranked_.size()))) {
      too_few = std::min(enough, ranked_.size());
      if (too_few == ranked_.size()) return std::move(result_);
      enough *= 2;
    }
    enough = std::min(enough, ranked_.size());
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

  // With the first `count` ops in float. Keeps the result when it is good enough, or the best so far.
  bool try_with(std::size_t count) {
    std::set<std::string> excluded;
    for (std::size_t i = 0; i < count; ++i) excluded.insert(ranked_[i].node);
    ExcludingQuantizer quantizer(quantizer_, excluded);
    Program converted = convert(prepare_with(program_, quantizer, batches_, options_.accuracy, options_.executor));
    const double score = score_of(converted);
    const bool reached = score >= result_.float_score - options_.max_drop;
    const bool is_better = result_.evaluations == 2 || (reached && !result_.reached) ||
                           (reached == result_.reached && (reached || score > result_.score));
    if (is_better) {
      result_.program = std::move(converted);
      result_.score = score;
      result_.reached = reached;
      result_.in_float.clear();
      for (std::size_t i = 0; i < count; ++i) result_.in_float.push_back(ranked_[i].node);
    }
    return reached;
  }

  const Program& program_;
  Quantizer& quantizer_;
  const CalibrationBatches& batches_;
  const Evaluate& evaluate_;
  const MixedPrecisionOptions& options_;
  std::vector<RankedOp> ranked_;
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
