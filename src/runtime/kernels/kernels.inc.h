// The kernels of one instruction set: the including file defines QDQ_ISA. No standard library in here: an inline function
// compiled for AVX-512 must not become the one copy that the linker keeps.
#include "runtime/kernels/kernels.h"
#include "tensor/elementary.h"

#define QDQ_STRING_(x) #x
#define QDQ_STRING(x) QDQ_STRING_(x)

namespace qdq::runtime::QDQ_ISA {
namespace {

using namespace elementary;
using std::int32_t;
using std::int64_t;
using std::int8_t;
using std::uint8_t;

// Sixteen lanes on every instruction set, so that sums have the same order everywhere.
typedef float Lanes __attribute__((vector_size(64)));
constexpr int64_t kLanes = 16;

QDQ_INLINE void load(Lanes& lanes, const float* from) { __builtin_memcpy(&lanes, from, sizeof lanes); }

QDQ_INLINE float sum_lanes(const Lanes& v) {
  float part[8];
  for (int i = 0; i < 8; ++i) part[i] = v[i] + v[i + 8];
  for (int i = 0; i < 4; ++i) part[i] += part[i + 4];
  return (part[0] + part[2]) + (part[1] + part[3]);
}

// The sum over i of f(a[i]), in 4 x 16 lanes.
template <typename Fn>
QDQ_INLINE float sum_of(const float* a, int64_t n, Fn f) {
  Lanes s0 = {}, s1 = {}, s2 = {}, s3 = {};
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    Lanes v0, v1, v2, v3;
    load(v0, a + i);
    load(v1, a + i + kLanes);
    load(v2, a + i + 2 * kLanes);
    load(v3, a + i + 3 * kLanes);
    s0 += f(v0);
    s1 += f(v1);
    s2 += f(v2);
    s3 += f(v3);
  }
  for (; i + kLanes <= n; i += kLanes) {
    Lanes v;
    load(v, a + i);
    s0 += f(v);
  }
  float rest = 0.0f;
  for (; i < n; ++i) rest += f(a[i]);
  const Lanes total = (s0 + s1) + (s2 + s3);
  return sum_lanes(total) + rest;
}

struct Identity {
  QDQ_INLINE_MEMBER Lanes operator()(const Lanes& v) const { return v; }
  QDQ_INLINE_MEMBER float operator()(float v) const { return v; }
};

struct SquaredDistance {
  float from;
  QDQ_INLINE_MEMBER Lanes operator()(const Lanes& v) const { return (v - from) * (v - from); }
  QDQ_INLINE_MEMBER float operator()(float v) const { return (v - from) * (v - from); }
};

float sum(const float* a, int64_t n) { return sum_of(a, n, Identity{}); }

float maximum_of(const float* a, int64_t n) {
  float lanes[16];
  for (float& lane : lanes) lane = a[0];
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int64_t l = 0; l < kLanes; ++l) lanes[l] = a[i + l] > lanes[l] ? a[i + l] : lanes[l];
  float best = lanes[0];
  for (float lane : lanes) best = lane > best ? lane : best;
  for (; i < n; ++i) best = a[i] > best ? a[i] : best;
  return best;
}

// An element at -inf - -inf (a row that is masked entirely) gives NaN, as torch does.
void softmax(float* out, const float* a, int64_t n) {
  const float top = maximum_of(a, n);
  for (int64_t i = 0; i < n; ++i) out[i] = exp_approx(a[i] - top);
  const float scale = 1.0f / sum(out, n);
  for (int64_t i = 0; i < n; ++i) out[i] *= scale;
}

void log_softmax(float* out, const float* a, int64_t n) {
  const float top = maximum_of(a, n);
  constexpr int64_t kBlock = 256;
  float block[kBlock];
  double total = 0.0;
  for (int64_t start = 0; start < n; start += kBlock) {
    const int64_t count = n - start < kBlock ? n - start : kBlock;
    for (int64_t i = 0; i < count; ++i) block[i] = exp_approx(a[start + i] - top);
    total += static_cast<double>(sum(block, count));
  }
  const float shift = static_cast<float>(__builtin_log(total));
  for (int64_t i = 0; i < n; ++i) out[i] = a[i] - top - shift;
}

void layer_norm(float* out, const float* a, const float* gamma, const float* beta, int64_t n, float eps) {
  const float mean = sum(a, n) / static_cast<float>(n);
  const float variance = sum_of(a, n, SquaredDistance{mean}) / static_cast<float>(n);
  const float rstd = 1.0f / __builtin_sqrtf(variance + eps);
  if (gamma && beta) {
    for (int64_t i = 0; i < n; ++i) out[i] = (a[i] - mean) * rstd * gamma[i] + beta[i];
  } else {
    for (int64_t i = 0; i < n; ++i) out[i] = (a[i] - mean) * rstd * (gamma ? gamma[i] : 1.0f) + (beta ? beta[i] : 0.0f);
  }
}

