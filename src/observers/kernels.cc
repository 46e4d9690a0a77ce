#include "observers/kernels.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "observers/kernels_isa.h"

namespace qdq {
namespace {

#define QDQ_TARGET
#include "observers/kernels_fake_quantize_body.inc"
#undef QDQ_TARGET

Extremes min_max(const float* values, std::int64_t count) {
  // Several independent chains: one would wait for each comparison.
  constexpr int kLanes = 16;
  constexpr float kInf = std::numeric_limits<float>::infinity();
  float low[kLanes], high[kLanes];
  std::fill_n(low, kLanes, kInf);
  std::fill_n(high, kLanes, -kInf);
  bool ordered = true;
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int k = 0; k < kLanes; ++k) {
      const float v = values[i + k];
      ordered &= v == v;
      low[k] = v < low[k] ? v : low[k];
      high[k] = v > high[k] ? v : high[k];
    }
  for (; i < count; ++i) {
    ordered &= values[i] == values[i];
    low[0] = std::min(low[0], values[i]);
    high[0] = std::max(high[0], values[i]);
  }
  if (!ordered) return {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::quiet_NaN()};
  return {*std::min_element(low, low + kLanes), *std::max_element(high, high + kLanes)};
}

bool count_into_bins(const float* values, std::int64_t count, const Bins& bins, std::span<std::uint32_t> tables) {
  const auto scale = static_cast<float>(bins.bins);
  const float range = bins.high - bins.low;
  for (std::int64_t i = 0; i < count; ++i) {
    const float v = values[i];
    if (!(v >= bins.low && v <= bins.high)) return false;
    ++tables[static_cast<std::size_t>(static_cast<std::int32_t>((v - bins.low) * scale / range))];
  }
  return true;
}

// floor(a / b) of the exact quotient, as torch.div(rounding_mode="floor") for b > 0.
float floor_quotient(float a, float b) {
  const float remainder = std::fmod(a, b);
  float quotient = (a - remainder) / b;
  if (remainder < 0.0f) quotient -= 1.0f;
  const float rounded = std::floor(quotient);
  return quotient - rounded > 0.5f ? rounded + 1.0f : rounded;
}

float cube_difference_third(float begin, float end) { return (end * end * end - begin * begin * begin) / 3.0f; }

void level_errors(const LevelFit& fit, std::span<float> errors) {
  const float d = fit.level_width, h = fit.half_level;
  const float inner = cube_difference_third(-h, h);
  for (std::size_t i = 0; i < errors.size(); ++i) {
    const float rho = fit.density[i];
    const float begin = static_cast<float>(static_cast<std::int64_t>(i) - fit.start) * fit.source_width;
    const float end = begin + fit.source_width;
    const float begin_level = std::clamp(floor_quotient(begin, d), 0.0f, fit.last_level);
    const float end_level = std::clamp(floor_quotient(end, d), 0.0f, fit.last_level);
    const float begin_center = (begin_level + 0.5f) * d;
    const float end_center = end_level * d + h;
    float error = rho * cube_difference_third(begin - begin_center, h);
    error += (end_level - begin_level - 1.0f) * (rho * inner);
    error += rho * cube_difference_third(-h, end - end_center);
    errors[i] = error;
  }
}

std::int64_t count_on_grid(const float* values, std::int64_t count, float inverse_width,
                           std::span<std::uint32_t> counts) {
  std::uint32_t* const center = counts.data() + counts.size() / 2;
  std::int64_t zeros = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const float v = values[i];
    const auto bin = static_cast<std::int32_t>(std::fabs(v) * inverse_width);
    if (v == 0.0f)
      ++zeros;
    else
      ++center[v < 0.0f ? -1 - bin : bin];
  }
  return zeros;
}

#define QDQ_TARGET
#include "observers/kernels_error_body.inc"

}  // namespace

const ObserverKernels kBaselineKernels = {"baseline",       min_max,       count_into_bins,
                                          level_errors,     count_on_grid, rounding_error,
                                          integrated_error, fake_quantize, multiply_by_mask};

std::span<const ObserverKernels* const> available_observer_kernels() {
  static const std::vector<const ObserverKernels*> available = [] {
    std::vector<const ObserverKernels*> sets;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
      sets.push_back(&kAvx512Kernels);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) sets.push_back(&kAvx2Kernels);
#endif
    sets.push_back(&kBaselineKernels);
    return sets;
  }();
  return available;
}

}  // namespace qdq
