#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string_view>

namespace qdq {

// The smallest and largest value; inf and -inf for no values. Both are NaN when a value is NaN, as in torch.aminmax.
// The sign of a zero is not specified.
struct Extremes {
  float min;
  float max;
};

// Equal-width bins over [low, high]. `bins` < 2^31; (high - low) * bins is finite and high > low.
struct Bins {
  float low;
  float high;
  std::int64_t bins;
};

// Values that follow each other often fall into one bin, where an increment waits for the one before it. Several tables,
// which neighbours take in turn, make them independent; 4 of 2048 bins fill two thirds of a level-1 cache.
inline constexpr std::size_t kBinTables = 4;

// One evaluation of the histogram search (docs/numerics.md): the source bins start..end stretched over the quantized
// levels 0..last_level. Widths are those of one source bin and of one level.
struct LevelFit {
  std::span<const float> density;  // count / source width, per source bin
  float source_width;
  std::int64_t start;
  float level_width;
  float half_level;  // level_width / 2, rounded from double
  float last_level;
};

// The numbers k * scale for the integers from lowest to highest: what a quantized value stands for, the zero point taken
// off. At most 2^17 of them.
struct Levels {
  float scale;
  double lowest;
  double highest;
};

// How a fake quantizer rounds (qdq/fake_quantize.h).
struct FakeLevels {
  float inverse_scale;
  float scale;
  float zero_point;
  double low;  // exact for levels of 32 bits too
  double high;
  bool before_rounding;  // the zero point is no integer and is added before the value is rounded
  bool wraps;            // what no int64 holds becomes the lowest level

  // Levels and zero points that float32 adds exactly, to numbers that are rounded by adding.
  bool are_near() const {
    return !before_rounding && std::fabs(low) < 0x1p19 && std::fabs(high) < 0x1p19 && std::fabs(zero_point) < 0x1p19f;
  }
};

// The formula, one value at a time.
template <typename T>
void fake_quantize_each(const T* in, T* out, bool* inside, std::int64_t count, const FakeLevels& levels) {
  for (std::int64_t i = 0; i < count; ++i) {
    const T scaled = in[i] * static_cast<T>(levels.inverse_scale), zero = static_cast<T>(levels.zero_point);
    const T level = levels.before_rounding ? std::nearbyint(scaled + zero) : std::nearbyint(scaled) + zero;
    const bool lost = std::isnan(level) || (levels.wraps && !(level >= T{-0x1p63} && level < T{0x1p63}));
    const double wide = static_cast<double>(level);
    inside[i] = !lost && level >= static_cast<T>(levels.low) && level <= static_cast<T>(levels.high);
    const double clamped = lost ? levels.low : std::clamp(wide, levels.low, levels.high);
    // torch rounds to float32 for float64 too, and in front of the product as well where the zero point is an integer.
    const double distance = clamped - static_cast<double>(levels.zero_point);
    const float product = levels.before_rounding ? static_cast<float>(distance * static_cast<double>(levels.scale))
                                                 : static_cast<float>(distance) * levels.scale;
    out[i] = static_cast<T>(product);
  }
}

// The inner loops of the observers. Every set gives the same bits.
struct ObserverKernels {
  std::string_view name;  // "baseline", "avx2", "avx512"
  Extremes (*min_max)(const float* values, std::int64_t count);
  // Counts every v in bin(v), by torch.histc's arithmetic: int((v - low) * bins / (high - low)). `tables`: 1 or kBinTables
  // tables of bins + 1 counters. The count of a bin is the sum over the tables; what the bin behind the last one holds
  // (high itself) belongs to the last one. False when a value is NaN or outside [low, high]: the tables are then useless.
  bool (*count_into_bins)(const float* values, std::int64_t count, const Bins& bins, std::span<std::uint32_t> tables);
  // The squared error that each source bin contributes: errors.size() == density.size().
  void (*level_errors)(const LevelFit& fit, std::span<float> errors);
  // ++counts[counts.size() / 2 + bin] for every v but zero; bin = int(|v| * inverse_width) for v > 0 and -1 - that for
  // v < 0. Returns how many zeros there were. inverse_width is a power of two, all bins exist, count < 2^31.
  std::int64_t (*count_on_grid)(const float* values, std::int64_t count, float inverse_width,
                                std::span<std::uint32_t> counts);
  // The squared error of rounding to levels, in sums that do not depend on the set: of values, each `count` times, ...
  double (*rounding_error)(std::span<const float> values, std::span<const double> counts, const Levels& levels);
  // ... and of values that lie evenly between edges: the integral of the squared error from 0 to edges[i], times
  // weights[i], summed up. (With weights[i] = density of bin i - 1 less that of bin i it is the error of the bins.)
  // Both take multiples of kErrorLanes.
  double (*integrated_error)(std::span<const double> edges, std::span<const double> weights, const Levels& levels);
  // As fake_quantize_each.
  void (*fake_quantize)(const float* in, float* out, bool* inside, std::int64_t count, const FakeLevels& levels);
  // out = gradient * inside; memory may not overlap.
  void (*multiply_by_mask)(const float* gradient, const bool* inside, float* out, std::int64_t count);
};

inline constexpr std::size_t kErrorLanes = 8;

// All sets that this processor can run, the fastest first.
std::span<const ObserverKernels* const> available_observer_kernels();
inline const ObserverKernels& observer_kernels() { return *available_observer_kernels().front(); }

}  // namespace qdq
