#include "reference/integer.h"

#include <array>
#include <numeric>

#include "reference/eval.h"
#define QDQ_FMA(a, b, c) __builtin_fmaf(a, b, c)
#include "tensor/elementary.h"

namespace qdq::integer {
namespace {

using Three = std::array<std::int64_t, 3>;

// [N, C, spatial...] with up to 3 spatial dimensions as [N, C, D, H, W].
Three spatial(const Shape& sizes) {
  Three three = {1, 1, 1};
  for (std::size_t d = 2; d < sizes.size(); ++d) three[d + 3 - sizes.size()] = sizes[d];
  return three;
}

Three padded(const Shape& values, std::int64_t otherwise) {
  Three three;
  three.fill(otherwise);
  for (std::size_t d = 0; d < values.size(); ++d) three[d + 3 - values.size()] = values[d];
  return three;
}

std::int64_t volume(const Three& size) { return size[0] * size[1] * size[2]; }

// Calls fn(position, index in row-major order).
template <typename Fn>
void for_each_position(const Three& size, Fn&& fn) {
  std::int64_t index = 0;
  for (std::int64_t d = 0; d < size[0]; ++d)
    for (std::int64_t h = 0; h < size[1]; ++h)
      for (std::int64_t w = 0; w < size[2]; ++w) fn(Three{d, h, w}, index++);
}

bool inside(const Three& at, const Three& size) {
  for (std::size_t d = 0; d < 3; ++d)
    if (at[d] < 0 || at[d] >= size[d]) return false;
  return true;
}

std::int64_t index_in(const Three& at, const Three& size) { return (at[0] * size[1] + at[1]) * size[2] + at[2]; }

// The values as bytes, in row-major order.
std::vector<std::int32_t> bytes_of(const Tensor& values) {
  const std::int32_t shift = byte_shift(values.dtype());
  const Tensor wide = values.to(DType::int32).contiguous();
  std::vector<std::int32_t> bytes(wide.data<std::int32_t>(), wide.data<std::int32_t>() + wide.numel());
  for (std::int32_t& byte : bytes) byte += shift;
  return bytes;
}

std::vector<std::int32_t> distances_from_zero(const Quantized& quantized) {
  std::vector<std::int32_t> values = bytes_of(quantized.values);
  for (std::int32_t& value : values) value -= quantized.grid.zero_point;
  return values;
}

double channel_scale(const Weight& weight, std::int64_t channel) {
  const Tensor scales = weight.scales.contiguous();
  return static_cast<double>(scales.data<float>()[scales.numel() == 1 ? 0 : channel]);
}

float activated(const Activation& activation, float x) {
  using Kind = Activation::Kind;
  switch (activation.kind) {
    case Kind::relu: return elementary::relu(x);
    case Kind::clamp: return elementary::clamp(x, activation.alpha, activation.beta);
    case Kind::leaky_relu: return elementary::leaky_relu(x, activation.alpha);
    case Kind::hardswish: return elementary::hardswish(x);
    case Kind::hardsigmoid: return elementary::hardsigmoid(x);
    case Kind::sigmoid: return elementary::sigmoid_approx(x);
    case Kind::silu: return elementary::silu(x);
    case Kind::tanh: return elementary::tanh_approx(x);
    case Kind::gelu_erf: return elementary::gelu_from(kGeluErf, x);
    case Kind::gelu_tanh: return elementary::gelu_from(kGeluTanh, x);
  }
  throw InternalError("an activation without a formula");
}

// Turns sums into elements of the result, by output channel.
class Writer {
 public:
  Writer(const Result& result, const Shape& sizes, double input_scale, const std::optional<Quantized>& residual)
      : result_(result), out_(Tensor::empty(result.dtype, sizes)), input_scale_(input_scale) {
    if (!residual) return;
    residual_ = bytes_of(residual->values);
    residual_grid_ = residual->grid;
  }

