#include "observers/mergeable_state.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "qdq/error.h"

namespace qdq {
namespace {

const Tensor& buffer(const ObserverState& state, std::string_view name, DType dtype) {
  const Tensor* found = state.find(name);
  if (found == nullptr) throw InvalidArgumentError("[observe] the state has no buffer '" + std::string(name) + "'");
  if (found->dtype() != dtype)
    throw InvalidArgumentError("[observe] the state's '" + std::string(name) + "' must be " +
                               std::string(qdq::name(dtype)) + ", found " + std::string(qdq::name(found->dtype())));
  return *found;
}

template <typename T>
std::vector<T> elements(const Tensor& tensor) {
  const Tensor dense = tensor.contiguous();
  return {dense.data<T>(), dense.data<T>() + dense.numel()};
}

// A buffer that is read from front to back.
template <typename T>
class Reader {
 public:
  Reader(const ObserverState& state, std::string_view name)
      : name_(name), elements_(elements<T>(buffer(state, name, dtype_of<T>()))) {}
  std::vector<T> take(std::int64_t count) {
    if (count < 0 || count > std::ssize(elements_) - read_) wrong_size();
    read_ += count;
    return {elements_.begin() + (read_ - count), elements_.begin() + read_};
  }
  std::vector<std::uint64_t> take_counts(std::int64_t count) {
    const std::vector<T> found = take(count);
    for (const T n : found)
      if (n < 0) throw InvalidArgumentError("[observe] the state's '" + name_ + "' holds a negative count");
    return {found.begin(), found.end()};
  }
  void finish() const {
    if (read_ != std::ssize(elements_)) wrong_size();
  }

 private:
  [[noreturn]] void wrong_size() const {
    throw InvalidArgumentError("[observe] the state's '" + name_ + "' has " + std::to_string(elements_.size()) +
                               " elements, which is not what 'kept' says");
  }
  std::string name_;
  std::vector<T> elements_;
  std::int64_t read_ = 0;
};

}  // namespace

void append_histograms(ObserverState& state, const std::vector<MergeableHistogram>& histograms) {
  std::vector<std::int64_t> zeros, kept, value_counts, exponents, counts;
  std::vector<float> values;
  for (const MergeableHistogram& histogram : histograms) {
    const MergeableHistogram::State& s = histogram.state();
    zeros.push_back(static_cast<std::int64_t>(s.zeros));
    if (s.counts.empty()) {
      kept.push_back(std::ssize(s.values.values));
      values.insert(values.end(), s.values.values.begin(), s.values.values.end());
      for (std::size_t i = 0; i < s.values.values.size(); ++i)
        value_counts.push_back(static_cast<std::int64_t>(s.values.count(i)));
    } else {
      kept.push_back(-1);
      exponents.push_back(s.exponent);
      for (const std::uint64_t n : s.counts) counts.push_back(static_cast<std::int64_t>(n));
    }
  }
  const auto add = [&]<typename T>(const char* name, const std::vector<T>& elements) {
    state.buffers.emplace_back(name, Tensor::from<T>(elements, {std::ssize(elements)}));
  };
  add("zeros", zeros);
  add("kept", kept);
  add("values", values);
  add("value_counts", value_counts);
  add("exponent", exponents);
  const std::int64_t rows = std::ssize(exponents);
  state.buffers.emplace_back("histogram",
                             Tensor::from<std::int64_t>(counts, {rows, rows == 0 ? 0 : std::ssize(counts) / rows}));
}

std::vector<MergeableHistogram> histograms_of(const ObserverState& state, std::int64_t bins) {
  const std::vector<float> min = elements<float>(buffer(state, "min_val", DType::float32)),
                           max = elements<float>(buffer(state, "max_val", DType::float32));
  const std::vector<std::int64_t> kept = elements<std::int64_t>(buffer(state, "kept", DType::int64));
  Reader<std::int64_t> zeros(state, "zeros"), value_counts(state, "value_counts"), exponents(state, "exponent"),
      counts(state, "histogram");
  Reader<float> values(state, "values");
  if (min.size() != kept.size() || max.size() != kept.size())
    throw InvalidArgumentError("[observe] the state has bounds for " + std::to_string(min.size()) +
                               " histograms, and " + std::to_string(kept.size()) + " histograms");
  std::vector<MergeableHistogram> result;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    MergeableHistogram::State s{min[i], max[i], zeros.take_counts(1)[0], {}, 0, {}};
    if (kept[i] >= 0) {
      s.values = {values.take(kept[i]), value_counts.take_counts(kept[i])};
      if (std::ranges::all_of(s.values.counts, [](std::uint64_t n) { return n == 1; })) s.values.counts = {};
    } else {
      s.exponent = exponents.take(1)[0];
      s.counts = counts.take_counts(4 * bins);
    }
    result.emplace_back(bins).set_state(std::move(s));
  }
  zeros.finish();
  values.finish();
  value_counts.finish();
  exponents.finish();
  counts.finish();
  return result;
}

}  // namespace qdq
