// Sums, tables and pools of one instruction set, in loops that the compiler vectorises: the including file defines QDQ_ISA and has
// included the header of its set. It may define functions of its own: QDQ_HAS_OWN_BINARY for add and multiply, QDQ_HAS_OWN_GELU for
// gelu, QDQ_HAS_OWN_FUNCTIONS for softmax, weigh and sum, QDQ_HAS_OWN_LOOK_UP for look_up. QDQ_WINOGRAD points to a kernel of that name.
#ifndef QDQ_WINOGRAD
#define QDQ_WINOGRAD nullptr
#endif

namespace qdq::runtime::int8::QDQ_ISA {
namespace {

#ifndef QDQ_HAS_OWN_BINARY
void add(std::uint8_t* out, const std::uint8_t* a, const std::uint8_t* b, std::int64_t n, const Addition& addition) {
  const Addition p = addition;
  for (std::int64_t i = 0; i < n; ++i) {
    const float right = __builtin_fmaf(static_cast<float>(b[i]), p.b_multiplier, p.offset);
    out[i] = to_byte(__builtin_fmaf(static_cast<float>(a[i]), p.a_multiplier, right), p.low, p.high);
  }
}

void multiply(std::uint8_t* out, const std::uint8_t* a, const std::uint8_t* b, std::int64_t n,
              const Multiplication& multiplication) {
  const Multiplication p = multiplication;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int32_t product = (a[i] - p.a_zero) * (b[i] - p.b_zero);
    out[i] = to_byte(__builtin_fmaf(static_cast<float>(product), p.multiplier, p.offset), p.low, p.high);
  }
}
#endif

template <typename Fn>
QDQ_INT8_INLINE void activate_with(std::uint8_t* out, std::int64_t out_stride, const float* values,
                                   std::int64_t value_stride, std::int64_t rows, std::int64_t columns,
                                   const ActivationRescale& rescale, Fn activation) {
  const ActivationRescale p = rescale;
  const float low = p.low - p.zero_point, high = p.high - p.zero_point;
  for (std::int64_t r = 0; r < rows; ++r, out += out_stride, values += value_stride)
    for (std::int64_t i = 0; i < columns; ++i) {
      const float level = round_half_even(clamp(activation(values[i]) * p.inverse_scale, low, high)) + p.zero_point;
      out[i] = static_cast<std::uint8_t>(static_cast<std::int32_t>(level));
    }
}

#ifndef QDQ_HAS_OWN_GELU
void gelu(std::uint8_t* out, std::int64_t out_stride, const float* values, std::int64_t value_stride, std::int64_t rows,
          std::int64_t columns, const ActivationRescale& rescale, const GeluTable& table) {
  activate_with(out, out_stride, values, value_stride, rows, columns, rescale,
                [&](float x) { return elementary::gelu_from(table, x); });
}
#endif

#define QDQ_ACTIVATE(expression) \
  return activate_with(out, out_stride, values, value_stride, rows, columns, p, [&](float x) { return expression; })

void activate(std::uint8_t* out, std::int64_t out_stride, const float* values, std::int64_t value_stride,
              std::int64_t rows, std::int64_t columns, const ActivationRescale& p) {
  using namespace elementary;
  using Kind = Activation::Kind;
  switch (p.activation.kind) {
    case Kind::relu: QDQ_ACTIVATE(relu(x));
    case Kind::clamp: QDQ_ACTIVATE(elementary::clamp(x, p.activation.alpha, p.activation.beta));
    case Kind::leaky_relu: QDQ_ACTIVATE(leaky_relu(x, p.activation.alpha));
    case Kind::hardswish: QDQ_ACTIVATE(hardswish(x));
    case Kind::hardsigmoid: QDQ_ACTIVATE(hardsigmoid(x));
    case Kind::sigmoid: QDQ_ACTIVATE(sigmoid_approx(x));
    case Kind::silu: QDQ_ACTIVATE(silu(x));
    case Kind::tanh: QDQ_ACTIVATE(tanh_approx(x));
    case Kind::gelu_erf: return gelu(out, out_stride, values, value_stride, rows, columns, p, kGeluErf);
    case Kind::gelu_tanh: return gelu(out, out_stride, values, value_stride, rows, columns, p, kGeluTanh);
  }
}

#undef QDQ_ACTIVATE

#ifndef QDQ_HAS_OWN_LOOK_UP
void look_up(std::uint8_t* out, const std::uint8_t* a, std::int64_t n, const std::uint8_t* table) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = table[a[i]];
}
#endif

