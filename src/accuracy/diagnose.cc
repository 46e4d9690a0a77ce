#include "qdq/diagnose.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "accuracy/activation_range.h"
#include "accuracy/copy_prepared.h"
#include "accuracy/excluding_quantizer.h"
#include "accuracy/quantize_with.h"
#include "accuracy/weight_grid.h"
#include "graph/observed_value.h"

namespace qdq {
namespace {

constexpr double kWorthwhile = 0.5;  // dB

// A place in the program where a value is quantized, and what was seen of it.
struct Place {
  TensorDiagnosis found;
  ActivationRange range;
  std::int64_t outside = 0;
  Tensor value;  // of the float program, in the current batch
};

void add_quantized(Place& place, const Tensor& value) {
  place.value = value.to(DType::float32).clone();
  place.found.added.add(place.value, place.range.quantized(place.value, &place.outside));
}

class TensorMeasurement {
 public:
  TensorMeasurement(PreparedProgram& prepared, const Program& converted, const ExecutorOptions& executor)
      : in_float_(make_executor(prepared.program(), executor)) {
    ExecutorOptions simulated = executor;
    simulated.simulate_quantization = true;
    quantized_ = make_executor(converted, simulated);
    for (const Node& node : prepared.program().graph().nodes())
      if (node.kind() == NodeKind::call_module) add_place(prepared, node);
    std::vector<std::string> names;
    for (const auto& [target, place] : places_) names.push_back(place.found.node);
    quantized_->keep_values(names);
    in_float_->set_observe([this](const std::string& target, const Tensor& value) {
      if (const auto found = places_.find(target); found != places_.end()) add_quantized(found->second, value);
    });
  }

  void add(const std::vector<Tensor>& batch) {
    in_float_->run(batch);
    quantized_->run(batch);
    for (auto& [target, place] : places_) {
      const Tensor* value = quantized_->kept_value(place.found.node);
      if (!value || !place.value.defined() || value->sizes() != place.value.sizes()) continue;
      if (!place.found.inherited) place.found.inherited.emplace();
      place.found.inherited->add(place.value, *value);
    }
  }

  std::vector<TensorDiagnosis> results() {
    for (auto& [target, place] : places_) {
      if (place.found.added.count() == 0) continue;
      place.found.clipped = static_cast<double>(place.outside) / static_cast<double>(place.found.added.count());
      weights_.push_back(place.found);
    }
    std::ranges::sort(weights_, {},
                      [](const TensorDiagnosis& tensor) { return std::pair(tensor.added.sqnr_db(), tensor.node); });
    return std::move(weights_);
  }

 private:
  void add_place(PreparedProgram& prepared, const Node& node) {
    Observer& observer = *prepared.observers().at(node.target());
    const Node& value = observed_value(node);
    TensorDiagnosis found;
    found.node = value.name();
    found.observer = observer.kind();
    if (value.kind() != NodeKind::get_attr && is_static_activation(observer)) {
      places_.emplace(node.target(), Place{std::move(found), ActivationRange::of(observer), 0, {}});
    } else if (value.kind() == NodeKind::get_attr) {
      const Tensor& weight = prepared.program().tensor_of(value);
      const auto grid = WeightGrid::of(observer, weight);
      if (!grid) return;
      found.is_weight = true;
      found.added.add(weight, grid->nearest(weight));
      weights_.push_back(std::move(found));
    }
  }

  std::unique_ptr<Executor> in_float_;
  std::unique_ptr<Executor> quantized_;
  std::unordered_map<std::string, Place> places_;
  std::vector<TensorDiagnosis> weights_;
};

// Of all outputs together.
double output_sqnr(const Program& reference, const Program& other, const CalibrationBatches& batches,
                   const ExecutorOptions& executor) {
  const auto first = make_executor(reference, executor);
  const auto second = make_executor(other, executor);
  ErrorStats stats;
  for (const auto& batch : batches) {
    const std::vector<Tensor> expected = first->run(batch);
    const std::vector<Tensor> found = second->run(batch);
    for (std::size_t i = 0; i < expected.size(); ++i)
      if (is_floating_point(expected[i].dtype())) stats.add(expected[i], found[i]);
  }
  return stats.sqnr_db();
}

}  // namespace

Diagnosis diagnose(const Program& program, Quantizer& quantizer, const CalibrationBatches& batches,
                   const DiagnoseOptions& options) {
  if (batches.empty()) throw InvalidArgumentError("[diagnose] one or more batches expected, found none");
  Diagnosis result;
  PreparedProgram prepared = prepare_with(program, quantizer, batches, options.accuracy, options.executor);
  const std::vector<RankedOp> ranked = rank_ops(program, prepared, batches, options.executor);
  const Program converted = convert(copy_prepared(prepared));
  TensorMeasurement tensors(prepared, converted, options.executor);
  for (const auto& batch : batches) tensors.add(batch);
  result.tensors = tensors.results();
  result.sqnr_db = output_sqnr(program, converted, batches, options.executor);
  const int total = 1 + std::min(options.ops, static_cast<int>(ranked.size()));
  if (options.progress) options.progress(1, total);
  for (int i = 0; i + 1 < total; ++i) {
    const RankedOp& op = ranked[static_cast<std::size_t>(i)];
    ExcludingQuantizer without(quantizer, {op.node});
    const Program other = convert(prepare_with(program, without, batches, options.accuracy, options.executor));
    const double gain = output_sqnr(program, other, batches, options.executor) - result.sqnr_db;
    result.ops.push_back({op.node, op.op, op.own_sqnr_db, gain});
    if (options.progress) options.progress(i + 2, total);
  }
  std::ranges::stable_sort(result.ops, std::greater(), &OpDiagnosis::gain_db);
  for (const OpDiagnosis& op : result.ops)
    if (op.gain_db >= kWorthwhile) result.exclude.push_back(op.node);
  return result;
}

}  // namespace qdq
