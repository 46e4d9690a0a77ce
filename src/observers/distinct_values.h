#pragma once
#include <cstdint>
#include <optional>
#include <vector>

namespace qdq {

// Different numbers, ascending, and how often each occurs. `counts` is empty while that is once for all.
struct DistinctValues {
  std::vector<float> values;
  std::vector<std::uint64_t> counts;

  std::uint64_t count(std::size_t i) const { return counts.empty() ? 1 : counts[i]; }
};

struct DistinctValuesAndZeros {
  DistinctValues nonzero;
  std::uint64_t zeros = 0;
};

// The values without NaN, zeros apart; nothing when there are more than `limit` different ones.
std::optional<DistinctValuesAndZeros> distinct_values(const float* values, std::int64_t count, std::size_t limit);

// Both together.
DistinctValues united(const DistinctValues& a, const DistinctValues& b);

}  // namespace qdq
