#pragma once
#include <cstdint>
#include <span>

#include "qdq/affine.h"
#include "qdq/tensor.h"

namespace qdq {

// How the blocks of a tensor are quantized: `scale` and `zero_point` (undefined: none) have an element for each block, in the
// order of the blocks; levels lie between `quant_min` and `quant_max`.
struct AffineQParams {
  Shape block_size;
  Tensor scale;
  Tensor zero_point;
  double quant_min = 0;
  double quant_max = 0;
  ZeroPointDomain zero_point_domain = ZeroPointDomain::integer;
};

struct FakeQuantized {
  Tensor values;  // of the input's dtype and sizes
  Tensor inside;  // bool: the level was within the bounds, so that a gradient goes through
};

// Quantized and dequantized in one step, as torchao's _fake_quantize_affine, in float32 (float64 for float64 inputs):
//
//     integer domain     level = round(x * (1 / scale)) + zero_point;                 y = (clamp(level) - zero_point) * scale
//     floating domain    level = round((x - (zero_point - scale * middle)) / scale);  y = (clamp(level) - middle) * scale + zero_point
//
// with middle = (quant_min + quant_max + 1) / 2. Throws InvalidArgumentError for an input that is not floating-point, for
// blocks that do not divide its sizes, and for another number of scales or zero points than blocks.
FakeQuantized fake_quantize_affine(const Tensor& input, const AffineQParams& qparams);

// The gradient of the input: that of the output where `inside`, else 0; times the scale and back, as differentiating the
// formula gives it (the last bit depends on it). `inside` is fake_quantize_affine's.
Tensor fake_quantize_affine_backward(const Tensor& gradient, const Tensor& inside, const AffineQParams& qparams);

}  // namespace qdq
