#pragma once
#include <vector>

#include "observers/mergeable_histogram.h"
#include "qdq/observer.h"

namespace qdq {

// Histograms as buffers behind those of `state`, one histogram per channel:
//
//   zeros         int64 [channels]
//   kept          int64 [channels]        how many values are kept; -1 where there are bins
//   values        float32 [all kept]      those of the first channel, then of the next ...
//   value_counts  int64 [all kept]
//   exponent      int64 [with bins]       the width of the bins is 2^exponent
//   histogram     int64 [with bins, 4 * bins]
//
// Equal histograms give equal bytes.
void append_histograms(ObserverState& state, const std::vector<MergeableHistogram>& histograms);

// The histograms of such a state; their bounds are its min_val and max_val. Throws InvalidArgumentError for buffers that
// are missing, of wrong sizes, or that no values lead to.
std::vector<MergeableHistogram> histograms_of(const ObserverState& state, std::int64_t bins);

}  // namespace qdq
