// Fake quantization per tensor and per channel, and its gradients.
#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "observers/channels.h"
#include "observers/kernels.h"
#include "qdq/error.h"
#include "qdq/fake_quantize.h"
#include "tensor/quant_math.h"

namespace qdq {
namespace {

[[noreturn]] void refuse(const std::string& why) { throw InvalidArgumentError("[fake_quantize] " + why); }

void check_floating(const Tensor& tensor) {
  if (!is_floating_point(tensor.dtype()))
    refuse("a floating-point tensor expected, found " + std::string(name(tensor.dtype())));
}

void check_like(const Tensor& tensor, const Tensor& input, DType dtype, const char* what) {
  if (tensor.dtype() != dtype || tensor.sizes() != input.sizes())
    refuse(std::string(what) + " of " + std::string(name(dtype)) + " " + to_string(input.sizes()) +
           " expected, found " + std::string(name(tensor.dtype())) + " " + to_string(tensor.sizes()));
}

// The elements of each channel lie in runs: channel 0, 1, ... and from 0 again.
struct Runs {
  std::int64_t channels = 1;
  std::int64_t length = 0;

  Runs(const Tensor& dense, const UniformQParams& qparams) : length(dense.numel()) {
    if (qparams.ch_axis) {
      const std::int64_t axis = *qparams.ch_axis < 0 ? *qparams.ch_axis + dense.dim() : *qparams.ch_axis;
      if (axis < 0 || axis >= dense.dim())
        refuse("ch_axis " + std::to_string(*qparams.ch_axis) + " is outside the sizes " + to_string(dense.sizes()));
      channels = dense.size(axis);
      length = channels == 1 ? dense.numel() : dense.strides()[static_cast<std::size_t>(axis)];
    }
    for (const Tensor* each : {&qparams.scale, &qparams.zero_point})
      if (!each->defined() || each->numel() != channels)
        refuse("a scale and a zero point for each of " + std::to_string(channels) + " channels expected");
  }

  // fn(channel, offset) for each run of a tensor of `total` elements, in memory order.
  template <typename Fn>
  void for_each(std::int64_t total, Fn&& fn) const {
    for (std::int64_t offset = 0, channel = 0; offset < total; offset += length, channel = (channel + 1) % channels)
      fn(static_cast<std::size_t>(channel), offset);
  }
};

std::vector<FakeLevels> levels_of(const UniformQParams& qparams) {
  if (qparams.quant_min > qparams.quant_max)
    refuse("quant_min <= quant_max expected, found " + std::to_string(qparams.quant_min) + " and " +
           std::to_string(qparams.quant_max));
  const Tensor scale = qparams.scale.to(DType::float32).contiguous();
  const Tensor zero_point = qparams.zero_point.to(DType::float32).contiguous();
  std::vector<FakeLevels> levels;
  for (std::int64_t i = 0; i < scale.numel(); ++i) {
    const float s = scale.data<float>()[i];
    levels.push_back({.inverse_scale = 1.0f / s,
                      .scale = s,
                      .zero_point = zero_point.data<float>()[i],
                      .low = static_cast<double>(qparams.quant_min),
                      .high = static_cast<double>(qparams.quant_max),
                      .before_rounding = is_floating_point(qparams.zero_point.dtype()),
                      .wraps = qparams.ch_axis.has_value()});
  }
  return levels;
}

// Both in one order of memory without gaps.
bool same_layout(const Tensor& a, const Tensor& b) { return a.strides() == b.strides() && a.is_dense(); }

// A dense tensor of `dtype`, itself where it is one.
Tensor dense_as(const Tensor& tensor, DType dtype) {
  return (tensor.is_dense() ? tensor : tensor.contiguous()).to(dtype);
}

// Memory of a type and a layout for `target`: its own where it has both. finish() brings the values there.
class Written {
 public:
  Written(const Tensor& target, DType dtype, const Tensor& layout) : target_(target) {
    memory_ = target.dtype() == dtype && same_layout(target, layout) ? target : empty_like(layout, dtype);
  }
  template <typename T>
  T* data() const {
    return memory_.data<T>();
  }
  void finish() const {
    if (memory_.raw_data() != target_.raw_data()) target_.copy_from(memory_);
  }

