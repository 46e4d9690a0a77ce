#include "cli/evaluation.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/argmax_agreement.h"
#include "qdq/data.h"
#include "qdq/numeric_debugger.h"

namespace qdq::cli {
namespace {

constexpr const char* kLabels = "labels";

double share(const std::vector<std::int64_t>& a, const std::vector<std::int64_t>& b) {
  if (a.size() != b.size())
    throw InvalidArgumentError(fmt::format("the program makes {} decisions, there are {} labels", b.size(), a.size()));
  std::int64_t equal = 0;
  for (std::size_t i = 0; i < a.size(); ++i) equal += a[i] == b[i] ? 1 : 0;
  return 100.0 * static_cast<double>(equal) / static_cast<double>(std::max<std::size_t>(a.size(), 1));
}

}  // namespace

void add_evaluation_options(CLI::App& command, EvaluationOptions& options) {
  CLI::Option* drop = command.add_option("--max-drop", options.max_drop,
                                         "Keep the fewest ops in float that let the score fall by no more than this");
  drop->check(CLI::NonNegativeNumber)->type_name("X");
  CLI::Option* data = command.add_option("--evaluate", options.data,
                                         "With --max-drop: inputs to judge by, and an array 'labels' for top1");
  data->type_name("DATA.npz");
  drop->needs(data);
  data->needs(drop);
  command
      .add_flag("--sixteen-bits", options.sixteen_bits,
                "With --max-drop: give the fewest activations 16 bits instead of keeping ops in float")
      ->needs(drop);
  command
      .add_option("--metric", options.metric,
                  "With --max-drop: top1 (percent, the default), agreement (percent of decisions that are the float "
                  "program's) or sqnr (dB, of which the float program has 200)")
      ->check(CLI::IsMember({"top1", "agreement", "sqnr"}))
      ->needs(drop)
      ->type_name("NAME");
}

Evaluation::Evaluation(const Program& program, const EvaluationOptions& options, const RunOptions& run)
    : metric_(options.metric), executor_(run.executor()) {
  auto arrays = open_tensors(options.data);
  const auto labels = std::ranges::find_if(arrays, [](const auto& array) { return array->name() == kLabels; });
  if (labels != arrays.end()) {
    const Tensor values = (*labels)->read_all().to(DType::int64).contiguous();
    labels_.assign(values.data<std::int64_t>(), values.data<std::int64_t>() + values.numel());
    arrays.erase(labels);
  } else if (metric_ == "top1") {
    throw UsageError(fmt::format("--metric top1 needs an array '{}' in {}", kLabels, options.data));
  }
  batches_ = std::make_unique<Batches>(program, array_samples(program, std::move(arrays), false, options.data),
                                       run.batch, Batches::Remainder::drop);
  if (metric_ == "top1") {
    // Of samples that the last batch leaves out there are labels too.
    const auto samples = static_cast<std::size_t>(std::max<std::int64_t>(batches_->samples(), 1));
    labels_.resize(labels_.size() / samples * static_cast<std::size_t>(batches_->samples() - batches_->dropped()));
    return;
  }
  const auto in_float = make_executor(program, executor_);
  for (std::int64_t i = 0; i < batches_->count(); ++i) expected_.push_back(in_float->run(batches_->batch(i)).front());
}

double Evaluation::score(const Program& program) const {
  constexpr double kExact = 200;
  const auto executor = make_executor(program, executor_);
  ErrorStats error;
  std::vector<std::int64_t> decisions;
  std::vector<std::int64_t> wanted = labels_;
  if (metric_ == "agreement") wanted.clear();
  for (std::int64_t i = 0; i < batches_->count(); ++i) {
    const Tensor found = executor->run(batches_->batch(i)).front();
    if (metric_ == "sqnr") {
      error.add(expected_[static_cast<std::size_t>(i)], found);
      continue;
    }
    std::ranges::copy(argmax_rows(found), std::back_inserter(decisions));
    if (metric_ == "agreement")
      std::ranges::copy(argmax_rows(expected_[static_cast<std::size_t>(i)]), std::back_inserter(wanted));
  }
  return metric_ == "sqnr" ? std::min(kExact, error.sqnr_db()) : share(wanted, decisions);
}

}  // namespace qdq::cli
