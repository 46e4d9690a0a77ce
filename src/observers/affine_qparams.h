#pragma once
#include <span>

#include "qdq/observer.h"

namespace qdq {

struct AffineBounds {
  double low;
  double high;
};
// The quantized values that `config` allows: those given, else the limits of its dtype (for float8 its finite range).
// Throws InvalidArgumentError for bounds outside these limits and for dtypes that blocks are not quantized to.
AffineBounds affine_quant_bounds(const AffineConfig& config);

// torchao's choose_qparams_affine_with_min_max. `min` and `max` hold numbers of `dtype` (float64, float32, float16 or
// bfloat16), in which every step is rounded as torch does; `shape` is that of the results.
QParams affine_qparams(const AffineConfig& config, std::span<const double> min, std::span<const double> max,
                       DType dtype, const Shape& shape);

// `value` rounded to `dtype`, one of the four above; the two narrow ones by way of float32.
double round_to(DType dtype, double value);

}  // namespace qdq