  void write(std::int64_t index, std::int32_t sum, double weight_scale, double bias) {
    if (result_.dtype == DType::float32) {
      const float value = rescale(sum, static_cast<float>(input_scale_ * weight_scale), static_cast<float>(bias));
      out_.data<float>()[index] =
          std::clamp(value, static_cast<float>(result_.bounds.low), static_cast<float>(result_.bounds.high));
      return;
    }
    if (result_.activation) {
      const float value = rescale(sum, static_cast<float>(input_scale_ * weight_scale), static_cast<float>(bias));
      write_byte(index, activated_byte(activated(*result_.activation, value), result_.grid));
      return;
    }
    const float multiplier = product_multiplier(input_scale_, weight_scale, result_.grid);
    float value = 0;
    if (residual_grid_) {
      value = rescale(sum, multiplier, bias_offset(bias, *residual_grid_, result_.grid));
      value =
          rescale(residual_[static_cast<std::size_t>(index)], summand_multiplier(*residual_grid_, result_.grid), value);
    } else {
      value = rescale(sum, multiplier, bias_offset(bias, result_.grid));
    }
    write_byte(index,
               to_byte(value, low_level(result_.bounds, result_.grid), high_level(result_.bounds, result_.grid)));
  }

  // A sum whose scale is in the multiplier.
  void write_joined(std::int64_t index, float sum, float multiplier) {
    if (result_.dtype == DType::float32) {
      out_.data<float>()[index] = std::fma(sum, multiplier, 0.0f);
      return;
    }
    const float value = std::fma(sum, multiplier, static_cast<float>(result_.grid.zero_point));
    write_byte(index,
               to_byte(value, low_level(result_.bounds, result_.grid), high_level(result_.bounds, result_.grid)));
  }

  void write_byte(std::int64_t index, std::uint8_t byte) {
    if (result_.dtype == DType::int8)
      out_.data<std::int8_t>()[index] = static_cast<std::int8_t>(byte - 128);
    else
      out_.data<std::uint8_t>()[index] = byte;
  }

  const Tensor& result() const { return out_; }

