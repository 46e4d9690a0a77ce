#pragma once
#include <cstdint>
#include <vector>

#include "observers/distinct_values.h"
#include "observers/kernels.h"

namespace qdq {

// What a histogram knows about its values, as the searches need it. Counts are divided by their greatest common divisor:
// seeing everything twice changes nothing. Zeros are counted apart, since every quantization represents them exactly.
struct Distribution {
  float min = 0.0f;
  float max = 0.0f;
  double zeros = 0.0;
  // Either the values other than zero, ascending ...
  std::vector<float> values = {};
  // ... or bins: bin i reaches from edges[i] to edges[i + 1], and its values lie evenly in it. Edge i is the multiple
  // first + i of the width, but the outermost edges are min and max unless that would leave a bin without width.
  std::int64_t first = 0;
  double width = 0.0;
  std::vector<double> edges = {};
  std::vector<double> counts = {};  // of the values or the bins

  bool is_exact() const { return edges.empty(); }
};

// A histogram that depends on the values that it was given, and neither on their order nor on how they were dealt out to
// histograms that were merged. Up to kMaxValues different values are kept as they are; more are counted in bins whose
// width is a power of two, and which pair up exactly when a larger value asks for wider ones. Counts are integers.
class MergeableHistogram {
 public:
  static constexpr std::size_t kMaxValues = 8192;
  static constexpr std::int64_t kMinBins = 16, kMaxBins = 1 << 16;

  struct State {
    float min;  // inf and -inf while nothing was added
    float max;
    std::uint64_t zeros = 0;
    DistinctValues values;  // empty once there are bins
    // Bins are 2^exponent wide; 4 * bins of them, the first half negative and the outermost of these first. Empty while
    // values are kept.
    std::int64_t exponent = 0;
    std::vector<std::uint64_t> counts;
  };

  // The largest magnitude lies `bins` to 2 * bins bins away from zero. A power of two, kMinBins to kMaxBins.
  explicit MergeableHistogram(std::int64_t bins);

  // Finite values and their bounds.
  void add(const float* values, std::int64_t count, Extremes bounds);
  void merge(const MergeableHistogram& other);  // with as many bins

  bool empty() const { return state_.zeros == 0 && state_.values.values.empty() && state_.counts.empty(); }
  Distribution distribution() const;
  // In bins even where the values are known.
  Distribution binned_distribution() const;

  const State& state() const { return state_; }
  // Throws InvalidArgumentError for a state that no values lead to.
  void set_state(State state);

 private:
  std::int64_t side() const { return 2 * bins_; }  // bins on each side of zero
  // The exponent of the width that the bounds ask for.
  std::int64_t wanted_exponent() const;
  std::size_t index_of(float value) const;
  bool keep(const DistinctValues& more);  // false when that would be too many
  void use_bins();                        // of the wanted width, from now on
  void count_in_bins(const float* values, std::int64_t count);

  std::int64_t bins_;
  State state_;
};

}  // namespace qdq
