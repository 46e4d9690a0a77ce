#pragma once
#include <cstdint>
#include <optional>

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

// How a tensor is quantized as a whole, or each index of its dimension `ch_axis` by itself: `scale` (float32) and `zero_point`
// (int32, int64, or float32, which may be no integer) have one element or one for each channel.
struct UniformQParams {
  Tensor scale;
  Tensor zero_point;
  std::optional<std::int64_t> ch_axis;
  std::int64_t quant_min = 0;
  std::int64_t quant_max = 0;
};

// torch's fake_quantize_per_tensor_affine and _per_channel_affine, to the bit, in float32 (float64 for float64 inputs):
//
//     level = round(x * (1 / scale)) + zero_point;     y = (clamp(level) - zero_point) * scale
//
// (with a float zero point round(x * (1 / scale) + zero_point)). NaN becomes quant_min, and so does, per channel, what no int64
// holds. `values` (of the input's dtype) and `inside` (bool; the level was within the bounds) are written; both have the
// input's sizes. Equal strides without gaps save a copy. Throws InvalidArgumentError for other dtypes, sizes and numbers of
// scales, and for an axis outside the input.
void fake_quantize(const Tensor& input, const UniformQParams& qparams, const Tensor& values, const Tensor& inside);

// The straight-through gradient: `result` = gradient where inside, else gradient * 0. All of the same sizes.
void fake_quantize_backward(const Tensor& gradient, const Tensor& inside, const Tensor& result);

// Gradients of a fake quantizer whose scale and zero point are trained (torch's _fake_quantize_learnable_*; LSQ+,
// arXiv:2004.09576). The zero point of `qparams` is the rounded one of the forward pass. Per element with gradient g:
//
//     inside:   d_scale += g * (y - x) / scale              d_zero_point += 0
//     clipped:  d_scale += g * (bound - zero_point)         d_zero_point -= g * scale
//
// Both are summed in double and multiplied by `factor`; their sizes are those of the scale, their dtype is float32. `input_gradient`
// (the gradient's dtype and sizes) is written and straight-through.
struct LearnedGradients {
  Tensor scale;
  Tensor zero_point;
};
LearnedGradients fake_quantize_learnable_backward(const Tensor& gradient, const Tensor& input,
                                                  const UniformQParams& qparams, double factor,
                                                  const Tensor& input_gradient);

// A moving-average observer and a fake quantizer in one, torch.fused_moving_avg_obs_fake_quant to the bit. The tensors are the
// caller's and are written: one element, or one for each channel. min_val and max_val (float32) are inf and -inf before the
// first value; the zero point of `qparams` is int32.
struct MovingAverageFakeQuantizer {
  Tensor min_val;
  Tensor max_val;
  double averaging_constant = 0.01;  // the weight of the newest values
  bool is_symmetric = false;
  UniformQParams qparams;
};
// bounds += averaging_constant * (those of the input - bounds). Throws InvalidArgumentError as fake_quantize does.
void observe_moving_average(const Tensor& input, const MovingAverageFakeQuantizer& quantizer);
// Scale and zero point for the bounds, by the rule of torch's quantized kernels, which has more steps than that of the observers:
// a scale below 6.1e-5 becomes 6.1e-5. Throws InvalidArgumentError for NaN bounds.
void choose_moving_average_qparams(const MovingAverageFakeQuantizer& quantizer);

}  // namespace qdq
