// 16 bits where 8 cost the outputs most. A value that layers and others read may get both:
//
//     %relu -> observer -> %conv                 %relu -> observer, 8 bits -> %conv
//                       -> %add          =>            -> observer, 16 bits -> %add
#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "accuracy/activation_range.h"
#include "accuracy/output_errors.h"
#include "accuracy/widening.h"
#include "graph/observed_value.h"
#include "qdq/accuracy.h"
#include "qdq/annotation_report.h"

namespace qdq {
namespace {

using Observers = std::map<std::string, std::shared_ptr<Observer>>;

// Convolutions, linears, matrix products: their kernels are what 8 bits are for.
bool is_layer(const Node& node) { return multiply_accumulates(node) > 0; }

// What is widened as one: the places of one observer, for all that read them, or at a fork for some.
struct Candidate {
  enum class Readers { all, layers, others };
  std::shared_ptr<Observer> observer;
  std::vector<Node*> points;  // call_module nodes, in graph order
  Readers readers = Readers::all;
  double error = 0;  // of the outputs, when it alone has 8 bits
  bool is_wide = false;

  bool is_read_by(const Node& user) const {
    return readers == Readers::all || (readers == Readers::layers) == is_layer(user);
  }
};

bool has_8_bits(const Observer& observer) {
  return (observer.dtype() == DType::int8 || observer.dtype() == DType::uint8) && is_static_activation(observer);
}

bool is_fork(const Node& point) {
  const std::vector<Node*> users = point.users();
  return std::ranges::any_of(users, [](const Node* user) { return is_layer(*user); }) &&
         !std::ranges::all_of(users, [](const Node* user) { return is_layer(*user); });
}

// In graph order. An observer of several places, which pass a value on to each other, is one candidate, forks or not.
std::vector<Candidate> candidates_of(PreparedProgram& prepared) {
  std::vector<Candidate> all;
  std::unordered_map<const Observer*, std::size_t> by_observer;
  for (Node& node : prepared.program().graph().nodes()) {
    if (node.kind() != NodeKind::call_module || observed_value(node).kind() == NodeKind::get_attr) continue;
    const std::shared_ptr<Observer>& observer = prepared.observers().at(node.target());
    if (!has_8_bits(*observer)) continue;
    const auto [known, is_new] = by_observer.emplace(observer.get(), all.size());
    if (is_new) all.push_back({observer, {}});
    all[known->second].points.push_back(&node);
  }
  std::vector<Candidate> result;
  for (Candidate& candidate : all) {
    if (candidate.points.size() > 1 || !is_fork(*candidate.points.front())) {
      result.push_back(std::move(candidate));
      continue;
    }
    candidate.readers = Candidate::Readers::layers;
    result.push_back(candidate);
    candidate.readers = Candidate::Readers::others;
    result.push_back(std::move(candidate));
  }
  return result;
}

// An observation point of its own for what reads `point` as a layer.
Node& split(Graph& graph, Node& point) {
  const auto at = graph.inserting_after(point);
  Node& own = graph.call_module(point.target() + "_layers", {*point.input(0)});
  own.type = point.type;
  own.meta = point.meta;
  point.replace_uses_with_if(own, [](const Node& user) { return is_layer(user); });
  return own;
}

void measure(std::vector<Candidate>& candidates, const Program& program, const CalibrationBatches& batches,
             const ExecutorOptions& executor) {
  std::unordered_map<const Node*, Node*> twins;
  const Program forked = program.clone(&twins);
  std::vector<QuantizedPoints> sets;
  for (const Candidate& candidate : candidates) {
    const ActivationRange range = ActivationRange::of(*candidate.observer);
    QuantizedPoints& points = sets.emplace_back();
    for (const Node* point : candidate.points) {
      Node& twin = *twins.at(point);
      const bool is_own = candidate.readers == Candidate::Readers::layers;
      points.emplace(is_own ? split(twin.graph(), twin).target() : twin.target(), range);
    }
  }
  const std::vector<double> errors = output_errors(forked, sets, batches, executor);
  for (std::size_t i = 0; i < errors.size(); ++i) candidates[i].error = errors[i];
}

// The largest errors first. What would take more float work than is left is passed over.
void choose(std::vector<Candidate>& candidates, const Graph& graph, const WidenOptions& options) {
  double float_work = 0;
  for (const Node& node : graph.nodes())
    float_work += options.float_work * static_cast<double>(multiply_accumulates(node));
  double error = 0;
  std::vector<Candidate*> ranked;
  for (Candidate& candidate : candidates) {
    error += candidate.error;
    ranked.push_back(&candidate);
  }
  std::ranges::stable_sort(ranked, std::greater(), &Candidate::error);
  const double target = std::pow(10, -options.target_sqnr_db / 10);
  auto values = static_cast<std::int64_t>(std::ceil(options.share * static_cast<double>(candidates.size())));
  values = std::max(values, std::int64_t{options.at_least});
  std::unordered_set<const Node*> in_float;
  for (Candidate* candidate : ranked) {
    if (error <= target || values == 0) break;
    double more = 0;
    std::vector<const Node*> layers;
    for (const Node* point : candidate->points)
      for (const Node* user : point->users())
        if (is_layer(*user) && candidate->is_read_by(*user) && !in_float.contains(user)) {
          more += static_cast<double>(multiply_accumulates(*user));
          layers.push_back(user);
        }
    if (more > float_work) continue;
    float_work -= more;
    in_float.insert(layers.begin(), layers.end());
    error -= candidate->error;
    --values;
    candidate->is_wide = true;
  }
}

std::shared_ptr<Observer> wide_observer() {
  return min_max_observer()(
      {.dtype = DType::int16, .qscheme = QScheme::per_tensor_affine, .quant_min = -32768, .quant_max = 32767});
}

// With the bounds that `narrow` has seen, or empty where it keeps averages of them.
std::shared_ptr<Observer> wide_observer(const Observer& narrow) {
  std::shared_ptr<Observer> wide = wide_observer();
  const auto bounds = observed_bounds(narrow);
  if (bounds && !narrow.kind().starts_with("MovingAverage"))
    wide->observe(Tensor::from<float>({static_cast<float>(bounds->first), static_cast<float>(bounds->second)}, {2}));
  return wide;
}

// The chosen candidates' places get observers of 16 bits.
Observers widened(PreparedProgram& prepared, const std::vector<Candidate>& candidates) {
  Observers observers = prepared.observers();
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& candidate = candidates[i];
    if (!candidate.is_wide) continue;
    const std::shared_ptr<Observer> wide = wide_observer(*candidate.observer);
    for (Node* point : candidate.points) {
      if (candidate.readers == Candidate::Readers::layers && !candidates[i + 1].is_wide)
        observers[split(prepared.program().graph(), *point).target()] = wide;
      else
        observers[point->target()] = wide;
      if (candidate.readers == Candidate::Readers::others && !candidates[i - 1].is_wide)
        observers[split(prepared.program().graph(), *point).target()] = candidate.observer;
    }
  }
  return observers;
}

// Shows the data to the wide observers that have seen none.
void observe_rest(const PreparedProgram& prepared, const CalibrationBatches& batches, const ExecutorOptions& executor) {
  std::unordered_set<const Observer*> waiting;
  for (const auto& [target, observer] : prepared.observers())
    if (observer->dtype() == DType::int16 && !observer->has_observed()) waiting.insert(observer.get());
  if (waiting.empty()) return;
  const auto run = make_executor(prepared.program(), executor);
  run->set_observe([&](const std::string& target, const Tensor& value) {
    if (const auto& observer = prepared.observers().at(target); waiting.contains(observer.get()))
      observer->observe(value);
  });
  for (const auto& batch : batches) run->run(batch);
}

}  // namespace

std::int64_t count_widenable(PreparedProgram& prepared) {
  return static_cast<std::int64_t>(candidates_of(prepared).size());
}

AccuracyReport widen_activations(PreparedProgram& prepared, const CalibrationBatches& batches,
                                 const WidenOptions& options) {
  if (batches.empty()) throw InvalidArgumentError("[widen_activations] one or more batches expected, found none");
  AccuracyReport report;
  std::vector<Candidate> candidates = candidates_of(prepared);
  measure(candidates, prepared.program(), batches, options.executor);
  choose(candidates, prepared.program().graph(), options);
  report.changed = std::ranges::count_if(candidates, &Candidate::is_wide);
  if (report.changed == 0) return report;
  Observers observers = widened(prepared, candidates);
  prepared =
      PreparedProgram(std::move(prepared.program()), std::move(observers), prepared.pass_report(), prepared.warnings());
  observe_rest(prepared, batches, options.executor);
  return report;
}

}  // namespace qdq
