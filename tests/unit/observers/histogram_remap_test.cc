#include "observers/histogram_remap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

namespace qdq {
namespace {

std::vector<float> linspace(float start, float end, std::int64_t points) {
  const float step = (end - start) / static_cast<float>(points - 1);
  std::vector<float> result;
  for (std::int64_t i = 0; i < points; ++i)
    result.push_back(i < points / 2 ? std::fma(step, static_cast<float>(i), start)
                                    : std::fma(-step, static_cast<float>(points - 1 - i), end));
  return result;
}

// Part by part, as the definition says.
std::vector<float> remapped_slowly(const std::vector<float>& old, float old_min, float old_max, float new_min,
                                   float new_max) {
  const auto bins = static_cast<std::int64_t>(old.size());
  const std::vector<float> parts = linspace(old_min, old_max, 16 * bins + 1),
                           edges = linspace(new_min, new_max, bins + 1);
  const float half = 0.5f * ((old_max - old_min) / static_cast<float>(16 * bins));
  std::vector<float> result(old.size(), 0.0f);
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    const float centre = parts[i] + half;
    std::int64_t low = 0, high = bins + 1;
    while (low < high) {
      const std::int64_t middle = (low + high) / 2;
      if (edges[static_cast<std::size_t>(middle)] <= centre)
        low = middle + 1;
      else
        high = middle;
    }
    result[static_cast<std::size_t>(std::clamp<std::int64_t>(low - 1, 0, bins - 1))] += old[i / 16] / 16.0f;
  }
  return result;
}

TEST(AddRemapped, EqualsAddingPartByPart) {
  std::mt19937 generator(11);
  const auto uniform = [&](float low, float high) {
    return std::uniform_real_distribution<float>(low, high)(generator);
  };
  for (int trial = 0; trial < 100; ++trial) {
    std::vector<float> old(trial % 4 == 0 ? 100 : 2048);
    // Counts of every history: whole, of halves of halves ..., rounded; few or many; beyond 2^24.
    const float unit = std::exp2(-uniform(0, 20)), size = std::exp2(uniform(0, 30));
    for (float& count : old)
      if (generator() % 4 != 0) count = trial % 2 == 0 ? std::floor(uniform(0, size)) : uniform(0, size) * unit;
    const float centre = uniform(-10, 10) * std::exp2(uniform(-10, 20));
    // Down to ranges whose bins are narrower than float32 resolves.
    const float range = std::max(std::fabs(centre) * std::exp2(uniform(-23, 3)), 1e-6f);
    const float min = centre - range / 2, max = centre + range / 2;
    const float new_min = min - (trial % 3 == 0 ? 0 : range * uniform(0, 2)),
                new_max = max + (trial % 3 == 1 ? 0 : range * uniform(0, 2));
    if (!(min < max)) continue;
    std::vector<float> found(old.size(), 0.0f);
    add_remapped(old, min, max, new_min, new_max, found);
    ASSERT_EQ(found, remapped_slowly(old, min, max, new_min, new_max))
        << trial << ": [" << min << ", " << max << "] to [" << new_min << ", " << new_max << "]";
  }
}

}  // namespace
}  // namespace qdq
