#include "runtime/plan.h"

#include <chrono>
#include <unordered_map>

#include "runtime/arena.h"
#include "runtime/copy.h"
#include "runtime/memory_planner.h"

namespace qdq::runtime {
namespace {

// Where a planned storage lies, and when it is needed. Inputs are written before step 0, results read after the last.
struct Planned {
  std::size_t index = 0;
  Lifetime lifetime;
  bool used = false;
};

using PlannedMap = std::unordered_map<const Storage*, Planned>;

PlannedMap lifetimes_of(const PlanSpec& spec) {
  PlannedMap map;
  for (const auto& storage : spec.planned) {
    const std::size_t index = map.size();
    map[storage.get()] = {index, {storage->size(), 0, 0}, false};
  }
  const auto touch = [&](const Tensor& tensor, std::size_t step) {
    if (!tensor.defined()) return;
    const auto found = map.find(tensor.storage().get());
    if (found == map.end()) return;
    Planned& planned = found->second;
    if (!planned.used) planned.lifetime.first = step;
    planned.used = true;
    planned.lifetime.last = step;
  };
  for (const Tensor& input : spec.inputs) touch(input, 0);
  for (std::size_t i = 0; i < spec.steps.size(); ++i) {
    for (const Tensor& tensor : spec.steps[i].reads) touch(tensor, i + 1);
    for (const Tensor& tensor : spec.steps[i].writes) touch(tensor, i + 1);
  }
  const std::size_t end = spec.steps.size() + 1;
  for (const Tensor& result : spec.results) touch(result, end);
  for (const auto& [name, tensor] : spec.kept) touch(tensor, end);
  for (const auto& [to, from] : spec.write_backs) touch(from, end);
  return map;
}

// `to` is written where it lies if it has the value's dtype and sizes, else replaced.
void copy_out(const Tensor& value, ResultPool& pool, Tensor& to) {
  if (!value.defined()) {
    to = value;
    return;
  }
  if (!to.defined() || to.dtype() != value.dtype() || to.sizes() != value.sizes())
    to = pool.empty(value.dtype(), value.sizes());
  copy(value, to);
}

}  // namespace

std::shared_ptr<Storage> planned_storage(std::size_t bytes) { return Storage::wrap(nullptr, bytes, nullptr); }

Plan::Plan(PlanSpec spec) {
  const PlannedMap map = lifetimes_of(spec);
  std::vector<Lifetime> lifetimes(map.size());
  std::vector<Lifetime> blocks;
  std::vector<std::size_t> block_of(map.size());
  for (const auto& [storage, planned] : map)
    if (planned.used) lifetimes[planned.index] = planned.lifetime;
  for (std::size_t i = 0; i < lifetimes.size(); ++i) {
    block_of[i] = blocks.size();
    blocks.push_back(lifetimes[i]);
  }
  const MemoryPlan memory = plan_memory(blocks);
  arena_ = allocate_arena(memory.bytes);

  const auto resolve = [&](const Tensor& tensor) {
    if (!tensor.defined()) return tensor;
    const auto found = map.find(tensor.storage().get());
    if (found == map.end()) return tensor;
    auto block =
        Storage::wrap(arena_->data() + memory.offsets[block_of[found->second.index]], tensor.storage()->size(), arena_);
    return Tensor(std::move(block), tensor.dtype(), tensor.sizes(), tensor.strides(), tensor.storage_offset());
  };
  kernels_.reserve(spec.steps.size());
  for (Step& step : spec.steps) {
    std::vector<Tensor> operands;
    const auto add = [&](const Tensor& tensor) {
      operands.push_back(resolve(tensor));
      if (!map.contains(tensor.storage().get())) real_.insert(tensor.storage());
    };
    for (const Tensor& tensor : step.reads) add(tensor);
    for (const Tensor& tensor : step.writes) add(tensor);
    kernels_.push_back(step.bind(operands));
    calls_onednn_ |= step.calls_onednn;
    infos_.push_back({std::move(step.name), std::move(step.kind), step.operations});
  }
  for (const Tensor& input : spec.inputs) inputs_.push_back(resolve(input));
  for (const Tensor& result : spec.results) results_.push_back(resolve(result));
  for (const auto& [name, tensor] : spec.kept) kept_.emplace_back(name, resolve(tensor));
  for (const auto& [to, from] : spec.write_backs) write_backs_.emplace_back(resolve(to), resolve(from));
}

void Plan::run_profiled() {
  using Clock = std::chrono::steady_clock;
  times_.clear();
  const Clock::time_point begin = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - begin).count(); };
  for (std::size_t i = 0; i < kernels_.size(); ++i) {
    const double start = elapsed();
    kernels_[i]();
    times_.push_back({infos_[i].name, infos_[i].kind, start, elapsed() - start, infos_[i].operations});
  }
}

void Plan::run(std::span<const Tensor> inputs, std::vector<Tensor>& outputs) {
  for (std::size_t i = 0; i < inputs_.size(); ++i)
    if (inputs_[i].defined()) copy(inputs[i], inputs_[i]);
  kept_values_.clear();
  if (profiling_) {
    run_profiled();
  } else {
    for (const Kernel& kernel : kernels_) kernel();
  }
  outputs.resize(results_.size());
  for (std::size_t i = 0; i < results_.size(); ++i) copy_out(results_[i], pool_, outputs[i]);
  for (const auto& [name, tensor] : kept_) copy_out(tensor, pool_, kept_values_.emplace_back(name, Tensor()).second);
  for (const auto& [to, from] : write_backs_) copy(from, to);
}

const Tensor* Plan::kept_value(const std::string& name) const {
  for (const auto& [kept, tensor] : kept_values_)
    if (kept == name) return &tensor;
  return nullptr;
}

}  // namespace qdq::runtime