void scale_shift(float* out, const float* a, const float* scale, const float* shift, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = a[i] * scale[i] + shift[i];
}

#define QDQ_LOOP(expression)        \
  for (int64_t i = 0; i < n; ++i) { \
    const float x = a[i];           \
    out[i] = (expression);          \
  }                                 \
  return

void activate(const Activation& activation, float* out, const float* a, int64_t n) {
  using Kind = Activation::Kind;
  const float alpha = activation.alpha, beta = activation.beta;
  switch (activation.kind) {
    case Kind::relu: QDQ_LOOP(relu(x));
    case Kind::clamp: QDQ_LOOP(clamp(x, alpha, beta));
    case Kind::leaky_relu: QDQ_LOOP(leaky_relu(x, alpha));
    case Kind::hardswish: QDQ_LOOP(hardswish(x));
    case Kind::hardsigmoid: QDQ_LOOP(hardsigmoid(x));
    case Kind::sigmoid: QDQ_LOOP(sigmoid_approx(x));
    case Kind::silu: QDQ_LOOP(silu(x));
    case Kind::tanh: QDQ_LOOP(tanh_approx(x));
    case Kind::gelu_erf: QDQ_LOOP(gelu_erf(x));
    case Kind::gelu_tanh: QDQ_LOOP(gelu_tanh(x));
  }
}

void unary(UnaryOp op, float* out, const float* a, int64_t n) {
  switch (op) {
    case UnaryOp::exp: QDQ_LOOP(exp_approx(x));
    case UnaryOp::erf: QDQ_LOOP(erf_approx(x));
    case UnaryOp::neg: QDQ_LOOP(-x);
    case UnaryOp::abs: QDQ_LOOP(__builtin_fabsf(x));
    case UnaryOp::sqrt: QDQ_LOOP(__builtin_sqrtf(x));
    case UnaryOp::rsqrt: QDQ_LOOP(1.0f / __builtin_sqrtf(x));
    case UnaryOp::reciprocal: QDQ_LOOP(1.0f / x);
    case UnaryOp::square: QDQ_LOOP(x * x);
  }
}
#undef QDQ_LOOP

// One loop per combination of steps: the compiler must see constants.
template <typename Fn>
QDQ_INLINE void binary_loop(float* out, const float* a, int64_t a_step, const float* b, int64_t b_step, int64_t n,
                            Fn f) {
  if (a_step == 1 && b_step == 1) {
    for (int64_t i = 0; i < n; ++i) out[i] = f(a[i], b[i]);
  } else if (a_step == 1) {
    const float y = b[0];
    for (int64_t i = 0; i < n; ++i) out[i] = f(a[i], y);
  } else if (b_step == 1) {
    const float x = a[0];
    for (int64_t i = 0; i < n; ++i) out[i] = f(x, b[i]);
  } else {
    const float value = f(a[0], b[0]);
    for (int64_t i = 0; i < n; ++i) out[i] = value;
  }
}

void binary(BinaryOp op, float* out, const float* a, int64_t a_step, const float* b, int64_t b_step, int64_t n,
            float alpha) {
  const auto loop = [&](auto f) __attribute__((always_inline)) { binary_loop(out, a, a_step, b, b_step, n, f); };
  switch (op) {
    case BinaryOp::add:
      if (alpha == 1.0f) return loop([](float x, float y) { return x + y; });
      return loop([alpha](float x, float y) { return x + alpha * y; });
    case BinaryOp::sub: return loop([alpha](float x, float y) { return x - alpha * y; });
    case BinaryOp::mul: return loop([](float x, float y) { return x * y; });
    case BinaryOp::div: return loop([](float x, float y) { return x / y; });
    case BinaryOp::maximum: return loop([](float x, float y) { return x != x ? x : x > y ? x : y; });
    case BinaryOp::minimum: return loop([](float x, float y) { return x != x ? x : x < y ? x : y; });
  }
}

// out[c] = start[c] + src[0][c] * weight[0][c] + ... for a number of taps that the compiler knows; start may be out.
template <int kTaps>
QDQ_INLINE void add_taps(float* out, const float* start, const float* const* src, const float* const* weight,
                         int64_t channels) {
  const float* s[9];
  const float* w[9];
  for (int t = 0; t < kTaps; ++t) {
    s[t] = src[t];
    w[t] = weight[t];
  }
#pragma GCC ivdep
  for (int64_t c = 0; c < channels; ++c) {
    float sum = start ? start[c] : 0.0f;
#pragma GCC unroll 9
    for (int t = 0; t < kTaps; ++t) sum = QDQ_FMA(s[t][c], w[t][c], sum);
    out[c] = sum;
  }
}

