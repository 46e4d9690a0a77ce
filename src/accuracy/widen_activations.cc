#include <algorithm>
#include <map>
#include <unordered_map>

#include "accuracy/activation_range.h"
#include "graph/observed_value.h"
#include "qdq/accuracy.h"
#include "qdq/numeric_debugger.h"

namespace qdq {
namespace {

using Observers = std::map<std::string, std::shared_ptr<Observer>>;

// At most 65,536 elements of `value`, evenly spread: enough to tell how large its error is.
Tensor some_of(const Tensor& value) {
  constexpr std::int64_t kElements = 1 << 16;
  const Tensor plain = value.to(DType::float32).contiguous();
  const std::int64_t step =
      (plain.numel() + kElements - 1) / kElements | 1;  // odd: meets all columns of a power of two
  return plain.as_strided({(plain.numel() + step - 1) / step}, {step}, plain.storage_offset()).clone();
}

// Two observers of one place see the same values: an observer is judged by all places that it serves.
std::unordered_map<const Observer*, ErrorStats> measure(PreparedProgram& prepared, const CalibrationBatches& batches,
                                                        const ExecutorOptions& executor) {
  std::unordered_map<std::string, std::pair<const Observer*, ActivationRange>> places;
  for (const Node& node : prepared.program().graph().nodes()) {
    if (node.kind() != NodeKind::call_module || observed_value(node).kind() == NodeKind::get_attr) continue;
    const Observer& observer = *prepared.observers().at(node.target());
    const bool is_8_bits = observer.dtype() == DType::int8 || observer.dtype() == DType::uint8;
    if (is_8_bits && is_static_activation(observer))
      places.emplace(node.target(), std::pair(&observer, ActivationRange::of(observer)));
  }
  std::unordered_map<const Observer*, ErrorStats> errors;
  const auto run = make_executor(prepared.program(), executor);
  run->set_observe([&](const std::string& target, const Tensor& value) {
    const auto place = places.find(target);
    if (place == places.end() || value.numel() == 0) return;
    const Tensor some = some_of(value);
    errors[place->second.first].add(some, place->second.second.quantized(some));
  });
  constexpr std::size_t kBatches = 2;  // enough to tell
  for (std::size_t i = 0; i < std::min(kBatches, batches.size()); ++i) run->run(batches[i]);
  return errors;
}

std::shared_ptr<Observer> wide() {
  return min_max_observer()(
      {.dtype = DType::int16, .qscheme = QScheme::per_tensor_affine, .quant_min = -32768, .quant_max = 32767});
}

}  // namespace

AccuracyReport widen_activations(PreparedProgram& prepared, const CalibrationBatches& batches,
                                 const WidenOptions& options) {
  if (batches.empty()) throw InvalidArgumentError("[widen_activations] one or more batches expected, found none");
  AccuracyReport report;
  std::unordered_map<const Observer*, std::shared_ptr<Observer>> replaced;
  for (const auto& [observer, error] : measure(prepared, batches, options.executor))
    if (error.sqnr_db() < options.least_sqnr_db) replaced.emplace(observer, wide());
  if (replaced.empty()) return report;
  Observers observers = prepared.observers();
  for (auto& [target, observer] : observers)
    if (const auto other = replaced.find(observer.get()); other != replaced.end()) observer = other->second;
  report.changed = static_cast<std::int64_t>(replaced.size());
  const auto run = make_executor(prepared.program(), options.executor);
  run->set_observe([&](const std::string& target, const Tensor& value) {
    if (observers.at(target)->dtype() == DType::int16) observers.at(target)->observe(value);
  });
  for (const auto& batch : batches) run->run(batch);
  prepared =
      PreparedProgram(std::move(prepared.program()), std::move(observers), prepared.pass_report(), prepared.warnings());
  return report;
}

}  // namespace qdq