void flip(std::uint8_t* out, const std::uint8_t* a, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = a[i] ^ std::uint8_t{0x80};
}

// A number of channels that the compiler knows becomes shuffles.
template <std::int64_t kChannels>
QDQ_INT8_INLINE void interleave_planes(std::uint8_t* __restrict out, const std::uint8_t* __restrict planes,
                                       std::int64_t plane_stride, std::int64_t pixels) {
  for (std::int64_t p = 0; p < pixels; ++p)
    for (std::int64_t c = 0; c < kChannels; ++c) out[p * kChannels + c] = planes[c * plane_stride + p];
}

void interleave(std::uint8_t* out, const std::uint8_t* planes, std::int64_t plane_stride, std::int64_t channels,
                std::int64_t pixels) {
  switch (channels) {
    case 2: return interleave_planes<2>(out, planes, plane_stride, pixels);
    case 3: return interleave_planes<3>(out, planes, plane_stride, pixels);
    case 4: return interleave_planes<4>(out, planes, plane_stride, pixels);
  }
  for (std::int64_t c = 0; c < channels; ++c)
    for (std::int64_t p = 0; p < pixels; ++p) out[p * channels + c] = planes[c * plane_stride + p];
}

void max(std::uint8_t* out, const std::uint8_t* const* rows, std::int64_t taps, std::int64_t channels) {
  constexpr std::int64_t kBlock = 64;
  for (std::int64_t c = 0; c < channels; c += kBlock) {
    const std::int64_t used = channels - c < kBlock ? channels - c : kBlock;
    std::uint8_t largest[kBlock] = {};
    for (std::int64_t t = 0; t < taps; ++t) {
      const std::uint8_t* row = rows[t] + c;
      if (used == kBlock)
        for (std::int64_t i = 0; i < kBlock; ++i) largest[i] = row[i] > largest[i] ? row[i] : largest[i];
      else
        for (std::int64_t i = 0; i < used; ++i) largest[i] = row[i] > largest[i] ? row[i] : largest[i];
    }
    for (std::int64_t i = 0; i < used; ++i) out[c + i] = largest[i];
  }
}

void average(std::uint8_t* out, const std::uint8_t* const* rows, std::int64_t taps, std::int64_t channels,
             std::int32_t start, float multiplier, float offset, float low, float high) {
  constexpr std::int64_t kBlock = 64;
  for (std::int64_t c = 0; c < channels; c += kBlock) {
    const std::int64_t used = channels - c < kBlock ? channels - c : kBlock;
    std::int32_t sums[kBlock];
    for (std::int32_t& sum : sums) sum = start;
    for (std::int64_t t = 0; t < taps; ++t) {
      const std::uint8_t* row = rows[t] + c;
      if (used == kBlock)
        for (std::int64_t i = 0; i < kBlock; ++i) sums[i] += row[i];
      else
        for (std::int64_t i = 0; i < used; ++i) sums[i] += row[i];
    }
    for (std::int64_t i = 0; i < used; ++i)
      out[c + i] = to_byte(__builtin_fmaf(static_cast<float>(sums[i]), multiplier, offset), low, high);
  }
}

// Columns whose elements lie side by side: groups of 4 bytes move together.
void pack_columns(std::int8_t* out, std::int32_t* sums, const std::uint8_t* b, std::int64_t depth, std::int64_t columns,
                  std::int64_t column_stride, std::int64_t width) {
  const std::int64_t quads = depth / 4;
  for (std::int64_t c = 0; c < columns; ++c) {
    const std::uint8_t* column = b + c * column_stride;
    for (std::int64_t q = 0; q < quads; ++q) {
      std::uint32_t four;
      __builtin_memcpy(&four, column + 4 * q, sizeof four);
      four ^= 0x80808080u;
      __builtin_memcpy(out + 4 * (q * width + c), &four, sizeof four);
    }
    std::int32_t sum = 0;
    for (std::int64_t k = 0; k < depth; ++k) sum += column[k];
    sums[c] += sum - static_cast<std::int32_t>(128 * depth);
    for (std::int64_t k = 4 * quads; k < depth; ++k)
      out[4 * (quads * width + c) + k % 4] = static_cast<std::int8_t>(column[k] ^ 0x80);
  }
}