void depthwise(float* out, const float* bias, const float* const* src, const float* const* weight, int64_t taps,
               int64_t channels) {
  const float* start = bias;
  int64_t t = 0;
  for (; t + 9 <= taps; t += 9, start = out) add_taps<9>(out, start, src + t, weight + t, channels);
  for (; t + 2 <= taps; t += 2, start = out) add_taps<2>(out, start, src + t, weight + t, channels);
  if (t < taps) add_taps<1>(out, start, src + t, weight + t, channels);
  if (taps == 0) add_taps<0>(out, start, src, weight, channels);
}

template <typename T>
QDQ_INLINE void quantize(T* out, const float* a, int64_t n, float inverse_scale, int32_t zero_point, float quant_min,
                         float quant_max) {
  const float zero = static_cast<float>(zero_point);
  for (int64_t i = 0; i < n; ++i) {
    float v = a[i] * inverse_scale;
    v = v < -4194304.0f ? -4194304.0f : v;  // beyond any quant_min: keeps the rounding below in range
    v = v > 4194303.0f ? 4194303.0f : v;
    v = (v + kRoundMagic) - kRoundMagic + zero;
    v = v < quant_min ? quant_min : v;
    v = v > quant_max ? quant_max : v;
    out[i] = static_cast<T>(v == v ? static_cast<int32_t>(v) : 0);  // torch's cast makes NaN zero
  }
}

void quantize_u8(uint8_t* out, const float* a, int64_t n, float inverse_scale, int32_t zero_point, float quant_min,
                 float quant_max) {
  quantize(out, a, n, inverse_scale, zero_point, quant_min, quant_max);
}
void quantize_i8(int8_t* out, const float* a, int64_t n, float inverse_scale, int32_t zero_point, float quant_min,
                 float quant_max) {
  quantize(out, a, n, inverse_scale, zero_point, quant_min, quant_max);
}

template <typename T>
QDQ_INLINE void dequantize(float* out, const T* a, int64_t n, float scale, int32_t zero_point) {
  for (int64_t i = 0; i < n; ++i) out[i] = static_cast<float>(static_cast<int32_t>(a[i]) - zero_point) * scale;
}

void dequantize_u8(float* out, const uint8_t* a, int64_t n, float scale, int32_t zero_point) {
  dequantize(out, a, n, scale, zero_point);
}
void dequantize_i8(float* out, const int8_t* a, int64_t n, float scale, int32_t zero_point) {
  dequantize(out, a, n, scale, zero_point);
}

void dequantize_groups(float* out, const int8_t* a, const float* scale, const float* zero_point, int64_t groups,
                       int64_t group) {
  for (int64_t g = 0; g < groups; ++g, a += group, out += group) {
    const float s = scale[g], z = zero_point ? zero_point[g] : 0.0f;
    for (int64_t i = 0; i < group; ++i) out[i] = (static_cast<float>(a[i]) - z) * s;
  }
}

float dot_groups(const float* x, const int8_t* a, const float* scale, const float* zero_point, int64_t groups,
                 int64_t group) {
  constexpr int64_t kAtOnce = 2 * kLanes;
  float total[kAtOnce] = {};
  float rest = 0.0f;
  for (int64_t g = 0; g < groups; ++g, a += group, x += group) {
    const float s = scale[g], z = zero_point ? zero_point[g] : 0.0f;
    float part[kAtOnce] = {};
    float part_rest = 0.0f;
    int64_t i = 0;
    for (; i + kAtOnce <= group; i += kAtOnce)
      for (int64_t l = 0; l < kAtOnce; ++l) part[l] = QDQ_FMA(x[i + l], static_cast<float>(a[i + l]) - z, part[l]);
    for (; i < group; ++i) part_rest += x[i] * (static_cast<float>(a[i]) - z);
    for (int64_t l = 0; l < kAtOnce; ++l) total[l] = QDQ_FMA(part[l], s, total[l]);
    rest += part_rest * s;
  }
  Lanes low, high;
  load(low, total);
  load(high, total + kLanes);
  const Lanes lanes = low + high;
  return sum_lanes(lanes) + rest;
}

}  // namespace

extern const Kernels kKernels;
const Kernels kKernels = {QDQ_STRING(QDQ_ISA), activate,    unary,         binary,        softmax,
                          log_softmax,         layer_norm,  sum,           scale_shift,   depthwise,
                          quantize_u8,         quantize_i8, dequantize_u8, dequantize_i8, dequantize_groups,
                          dot_groups};

}  // namespace qdq::runtime::QDQ_ISA
