#pragma once
#include <cstdint>

#include "qdq/observer.h"

namespace qdq {

// One scale and zero point for a whole activation.
struct ActivationRange {
  float scale, zero_point, quant_min, quant_max;

  // What `observer` chose. Only for is_static_activation().
  static ActivationRange of(const Observer& observer);

  // `value` quantized and dequantized, float32. `outside`, if given, is raised by the number of values that were clipped.
  Tensor quantized(const Tensor& value, std::int64_t* outside = nullptr) const;
};

// Whether `observer` has chosen one integer range for all values of a place.
bool is_static_activation(const Observer& observer);

}  // namespace qdq