// Rows whose elements lie side by side: 4 rows are interleaved.
void pack_rows(std::int8_t* out, std::int32_t* sums, const std::uint8_t* b, std::int64_t depth,
               std::int64_t depth_stride, std::int64_t columns, std::int64_t width) {
  for (std::int64_t k = 0; k < depth; k += 4, out += 4 * width) {
    const std::int64_t used = depth - k < 4 ? depth - k : 4;
    const std::uint8_t* row = b + k * depth_stride;
    if (used == 4) {
      const std::uint8_t *r0 = row, *r1 = row + depth_stride, *r2 = row + 2 * depth_stride,
                         *r3 = row + 3 * depth_stride;
      for (std::int64_t c = 0; c < columns; ++c) {
        const std::uint32_t four = (static_cast<std::uint32_t>(r0[c]) | static_cast<std::uint32_t>(r1[c]) << 8 |
                                    static_cast<std::uint32_t>(r2[c]) << 16 | static_cast<std::uint32_t>(r3[c]) << 24) ^
                                   0x80808080u;
        __builtin_memcpy(out + 4 * c, &four, sizeof four);
        sums[c] += r0[c] + r1[c] + r2[c] + r3[c] - 4 * 128;
      }
      continue;
    }
    for (std::int64_t i = 0; i < used; ++i)
      for (std::int64_t c = 0; c < columns; ++c) {
        out[4 * c + i] = static_cast<std::int8_t>(row[i * depth_stride + c] ^ 0x80);
        sums[c] += row[i * depth_stride + c] - 128;
      }
  }
}

void pack(std::int8_t* out, std::int32_t* sums, const std::uint8_t* b, std::int64_t depth, std::int64_t depth_stride,
          std::int64_t columns, std::int64_t column_stride, std::int64_t width) {
  const std::int64_t packed = (depth + 3) / 4 * 4;
  if (columns < width || packed != depth)
    for (std::int64_t i = 0; i < packed * width; ++i) out[i] = 0;
  if (depth_stride == 1) return pack_columns(out, sums, b, depth, columns, column_stride, width);
  if (column_stride == 1) return pack_rows(out, sums, b, depth, depth_stride, columns, width);
  for (std::int64_t k = 0; k < depth; ++k)
    for (std::int64_t c = 0; c < columns; ++c) {
      const std::uint8_t byte = b[k * depth_stride + c * column_stride];
      out[4 * (k / 4 * width + c) + k % 4] = static_cast<std::int8_t>(byte ^ 0x80);
      sums[c] += byte - 128;
    }
}

#ifndef QDQ_HAS_OWN_FUNCTIONS
std::int32_t sum(const std::uint8_t* a, std::int64_t n) {
  std::int32_t total = 0;
  for (std::int64_t i = 0; i < n; ++i) total += a[i];
  return total;
}
#endif

constexpr std::int64_t kLanes = 16;

void range(const float* a, std::int64_t n, float* low, float* high) {
  float least[kLanes], greatest[kLanes];
  std::int32_t nans[kLanes] = {};
  for (std::int64_t l = 0; l < kLanes; ++l) {
    least[l] = *low;
    greatest[l] = *high;
  }
  const auto widen = [&](std::int64_t l, float x) {
    least[l] = x < least[l] ? x : least[l];
    greatest[l] = x > greatest[l] ? x : greatest[l];
    nans[l] |= x != x;
  };
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (std::int64_t l = 0; l < kLanes; ++l) widen(l, a[i + l]);
  for (; i < n; ++i) widen(0, a[i]);
  for (std::int64_t l = 1; l < kLanes; ++l) {
    widen(0, least[l]);
    widen(0, greatest[l]);
    nans[0] |= nans[l];
  }
  *low = nans[0] ? __builtin_nanf("") : least[0];
  *high = nans[0] ? __builtin_nanf("") : greatest[0];
}

void quantize(std::uint8_t* out, const float* a, std::int64_t n, double inverse_scale, double zero_point, double low,
              double high) {
  constexpr double kNoFraction = 6755399441055744.0;  // 1.5 * 2^52
  for (std::int64_t i = 0; i < n; ++i) {
    double level = static_cast<double>(a[i]) * inverse_scale;
    level = level > low - zero_point ? level : low - zero_point;
    level = level < high - zero_point ? level : high - zero_point;
    out[i] = static_cast<std::uint8_t>(static_cast<std::int32_t>((level + kNoFraction) - kNoFraction + zero_point));
  }
}

#ifndef QDQ_HAS_OWN_FUNCTIONS
float largest_of(const float* values, std::int64_t n) {
  constexpr float kLowest = -__builtin_inff();
  float lanes[kLanes];
  for (float& lane : lanes) lane = kLowest;
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (std::int64_t l = 0; l < kLanes; ++l) lanes[l] = values[i + l] > lanes[l] ? values[i + l] : lanes[l];
  for (; i < n; ++i) lanes[0] = values[i] > lanes[0] ? values[i] : lanes[0];
  for (std::int64_t l = 1; l < kLanes; ++l) lanes[0] = lanes[l] > lanes[0] ? lanes[l] : lanes[0];
  return lanes[0];
}

