#pragma once
// Where to clip: ranges that trade the error of values outside for finer steps inside. All are pure functions of the
// distribution; the returned range lies within [min(min, 0), max(max, 0)] and holds 0.
#include <cstdint>
#include <functional>

#include "observers/kernels.h"
#include "observers/mergeable_histogram.h"

namespace qdq {

struct Range {
  float min;
  float max;
};

// The levels that a quantizer with this range has.
using LevelsOfRange = std::function<Levels(Range)>;

// The least mean squared error. For values the error is the sum over them, rounded as quantize and dequantize round; for
// bins the expectation of values that lie evenly in each, integrated exactly. Bounds are multiples of 1/4096 of the
// observed ones: a grid of 128 bounds (one-sided or symmetric) or 32 x 32 pairs, then ever smaller steps from the best
// towards better neighbours. The whole range is among them, so the result is never worse.
Range least_squares_range(const Distribution& distribution, bool symmetric, const LevelsOfRange& levels_of);

// The mean squared error times the number of values, for tests and searches.
double squared_error(const Distribution& distribution, const Levels& levels);

// The smallest range that holds `percentile` percent of the values; values outside are in equal shares too small and too
// large, or, when symmetric, too large in magnitude. Inside of a bin the bound is interpolated. (The rule of
// onnxruntime's percentile calibration, quantization/calibrate.py.)
Range percentile_range(const Distribution& distribution, bool symmetric, double percentile);

// The least relative entropy (Kullback-Leibler divergence) between the clipped distribution P and its quantized form Q
// (Migacz, "8-bit inference with TensorRT", GTC 2017). For a threshold of i bins, P is the counts inside with those
// outside added to the outermost bins; Q joins the bins in `levels` equal stretches and spreads the count of each evenly
// over its bins that are not empty. Symmetric: over magnitudes and `levels` / 2. Otherwise the range is [-threshold,
// threshold] cut to the observed bounds. Zeros are left out. `distribution` has bins; thresholds begin where there is a
// bin for each level.
Range least_entropy_range(const Distribution& distribution, bool symmetric, std::int64_t levels);

}  // namespace qdq
