#include <algorithm>
#include <unordered_map>

#include "qdq/error.h"
#include "qdq/statistics.h"

namespace qdq {
namespace {

// Each observer once, with its targets. The map is sorted, so that the first target is the least.
std::vector<std::pair<Observer*, std::vector<std::string>>> observers_of(const PreparedProgram& prepared) {
  std::vector<std::pair<Observer*, std::vector<std::string>>> result;
  std::unordered_map<const Observer*, std::size_t> index;
  for (const auto& [target, observer] : prepared.observers()) {
    const auto [at, is_new] = index.try_emplace(observer.get(), result.size());
    if (is_new) result.push_back({observer.get(), {}});
    result[at->second].second.push_back(target);
  }
  return result;
}

// Which of the two zeros a minimum keeps depends on the order of the batches; here there is only one.
template <typename T>
void drop_sign_of_zeros(const Tensor& own) {
  T* values = own.data<T>();
  std::transform(values, values + own.numel(), values, [](T value) { return value + T(0); });
}

ObserverState normalised(ObserverState state) {
  for (auto& [buffer, value] : state.buffers) {
    if (value.dtype() == DType::float32) drop_sign_of_zeros<float>(value = value.clone());
    if (value.dtype() == DType::float64) drop_sign_of_zeros<double>(value = value.clone());
  }
  return state;
}

// The sizes of what `target` observes, as far as they are known.
const TensorMeta* observed_by(const Program& program, const std::string& target) {
  for (const Node& node : program.graph().nodes())
    if (node.kind() == NodeKind::call_module && node.target() == target && node.input(0) != nullptr)
      return node.input(0)->type.tensor();
  return nullptr;
}

// A number of channels that the tensor does not have would make a program that cannot run.
void check_channels(const Program& program, const ObserverStatistics& seen, const Observer& observer) {
  const Tensor* min = seen.state.find("min_val");
  if (!observer.ch_axis() || min == nullptr || min->numel() == 0) return;
  const TensorMeta* meta = observed_by(program, seen.targets.front());
  if (meta == nullptr) return;
  const auto rank = static_cast<std::int64_t>(meta->sizes.size());
  const std::int64_t axis = *observer.ch_axis() + (*observer.ch_axis() < 0 ? rank : 0);
  if (axis < 0 || axis >= rank) return;
  const SymInt& channels = meta->sizes[static_cast<std::size_t>(axis)];
  if (!channels.is_symbolic() && channels.value != min->numel())
    throw InvalidArgumentError(std::to_string(channels.value) + " channels expected, found " +
                               std::to_string(min->numel()));
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

Statistics collect_statistics(const PreparedProgram& prepared) {
  Statistics statistics;
  for (auto& [observer, targets] : observers_of(prepared))
    statistics.observers.push_back(
        {std::move(targets), std::string(observer->kind()), observer->options(), normalised(observer->save_state())});
  return statistics;
}

void apply_statistics(PreparedProgram& prepared, const Statistics& statistics) {
  const auto observers = observers_of(prepared);
  if (observers.size() != statistics.observers.size())
    throw InvalidArgumentError("[convert] the program has " + std::to_string(observers.size()) +
                               " observers, the statistics are those of " +
                               std::to_string(statistics.observers.size()));
  for (std::size_t i = 0; i < observers.size(); ++i) {
    const auto& [observer, targets] = observers[i];
    const ObserverStatistics& seen = statistics.observers[i];
    if (targets != seen.targets)
      throw InvalidArgumentError("[convert] the program has an observer at " + joined(targets) +
                                 ", the statistics have one at " + joined(seen.targets));
    try {
      if (observer->kind() != seen.kind)
        throw InvalidArgumentError("the program has a " + std::string(observer->kind()) + ", the statistics are of a " +
                                   seen.kind);
      check_channels(prepared.program(), seen, *observer);
      observer->load_state(seen.state);
    } catch (const InvalidArgumentError& error) {
      throw InvalidArgumentError("[convert] observer '" + targets.front() + "': " + error.what());
    }
  }
}

}  // namespace qdq