void softmax_row(std::uint8_t* out, float* scores, const float* mask, std::int64_t n,
                 const ProbabilityRescale& rescale) {
  const ProbabilityRescale p = rescale;
  if (mask)
    for (std::int64_t i = 0; i < n; ++i) scores[i] += mask[i];
  const float top = largest_of(scores, n);
  float lanes[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (std::int64_t l = 0; l < kLanes; ++l) {
      scores[i + l] = elementary::exp_approx(scores[i + l] - top);
      lanes[l] += scores[i + l];
    }
  for (std::int64_t l = 0; i < n; ++i, ++l) {
    scores[i] = elementary::exp_approx(scores[i] - top);
    lanes[l] += scores[i];
  }
  for (std::int64_t apart = kLanes / 2; apart > 0; apart /= 2)
    for (std::int64_t l = 0; l < apart; ++l) lanes[l] += lanes[l + apart];
  const float factor = p.inverse_scale / lanes[0];
  const float low = p.low - p.zero_point, high = p.high - p.zero_point;
  for (i = 0; i < n; ++i) {
    float level = scores[i] * factor;
    level = level > low ? level : low;  // NaN becomes low
    level = level < high ? level : high;
    out[i] = static_cast<std::uint8_t>(static_cast<std::int32_t>(round_half_even(level) + p.zero_point));
  }
}

void softmax(std::uint8_t* out, std::int64_t out_stride, float* scores, std::int64_t score_stride,
             const float* const* masks, std::int64_t rows, std::int64_t n, const ProbabilityRescale& rescale) {
  for (std::int64_t r = 0; r < rows; ++r)
    softmax_row(out + r * out_stride, scores + r * score_stride, masks ? masks[r] : nullptr, n, rescale);
}

std::int32_t weigh_row(std::uint8_t* upper, std::uint8_t* lower, float* scores, const float* mask, std::int64_t n) {
  if (mask)
    for (std::int64_t i = 0; i < n; ++i) scores[i] += mask[i];
  const float top = largest_of(scores, n);
  for (std::int64_t i = 0; i < n; ++i) {
    float level = elementary::exp_approx(scores[i] - top) * kLargestWeight;
    level = level > 0.0f ? level : 0.0f;  // NaN becomes 0
    scores[i] = level < kLargestWeight ? level : kLargestWeight;
  }
  std::int32_t total = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const auto weight = static_cast<std::int32_t>(round_half_even(scores[i]));
    upper[i] = static_cast<std::uint8_t>(weight >> 8);
    lower[i] = static_cast<std::uint8_t>(weight);
    total += weight;
  }
  return total;
}

void weigh(std::uint8_t* upper, std::uint8_t* lower, std::int64_t out_stride, std::int32_t* totals, float* scores,
           std::int64_t score_stride, const float* const* masks, std::int64_t rows, std::int64_t n) {
  for (std::int64_t r = 0; r < rows; ++r)
    totals[r] = weigh_row(upper + r * out_stride, lower + r * out_stride, scores + r * score_stride,
                          masks ? masks[r] : nullptr, n);
}
#endif

void join(void* out, bool to_float, const float* upper, const float* lower, std::int64_t n,
          const WeightRescale& rescale) {
  const WeightRescale p = rescale;
  const auto value = [&](std::int64_t i) {
    return __builtin_fmaf(__builtin_fmaf(upper[i], 256.0f, lower[i]), p.multiplier, p.offset);
  };
  auto* floats = static_cast<float*>(out);
  auto* bytes = static_cast<std::uint8_t*>(out);
  if (to_float)
    for (std::int64_t i = 0; i < n; ++i) floats[i] = clamp(value(i), p.low, p.high);
  else
    for (std::int64_t i = 0; i < n; ++i) bytes[i] = to_byte(value(i), p.low, p.high);
}

}  // namespace

constinit const Kernels kKernels = {QDQ_ISA_NAME, kGemm,    &kDepthwise, QDQ_WINOGRAD, add,     multiply, activate,
                                    look_up,      flip,     interleave,  max,          average, pack,     sum,
                                    range,        quantize, softmax,     weigh,        join};

}  // namespace qdq::runtime::int8::QDQ_ISA
