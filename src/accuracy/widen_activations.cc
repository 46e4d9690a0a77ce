#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <unordered_map>

#include "accuracy/activation_range.h"
#include "accuracy/slice_program.h"
#include "accuracy/weighted_layers.h"
#include "graph/observed_value.h"
#include "ops/schema.h"
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

// Places whose values have 8 bits now, by their target: the call_module nodes of activations.
struct Place {
  const Observer* observer;
  ActivationRange range;
};
using Places = std::unordered_map<std::string, Place>;

Places places_of(const PreparedProgram& prepared) {
  Places places;
  for (const Node& node : prepared.program().graph().nodes()) {
    if (node.kind() != NodeKind::call_module || observed_value(node).kind() == NodeKind::get_attr) continue;
    const Observer& observer = *prepared.observers().at(node.target());
    const bool is_8_bits = observer.dtype() == DType::int8 || observer.dtype() == DType::uint8;
    if (is_8_bits && is_static_activation(observer))
      places.emplace(node.target(), Place{&observer, ActivationRange::of(observer)});
  }
  return places;
}

// An op that reads quantized values, as a program of its own.
struct OpAlone {
  const Node* op;
  ProgramSlice slice;
  std::vector<const Place*> places;  // for each input of the slice; null for one that is not quantized
  std::unique_ptr<Executor> executor;
  std::vector<ErrorStats> errors;  // of its result when that input alone is quantized
};

// Sums of many products even out the errors of their terms; ops that move values pass on what they get.
bool may_enlarge_errors(const Node& node) {
  const OpSchema* schema = find_schema(node.target());
  return node.kind() == NodeKind::call_function && !is_weighted(node) && schema && !schema->mutates() &&
         !schema->traits.is_view && !schema->traits.shares_qparams && node.type.tensor() &&
         is_floating_point(node.type.tensor()->dtype);
}

std::vector<OpAlone> ops_alone(const Program& program, const Places& places, const ExecutorOptions& executor) {
  std::vector<OpAlone> ops;
  const auto recomputed = recomputed_nodes(program.graph());
  for (const Node& node : program.graph().nodes()) {
    if (!may_enlarge_errors(node) || recomputed.contains(&node)) continue;
    OpAlone op{&node, slice_program(program, recomputed, std::array{&node}, {node.name()}), {}, nullptr, {}};
    for (const std::string& input : op.slice.inputs) {
      const auto found = places.find(program.graph().find(input)->target());
      op.places.push_back(found == places.end() ? nullptr : &found->second);
    }
    if (std::ranges::all_of(op.places, [](const Place* place) { return place == nullptr; })) continue;
    op.errors.resize(op.places.size());
    ops.push_back(std::move(op));
  }
  for (OpAlone& op : ops) op.executor = make_executor(op.slice.program, executor);
  return ops;
}

// The error of each observer's values, and that of what each op makes of them: the largest counts. Two observers of one place
// see the same values; an observer is judged by all places that it serves.
std::unordered_map<const Observer*, double> sqnr_of_observers(const PreparedProgram& prepared,
                                                              const CalibrationBatches& batches,
                                                              const ExecutorOptions& executor) {
  const Program& program = prepared.program();
  const Places places = places_of(prepared);
  std::vector<OpAlone> ops = ops_alone(program, places, executor);
  std::unordered_map<const Observer*, ErrorStats> errors;
  const auto run = make_executor(program, executor);
  run->set_observe([&](const std::string& target, const Tensor& value) {
    const auto place = places.find(target);
    if (place == places.end() || value.numel() == 0) return;
    const Tensor some = some_of(value);
    errors[place->second.observer].add(some, place->second.range.quantized(some));
  });
  std::set<std::string> kept;
  for (const OpAlone& op : ops) {
    kept.insert(op.op->name());
    for (const std::string& input : op.slice.inputs) kept.insert(observed_value(*program.graph().find(input)).name());
  }
  run->keep_values({kept.begin(), kept.end()});
  constexpr std::size_t kBatches = 2;  // enough to tell
  for (std::size_t i = 0; i < std::min(kBatches, batches.size()); ++i) {
    run->run(batches[i]);
    for (OpAlone& op : ops) {
      std::vector<Tensor> inputs;
      for (const std::string& input : op.slice.inputs)
        inputs.push_back(*run->kept_value(observed_value(*program.graph().find(input)).name()));
      const Tensor& expected = *run->kept_value(op.op->name());
      for (std::size_t k = 0; k < inputs.size(); ++k) {
        if (!op.places[k]) continue;
        std::vector<Tensor> tried = inputs;
        tried[k] = op.places[k]->range.quantized(inputs[k]);
        op.errors[k].add(expected, op.executor->run(tried).front());
      }
    }
  }
  std::unordered_map<const Observer*, double> least;
  for (const auto& [observer, error] : errors) least.emplace(observer, error.sqnr_db());
  const auto lower = [&](const Place& place, double sqnr_db) {
    least.at(place.observer) = std::min(least.at(place.observer), sqnr_db);
  };
  for (const OpAlone& op : ops)
    for (std::size_t k = 0; k < op.places.size(); ++k) {
      if (!op.places[k]) continue;
      const double sqnr_db = op.errors[k].sqnr_db();
      lower(*op.places[k], sqnr_db);
      // 16 bits of a sum are worth nothing where its terms have 8.
      const Node& maker = observed_value(*program.graph().find(op.slice.inputs[k]));
      if (!may_enlarge_errors(maker)) continue;
      for (const Node* input : maker.inputs())
        if (const auto place = places.find(input->target()); place != places.end()) lower(place->second, sqnr_db);
    }
  return least;
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
  for (const auto& [observer, sqnr_db] : sqnr_of_observers(prepared, batches, options.executor))
    if (sqnr_db < options.least_sqnr_db) replaced.emplace(observer, wide());
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