 private:
  Result result_;
  Tensor out_;
  double input_scale_;
  std::vector<std::int32_t> residual_;
  std::optional<Grid> residual_grid_;
};

}  // namespace

Tensor convolution(const Quantized& input, const Weight& weight, const Tensor& bias, const ConvParams& params,
                   const Shape& out_sizes, const Result& result, const std::optional<Quantized>& residual) {
  const std::vector<std::int32_t> x = distances_from_zero(input);  // 0 beyond the input: it holds the zero point there
  const std::vector<std::int32_t> w = bytes_of(weight.values.to(DType::int32));
  const Three in_size = spatial(input.values.sizes());
  const Three kernel = spatial(weight.values.sizes());
  const Three out_size = spatial(out_sizes);
  const Three stride = padded(params.stride, 1), padding = padded(params.padding, 0),
              dilation = padded(params.dilation, 1);
  const std::int64_t in_channels = input.values.size(1), out_channels = out_sizes[1];
  const std::int64_t group_in = in_channels / params.groups, group_out = out_channels / params.groups;
  const Tensor biases = bias.defined() ? bias.contiguous() : bias;
  Writer writer(result, out_sizes, input.grid.scale, residual);
  for (std::int64_t n = 0; n < out_sizes[0]; ++n)
    for (std::int64_t o = 0; o < out_channels; ++o)
      for_each_position(out_size, [&](const Three& out, std::int64_t out_index) {
        std::int32_t sum = 0;
        for (std::int64_t c = 0; c < group_in; ++c) {
          const std::int64_t channel = o / group_out * group_in + c;
          for_each_position(kernel, [&](const Three& tap, std::int64_t tap_index) {
            Three in;
            for (std::size_t d = 0; d < 3; ++d) {
              if (!params.transposed) {
                in[d] = out[d] * stride[d] - padding[d] + tap[d] * dilation[d];
                continue;
              }
              const std::int64_t spread = out[d] + padding[d] - tap[d] * dilation[d];  // in * stride lands here
              in[d] = spread % stride[d] == 0 ? spread / stride[d] : -1;
            }
            if (!inside(in, in_size)) return;
            const std::int64_t row = params.transposed ? channel * group_out + o % group_out : o * group_in + c;
            sum += x[static_cast<std::size_t>((n * in_channels + channel) * volume(in_size) + index_in(in, in_size))] *
                   w[static_cast<std::size_t>(row * volume(kernel) + tap_index)];
          });
        }
        writer.write((n * out_channels + o) * volume(out_size) + out_index, sum, channel_scale(weight, o),
                     biases.defined() ? static_cast<double>(biases.data<float>()[o]) : 0.0);
      });
  return writer.result();
}

Tensor linear(const Quantized& input, const Weight& weight, const Tensor& bias, const Result& result,
              const std::optional<Quantized>& residual) {
  const std::int64_t depth = weight.values.size(1), columns = weight.values.size(0);
  const std::vector<std::int32_t> x = distances_from_zero(input);
  const std::vector<std::int32_t> w = bytes_of(weight.values.to(DType::int32));
  const Tensor biases = bias.defined() ? bias.contiguous() : bias;
  Shape sizes = input.values.sizes();
  sizes.back() = columns;
  Writer writer(result, sizes, input.grid.scale, residual);
  for (std::int64_t m = 0; m < numel(sizes) / columns; ++m)
    for (std::int64_t o = 0; o < columns; ++o) {
      std::int32_t sum = 0;
      for (std::int64_t k = 0; k < depth; ++k)
        sum += x[static_cast<std::size_t>(m * depth + k)] * w[static_cast<std::size_t>(o * depth + k)];
      writer.write(m * columns + o, sum, channel_scale(weight, o),
                   biases.defined() ? static_cast<double>(biases.data<float>()[o]) : 0.0);
    }
  return writer.result();
}

Tensor matmul(const Quantized& a, const Quantized& b, const Result& result) {
  const std::int64_t rows = a.values.size(-2), depth = a.values.size(-1), columns = b.values.size(-1);
  const std::vector<std::int32_t> left = distances_from_zero(a), right = distances_from_zero(b);
  Shape sizes = a.values.sizes();
  sizes.back() = columns;
  Writer writer(result, sizes, a.grid.scale, {});
  for (std::int64_t i = 0; i < numel(sizes); ++i) {
    const std::int64_t n = i % columns, m = i / columns % rows, batch = i / (columns * rows);
    std::int32_t sum = 0;
    for (std::int64_t k = 0; k < depth; ++k)
      sum += left[static_cast<std::size_t>((batch * rows + m) * depth + k)] *
             right[static_cast<std::size_t>((batch * depth + k) * columns + n)];
    writer.write(i, sum, b.grid.scale, 0.0);
  }
  return writer.result();
}

Tensor softmax(const Tensor& scores, DType dtype, const Grid& grid) {
  constexpr std::size_t kLanes = 16;
  const std::int64_t n = scores.size(-1);
  const Tensor rows = scores.contiguous();
  Writer writer({dtype, grid, {}}, scores.sizes(), 1.0, {});
  for (std::int64_t row = 0; row < scores.numel() / n; ++row) {
    const float* score = rows.data<float>() + row * n;
    const float top = *std::max_element(score, score + n);
    std::vector<float> e;
    std::array<float, kLanes> lanes = {};
    for (std::int64_t i = 0; i < n; ++i) {
      e.push_back(elementary::exp_approx(score[i] - top));
      lanes[static_cast<std::size_t>(i) % kLanes] += e.back();
    }
    for (std::size_t apart = kLanes / 2; apart > 0; apart /= 2)
      for (std::size_t l = 0; l < apart; ++l) lanes[l] += lanes[l + apart];
    const float factor = inverse_scale(grid.scale) / lanes[0];
    for (std::int64_t i = 0; i < n; ++i) {
      const auto zero_point = static_cast<float>(grid.zero_point), low = static_cast<float>(grid.low) - zero_point;
      float level = e[static_cast<std::size_t>(i)] * factor;
      level = std::min(level > low ? level : low, static_cast<float>(grid.high) - zero_point);
      writer.write_byte(row * n + i, static_cast<std::uint8_t>(round_half_even(level) + zero_point));
    }
  }
  return writer.result();
}

Tensor attention(const Quantized& query, const Quantized& key, const Quantized& value, double scale, const Tensor& mask,
                 const Result& probabilities, const Result& result) {
  Quantized scaled = query;
  scaled.grid.scale *= scale;
  Result to_float;
  to_float.dtype = DType::float32;
  const Tensor scores = matmul(scaled, key, to_float);
  const Tensor added = mask.defined() ? mask.contiguous() : mask;
  if (mask.defined())
    for (std::int64_t i = 0; i < scores.numel(); ++i) scores.data<float>()[i] += added.data<float>()[i];
  const Quantized weights = {softmax(scores, probabilities.dtype, probabilities.grid), probabilities.grid};
  return matmul(weights, value, result);
}

namespace {

// round(65535 * exp(score - the largest one)) of each score; zeros where none is above -infinity.
std::vector<std::int32_t> weights_of(const std::vector<float>& scores) {
  constexpr float kLargest = 65535.0f;
  const float top = *std::max_element(scores.begin(), scores.end());
  std::vector<std::int32_t> weights;
  for (const float score : scores) {
    const float level = elementary::exp_approx(score - top) * kLargest;
    weights.push_back(std::isnan(level) ? 0 : static_cast<std::int32_t>(round_half_even(std::min(level, kLargest))));
  }
  return weights;
}

}  // namespace

Tensor scaled_dot_product_attention(const Quantized& query, const Quantized& key, const Quantized& value, double scale,
                                    const Tensor& mask, bool causal, const Result& result) {
  const std::vector<std::int32_t> q = distances_from_zero(query), k = distances_from_zero(key),
                                  v = distances_from_zero(value);
  const std::int64_t heads = query.values.size(1), per_key_head = heads / key.values.size(1);
  const std::int64_t rows = query.values.size(2), depth = query.values.size(3), keys = key.values.size(2),
                     width = value.values.size(3);
  const Tensor added = mask.defined() ? mask.contiguous() : mask;
  const auto score_multiplier = static_cast<float>(query.grid.scale * scale * key.grid.scale);
  const bool to_float = result.dtype == DType::float32;
  const auto multiplier = to_float ? static_cast<float>(value.grid.scale) : summand_multiplier(value.grid, result.grid);
  Writer writer(result, {query.values.size(0), heads, rows, width}, 1.0, {});
  for (std::int64_t row = 0; row < query.values.size(0) * heads * rows; ++row) {
    const std::int64_t key_head = row / rows / per_key_head;
    std::vector<float> scores;
    for (std::int64_t n = 0; n < (causal ? std::min(keys, row % rows + 1) : keys); ++n) {
      std::int32_t sum = 0;
      for (std::int64_t d = 0; d < depth; ++d)
        sum += q[static_cast<std::size_t>(row * depth + d)] *
               k[static_cast<std::size_t>((key_head * keys + n) * depth + d)];
      scores.push_back(rescale(sum, score_multiplier, 0.0f));
      if (mask.defined()) scores.back() += added.data<float>()[row * keys + n];
    }
    const std::vector<std::int32_t> weights = weights_of(scores);
    const std::int32_t total = std::accumulate(weights.begin(), weights.end(), std::int32_t{0});
    for (std::int64_t f = 0; f < width; ++f) {
      std::int32_t upper = 0, lower = 0;
      for (std::size_t n = 0; n < weights.size(); ++n) {
        const std::int32_t distance =
            v[static_cast<std::size_t>((key_head * keys + static_cast<std::int64_t>(n)) * width + f)];
        upper += (weights[n] >> 8) * distance;
        lower += (weights[n] & 255) * distance;
      }
      const float joined = std::fma(static_cast<float>(upper), 256.0f, static_cast<float>(lower));
      writer.write_joined(row * width + f, joined, total == 0 ? 0.0f : multiplier / static_cast<float>(total));
    }
  }
  return writer.result();
}

namespace {

// Calls fn(index of the result, index in a, index in b), all in row-major order.
template <typename Fn>
void for_each_pair(const Shape& a, const Shape& b, const Shape& sizes, Fn&& fn) {
  const auto index_in = [&](const Shape& operand, std::int64_t index) {
    std::int64_t at = 0, stride = 1;
    for (std::size_t d = operand.size(), rank = sizes.size(); d-- > 0; index /= sizes[--rank], stride *= operand[d])
      if (operand[d] != 1) at += index % sizes[rank - 1] * stride;
    return static_cast<std::size_t>(at);
  };
  for (std::int64_t i = 0; i < numel(sizes); ++i) fn(i, index_in(a, i), index_in(b, i));
}

}  // namespace

Tensor add(const Quantized& a, const Quantized& b, const Shape& sizes, const Result& result) {
  const std::vector<std::int32_t> left = bytes_of(a.values), right = bytes_of(b.values);
  Writer writer(result, sizes, 1.0, {});
  const float offset = addition_offset(a.grid, b.grid, result.grid);
  for_each_pair(a.values.sizes(), b.values.sizes(), sizes, [&](std::int64_t i, std::size_t l, std::size_t r) {
    float value = rescale(right[r], summand_multiplier(b.grid, result.grid), offset);
    value = rescale(left[l], summand_multiplier(a.grid, result.grid), value);
    writer.write_byte(i, to_byte(value, low_level(result.bounds, result.grid), high_level(result.bounds, result.grid)));
  });
  return writer.result();
}

Tensor multiply(const Quantized& a, const Quantized& b, const Shape& sizes, const Result& result) {
  const std::vector<std::int32_t> left = distances_from_zero(a), right = distances_from_zero(b);
  Writer writer(result, sizes, a.grid.scale, {});
  for_each_pair(a.values.sizes(), b.values.sizes(), sizes, [&](std::int64_t i, std::size_t l, std::size_t r) {
    writer.write(i, left[l] * right[r], b.grid.scale, 0.0);
  });
  return writer.result();
}

namespace {

// Calls fn(index of the result, values of its window that lie inside, places of the window that lie inside of the padded input).
template <typename Fn>
void for_each_window(const std::vector<std::int32_t>& x, const Shape& in_sizes, const PoolParams& params,
                     const Shape& out_sizes, Fn&& fn) {
  const Three in_size = spatial(in_sizes), out_size = spatial(out_sizes);
  const Three kernel = padded(params.kernel, 1), stride = padded(params.stride, 1);
  const Three padding = padded(params.padding, 0), dilation = padded(params.dilation, 1);
  for (std::int64_t plane = 0; plane < out_sizes[0] * out_sizes[1]; ++plane)
    for_each_position(out_size, [&](const Three& out, std::int64_t index) {
      std::vector<std::int32_t> values;
      std::int64_t places = 0;
      for_each_position(kernel, [&](const Three& tap, std::int64_t) {
        Three in;
        bool counts = true;  // in ceil mode a window may reach beyond the padding
        for (std::size_t d = 0; d < 3; ++d) {
          in[d] = out[d] * stride[d] - padding[d] + tap[d] * dilation[d];
          counts &= in[d] < in_size[d] + padding[d];
        }
        places += counts;
        if (inside(in, in_size))
          values.push_back(x[static_cast<std::size_t>(plane * volume(in_size) + index_in(in, in_size))]);
      });
      fn(plane * volume(out_size) + index, values, places);
    });
}

}  // namespace

Tensor max_pool(const Quantized& input, const PoolParams& params, const Shape& out_sizes) {
  Writer writer({input.values.dtype(), input.grid, {}}, out_sizes, 1.0, {});
  for_each_window(bytes_of(input.values), input.values.sizes(), params, out_sizes,
                  [&](std::int64_t index, const std::vector<std::int32_t>& values, std::int64_t) {
                    const std::int32_t largest = *std::max_element(values.begin(), values.end());
                    writer.write_byte(index, static_cast<std::uint8_t>(largest));
                  });
  return writer.result();
}

Tensor average_pool(const Quantized& input, const PoolParams& params, bool count_include_pad, const Shape& out_sizes,
                    const Result& result) {
  Writer writer(result, out_sizes, 1.0, {});
  for_each_window(distances_from_zero(input), input.values.sizes(), params, out_sizes,
                  [&](std::int64_t index, const std::vector<std::int32_t>& values, std::int64_t places) {
                    std::int32_t sum = 0;
                    for (const std::int32_t value : values) sum += value;
                    const auto count = count_include_pad ? places : static_cast<std::int64_t>(values.size());
                    const float value = rescale(sum, average_multiplier(input.grid, count, result.grid),
                                                static_cast<float>(result.grid.zero_point));
                    writer.write_byte(index, to_byte(value, low_level(result.bounds, result.grid),
                                                     high_level(result.bounds, result.grid)));
                  });
  return writer.result();
}

}  // namespace qdq::integer
