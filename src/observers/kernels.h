#pragma once
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

// The inner loops of the observers. Every set gives the same bits.
struct ObserverKernels {
  std::string_view name;  // "baseline", "avx2", "avx512"
  Extremes (*min_max)(const float* values, std::int64_t count);
  // ++counts[bin(v)] for every v, with torch.histc's arithmetic: bin = int((v - low) * bins / (high - low)), and high itself
  // belongs to the last bin. All values lie inside [low, high]; count < 2^31.
  void (*count_into_bins)(const float* values, std::int64_t count, const Bins& bins, std::uint32_t* counts);
  // The squared error that each source bin contributes: errors.size() == density.size().
  void (*level_errors)(const LevelFit& fit, std::span<float> errors);
};

// All sets that this processor can run, the fastest first.
std::span<const ObserverKernels* const> available_observer_kernels();
inline const ObserverKernels& observer_kernels() { return *available_observer_kernels().front(); }

}  // namespace qdq