 private:
  static Tensor empty_like(const Tensor& layout, DType dtype) {
    return Tensor::empty(dtype, {layout.numel()}).as_strided(layout.sizes(), layout.strides(), 0);
  }
  const Tensor& target_;
  Tensor memory_;
};

template <typename T>
void run(const Tensor& input, const UniformQParams& qparams, const Tensor& values, const Tensor& inside) {
  const Tensor wide = dense_as(input, dtype_of<T>());
  const Written out(values, dtype_of<T>(), wide), mask(inside, DType::bool_, wide);
  const Runs runs(wide, qparams);
  const std::vector<FakeLevels> levels = levels_of(qparams);
  runs.for_each(wide.numel(), [&](std::size_t channel, std::int64_t at) {
    const T* from = wide.data<T>() + at;
    if constexpr (std::is_same_v<T, float>)
      observer_kernels().fake_quantize(from, out.data<T>() + at, mask.data<bool>() + at, runs.length, levels[channel]);
    else
      fake_quantize_each(from, out.data<T>() + at, mask.data<bool>() + at, runs.length, levels[channel]);
  });
  out.finish();
  mask.finish();
}

// torch.aminmax of each channel.
std::vector<Extremes> extremes_of(const Tensor& input, const std::optional<std::int64_t>& ch_axis) {
  const Tensor dense = dense_as(input, DType::float32);
  if (!ch_axis) return {observer_kernels().min_max(dense.data<float>(), dense.numel())};
  const std::int64_t axis = *ch_axis < 0 ? *ch_axis + input.dim() : *ch_axis;
  if (axis < 0 || axis >= input.dim())
    refuse("ch_axis " + std::to_string(*ch_axis) + " is outside the sizes " + to_string(input.sizes()));
  return channel_extremes(dense, axis, dense.data<float>());
}

void check_buffer(const Tensor& buffer, DType dtype, std::int64_t count, const char* what) {
  if (buffer.dtype() != dtype || buffer.numel() != count || !buffer.is_contiguous())
    refuse(std::string(what) + ": " + std::to_string(count) + " elements of " + std::string(name(dtype)) +
           " expected, found " + std::string(name(buffer.dtype())) + " " + to_string(buffer.sizes()));
}

constexpr double kSmallestScale = 6.1e-5f;

struct Chosen {
  float scale;
  std::int32_t zero_point;
};

// Computed in double but for the bounds, which stay float32 as in torch.
Chosen choose_qparams(float min, float max, std::int32_t quant_min, std::int32_t quant_max, bool is_symmetric) {
  const std::int32_t steps = quant_max - quant_min;
  const auto is_mirrored = [&] { return is_symmetric && min < 0 && max > 0; };
  if (is_mirrored()) {  // as wide on both sides as the wider one needs
    const std::int32_t below = -(steps / 2 + 1), above = steps / 2;
    const double widest =
        std::max(std::fabs(min / static_cast<float>(below)), std::fabs(max / static_cast<float>(above)));
    min = static_cast<float>(widest * below);
    max = static_cast<float>(widest * above);
  }
  min = std::min(min, 0.0f);
  max = std::max(max, 0.0f);
  double scale = (static_cast<double>(max) - static_cast<double>(min)) / steps;
  if (static_cast<float>(scale) == 0.0f || std::isinf(1.0f / static_cast<float>(scale))) scale = 0.1;
  if (scale < kSmallestScale) {
    const float amplifier = static_cast<float>(kSmallestScale) / static_cast<float>(scale);
    if (min == 0.0f) {
      max = static_cast<float>(kSmallestScale) * static_cast<float>(steps);
    } else if (max == 0.0f) {
      min = -static_cast<float>(kSmallestScale) * static_cast<float>(steps);
    } else {
      min *= amplifier;
      max *= amplifier;
    }
    scale = kSmallestScale;
  }
  // The bound whose distance from zero is the nearer to a whole number of levels places the zero point.
  const double from_min = quant_min - static_cast<double>(min) / scale;
  const double from_max = quant_max - static_cast<double>(max) / scale;
  const double error_of_min = std::abs(quant_min) - std::fabs(static_cast<double>(min) / scale);
  const double error_of_max = std::abs(quant_max) - std::fabs(static_cast<double>(max) / scale);
  double zero_point = error_of_min < error_of_max ? from_min : from_max;
  if (is_mirrored()) zero_point = static_cast<double>(quant_min + quant_max) / 2;
  const double clamped = std::clamp<double>(zero_point, quant_min, quant_max);
  return {static_cast<float>(scale), static_cast<std::int32_t>(round_half_even(clamped))};
}

// One element's part in the gradients of scale and zero point.
struct Parts {
  double scale, zero_point;
};
Parts parts_of(float gradient, float x, const FakeLevels& levels) {
  const float level = round_half_even(x * levels.inverse_scale) + levels.zero_point;
  const float g = gradient;
  if (level >= levels.low && level <= levels.high)
    return {static_cast<double>(g * (dequantize(level, levels.scale, levels.zero_point) - x) * levels.inverse_scale),
            0};
  const float bound = static_cast<float>(level > levels.high ? levels.high : levels.low);
  return {static_cast<double>(g * (bound - levels.zero_point)), static_cast<double>(-g * levels.scale)};
}

}  // namespace

void fake_quantize(const Tensor& input, const UniformQParams& qparams, const Tensor& values, const Tensor& inside) {
  check_floating(input);
  check_like(values, input, input.dtype(), "values");
  check_like(inside, input, DType::bool_, "a mask");
  if (input.dtype() == DType::float64)
    run<double>(input, qparams, values, inside);
  else
    run<float>(input, qparams, values, inside);
}

void fake_quantize_backward(const Tensor& gradient, const Tensor& inside, const Tensor& result) {
  check_floating(gradient);
  check_like(inside, gradient, DType::bool_, "a mask");
  check_like(result, gradient, gradient.dtype(), "a result");
  const auto multiply = [&]<typename T>(T) {
    Tensor wide = dense_as(gradient, dtype_of<T>());
    if (!same_layout(wide, inside)) wide = wide.contiguous();
    const Tensor mask = same_layout(wide, inside) ? inside : inside.contiguous();
    const Written out(result, dtype_of<T>(), wide);
    if constexpr (std::is_same_v<T, float>)
      observer_kernels().multiply_by_mask(wide.data<T>(), mask.data<bool>(), out.data<T>(), wide.numel());
    else
      for (std::int64_t i = 0; i < wide.numel(); ++i)
        out.data<T>()[i] = wide.data<T>()[i] * static_cast<T>(mask.data<bool>()[i]);
    out.finish();
  };
  if (gradient.dtype() == DType::float64)
    multiply(double{});
  else
    multiply(float{});
}

LearnedGradients fake_quantize_learnable_backward(const Tensor& gradient, const Tensor& input,
                                                  const UniformQParams& qparams, double factor,
                                                  const Tensor& input_gradient) {
  check_floating(input);
  check_like(gradient, input, gradient.dtype(), "a gradient");
  check_like(input_gradient, input, gradient.dtype(), "the input's gradient");
  const Tensor x = input.contiguous().to(DType::float32), g = gradient.contiguous().to(DType::float32);
  const Runs runs(x, qparams);
  const std::vector<FakeLevels> levels = levels_of(qparams);
  std::vector<Parts> sums(levels.size(), Parts{0, 0});
  Tensor passed = Tensor::empty(DType::float32, input.sizes());
  runs.for_each(x.numel(), [&](std::size_t channel, std::int64_t at) {
    for (std::int64_t i = at; i < at + runs.length; ++i) {
      const float dy = g.data<float>()[i], value = x.data<float>()[i];
      const Parts parts = parts_of(dy, value, levels[channel]);
      sums[channel].scale += parts.scale;
      sums[channel].zero_point += parts.zero_point;
      float ignored;
      bool inside;
      fake_quantize_each(&value, &ignored, &inside, 1, levels[channel]);
      passed.data<float>()[i] = dy * static_cast<float>(inside);
    }
  });
  input_gradient.copy_from(passed);
  LearnedGradients result{Tensor::empty(DType::float32, qparams.scale.sizes()),
                          Tensor::empty(DType::float32, qparams.scale.sizes())};
  for (std::size_t c = 0; c < sums.size(); ++c) {
    result.scale.data<float>()[c] = static_cast<float>(sums[c].scale * factor);
    result.zero_point.data<float>()[c] = static_cast<float>(sums[c].zero_point * factor);
  }
  return result;
}

void observe_moving_average(const Tensor& input, const MovingAverageFakeQuantizer& quantizer) {
  check_floating(input);
  if (input.numel() == 0) return;
  const std::vector<Extremes> batch = extremes_of(input, quantizer.qparams.ch_axis);
  const auto count = static_cast<std::int64_t>(batch.size());
  check_buffer(quantizer.min_val, DType::float32, count, "min_val");
  check_buffer(quantizer.max_val, DType::float32, count, "max_val");
  const auto weight = static_cast<float>(quantizer.averaging_constant);
  const auto average = [&](float& running, float newest) {
    running = std::isinf(running) ? newest : running + weight * (newest - running);
  };
  for (std::int64_t i = 0; i < count; ++i) {
    average(quantizer.min_val.data<float>()[i], batch[static_cast<std::size_t>(i)].min);
    average(quantizer.max_val.data<float>()[i], batch[static_cast<std::size_t>(i)].max);
  }
}

void choose_moving_average_qparams(const MovingAverageFakeQuantizer& quantizer) {
  const UniformQParams& qparams = quantizer.qparams;
  const std::int64_t count = quantizer.min_val.numel();
  check_buffer(quantizer.max_val, DType::float32, count, "max_val");
  check_buffer(qparams.scale, DType::float32, count, "scale");
  check_buffer(qparams.zero_point, DType::int32, count, "zero_point");
  constexpr std::int64_t kLimit = std::int64_t{1} << 30;
  if (qparams.quant_min >= qparams.quant_max || qparams.quant_min < -kLimit || qparams.quant_max > kLimit)
    refuse("quant_min < quant_max, both within 2^30, expected, found " + std::to_string(qparams.quant_min) + " and " +
           std::to_string(qparams.quant_max));
  for (std::int64_t i = 0; i < count; ++i) {
    const float min = quantizer.min_val.data<float>()[i], max = quantizer.max_val.data<float>()[i];
    // Bounds that lie next to each other may cross as they are rounded: torch takes them, and 0 between them.
    const bool has_crossed = !(min <= max);
    if (has_crossed && !(std::isfinite(min) && std::isfinite(max)))
      refuse("no qparams: min " + std::to_string(min) + " is not <= max " + std::to_string(max) +
             "; was a NaN observed?");
    const Chosen chosen = choose_qparams(min, max, static_cast<std::int32_t>(qparams.quant_min),
                                         static_cast<std::int32_t>(qparams.quant_max), quantizer.is_symmetric);
    qparams.scale.data<float>()[i] = chosen.scale;
    qparams.zero_point.data<std::int32_t>()[i] = chosen.zero_point;
  }
}

}  // namespace qdq
