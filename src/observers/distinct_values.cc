#include "observers/distinct_values.h"

#include <algorithm>
#include <bit>

namespace qdq {
namespace {

// Counts by the bits of a number: open addressing with linear probing. Zero, which is no key, marks a free slot.
class Table {
 public:
  explicit Table(std::size_t capacity)
      : slots_(std::bit_ceil(2 * capacity + 2)), keys_(slots_, 0), counts_(slots_, 0) {}

  void add(std::uint32_t key) {
    // Fibonacci hashing: the upper bits of the product.
    std::size_t slot = (key * 2654435769u) >> (32 - std::countr_zero(slots_));
    while (keys_[slot] != key && keys_[slot] != 0) slot = (slot + 1) & (slots_ - 1);
    size_ += keys_[slot] == 0;
    keys_[slot] = key;
    ++counts_[slot];
  }
  std::size_t size() const { return size_; }

  DistinctValues sorted() const {
    std::vector<std::pair<float, std::uint64_t>> found;
    found.reserve(size_);
    bool repeated = false;
    for (std::size_t slot = 0; slot < slots_; ++slot)
      if (keys_[slot] != 0) {
        found.emplace_back(std::bit_cast<float>(keys_[slot]), counts_[slot]);
        repeated |= counts_[slot] > 1;
      }
    std::sort(found.begin(), found.end());
    DistinctValues result;
    for (const auto& [value, count] : found) {
      result.values.push_back(value);
      if (repeated) result.counts.push_back(count);
    }
    return result;
  }

 private:
  std::size_t slots_;
  std::vector<std::uint32_t> keys_;
  std::vector<std::uint64_t> counts_;
  std::size_t size_ = 0;
};

}  // namespace

std::optional<DistinctValuesAndZeros> distinct_values(const float* values, std::int64_t count, std::size_t limit) {
  Table table(std::min(limit, static_cast<std::size_t>(count)));
  DistinctValuesAndZeros result;
  for (std::int64_t i = 0; i < count; ++i) {
    if (values[i] == 0.0f) {
      ++result.zeros;
      continue;
    }
    table.add(std::bit_cast<std::uint32_t>(values[i]));
    if (table.size() > limit) return std::nullopt;
  }
  result.nonzero = table.sorted();
  return result;
}

DistinctValues united(const DistinctValues& a, const DistinctValues& b) {
  if (a.values.empty()) return b;
  if (b.values.empty()) return a;
  DistinctValues result;
  result.values.reserve(a.values.size() + b.values.size());
  result.counts.reserve(a.values.size() + b.values.size());
  std::size_t i = 0, k = 0;
  while (i < a.values.size() || k < b.values.size()) {
    const bool from_a = k == b.values.size() || (i < a.values.size() && a.values[i] <= b.values[k]);
    const bool from_b = i == a.values.size() || (k < b.values.size() && b.values[k] <= a.values[i]);
    result.values.push_back(from_a ? a.values[i] : b.values[k]);
    result.counts.push_back((from_a ? a.count(i) : 0) + (from_b ? b.count(k) : 0));
    i += from_a;
    k += from_b;
  }
  if (std::ranges::all_of(result.counts, [](std::uint64_t count) { return count == 1; })) result.counts = {};
  return result;
}

}  // namespace qdq
