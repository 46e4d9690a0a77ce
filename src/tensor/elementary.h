#pragma once
// Elementary functions for loops that the compiler vectorises: no branches, no calls. Included once per instruction set;
// internal linkage throughout, so that no set's code is picked for another. A file that wants the same bits from every set, like
// the integer engine and its reference, defines QDQ_FMA as __builtin_fmaf first; for others it is whatever is fast.
#include <cstdint>

#include "tensor/gelu_tables.h"

#ifdef QDQ_FMA
#elif defined(__FMA__)
#define QDQ_FMA(a, b, c) __builtin_fmaf(a, b, c)
#else
#define QDQ_FMA(a, b, c) ((a) * (b) + (c))
#endif
#define QDQ_INLINE static inline __attribute__((always_inline))
#define QDQ_INLINE_MEMBER inline __attribute__((always_inline))

namespace qdq::elementary {

// 1.5 * 2^23: adding and subtracting it rounds |x| < 2^22 to an integer, ties to even.
static constexpr float kRoundMagic = 12582912.0f;

QDQ_INLINE float bits_to_float(std::int32_t bits) { return __builtin_bit_cast(float, bits); }
QDQ_INLINE std::int32_t float_to_bits(float value) { return __builtin_bit_cast(std::int32_t, value); }

// e^x, about 1 ulp: x = n ln 2 + r, |r| <= ln2 / 2, polynomial in r (minimax fit, relative error 2e-9), scaled by 2^n in two
// steps so that denormal results round correctly.
QDQ_INLINE float exp_approx(float x) {
  x = x > 89.0f ? 89.0f : x;
  x = x < -104.0f ? -104.0f : x;
  const float shifted = QDQ_FMA(x, 1.44269504f, kRoundMagic);
  const float n = shifted - kRoundMagic;
  float r = QDQ_FMA(n, -0.693145751953125f, x);  // ln 2 in two parts; n times the first is exact
  r = QDQ_FMA(n, -1.42860677e-06f, r);
  float p = 1.383673796e-03f;
  p = QDQ_FMA(p, r, 8.374898340e-03f);
  p = QDQ_FMA(p, r, 4.166823187e-02f);
  p = QDQ_FMA(p, r, 1.666641919e-01f);
  p = QDQ_FMA(p, r, 4.999999203e-01f);
  p = QDQ_FMA(p, r, 1.000000037e+00f);
  p = QDQ_FMA(p, r, 1.0f);
  const std::int32_t k = float_to_bits(shifted) - float_to_bits(kRoundMagic);
  const std::int32_t half = k >> 1;
  const float scale_low = bits_to_float((half + 127) << 23);
  const float scale_high = bits_to_float((k - half + 127) << 23);
  return p * scale_low * scale_high;
}

// erf: odd polynomial below 1 (minimax fit, relative error 1e-9), 1 - exp(-polynomial) above (fit of -log erfc on [1, 4]).
QDQ_INLINE float erf_approx(float x) {
  const float a = __builtin_fabsf(x);
  const float z = x * x;
  float small = 7.853857742e-05f;
  small = QDQ_FMA(small, z, -8.010192531e-04f);
  small = QDQ_FMA(small, z, 5.188327561e-03f);
  small = QDQ_FMA(small, z, -2.685381187e-02f);
  small = QDQ_FMA(small, z, 1.128358515e-01f);
  small = QDQ_FMA(small, z, -3.761262582e-01f);
  small = QDQ_FMA(small, z, 1.283791671e-01f);  // 2 / sqrt(pi) - 1: the 1 is added unrounded below
  small = QDQ_FMA(small, x, x);
  const float c = a > 4.0f ? 4.0f : a;
  float q = 2.168681301e-05f;
  q = QDQ_FMA(q, c, -4.413358909e-04f);
  q = QDQ_FMA(q, c, 4.204559185e-03f);
  q = QDQ_FMA(q, c, -2.520824863e-02f);
  q = QDQ_FMA(q, c, 1.084185629e-01f);
  q = QDQ_FMA(q, c, 6.332199081e-01f);
  q = QDQ_FMA(q, c, 1.129578416e+00f);
  q = QDQ_FMA(q, c, -1.880381713e-04f);
  const float large = __builtin_copysignf(1.0f - exp_approx(-q), x);
  const float result = a < 1.0f ? small : large;
  return x != x ? x : result;
}

QDQ_INLINE float sigmoid_approx(float x) { return 1.0f / (1.0f + exp_approx(-x)); }

// tanh: odd polynomial below 0.6 (minimax fit), 1 - 2 / (e^2x + 1) above.
QDQ_INLINE float tanh_approx(float x) {
  const float a = __builtin_fabsf(x);
  const float z = x * x;
  float p = -5.905860603e-03f;
  p = QDQ_FMA(p, z, 2.080537755e-02f);
  p = QDQ_FMA(p, z, -5.378668136e-02f);
  p = QDQ_FMA(p, z, 1.333195821e-01f);
  p = QDQ_FMA(p, z, -3.333329927e-01f);
  const float small = QDQ_FMA(x * z, p, x);
  const float large = __builtin_copysignf(1.0f - 2.0f / (exp_approx(2.0f * a) + 1.0f), x);
  const float result = a < 0.6f ? small : large;
  return x != x ? x : result;
}

// The activations, in PyTorch's formulas.
// These keep NaN.
QDQ_INLINE float relu(float x) { return x < 0.0f ? 0.0f : x; }
QDQ_INLINE float clamp(float x, float low, float high) {
  x = x < low ? low : x;
  return x > high ? high : x;
}

QDQ_INLINE float leaky_relu(float x, float slope) { return x > 0.0f ? x : x * slope; }
QDQ_INLINE float hardswish(float x) { return x * clamp(x + 3.0f, 0.0f, 6.0f) / 6.0f; }
QDQ_INLINE float hardsigmoid(float x) { return clamp(x + 3.0f, 0.0f, 6.0f) / 6.0f; }
QDQ_INLINE float silu(float x) { return x / (1.0f + exp_approx(-x)); }
QDQ_INLINE float gelu_erf(float x) { return x * 0.5f * (1.0f + erf_approx(x * 0.70710678f)); }
QDQ_INLINE float gelu_tanh(float x) {
  return 0.5f * x * (1.0f + tanh_approx(0.79788456f * (x + 0.044715f * x * x * x)));
}

// GELU from cubics, within 5e-7 of the exact one: a third of the work.
QDQ_INLINE float gelu_from(const GeluTable& table, float x) {
  float a = __builtin_fabsf(x);
  a = (a < kGeluEnd ? a : kGeluEnd) * kGeluStretches;
  const std::int32_t whole = static_cast<std::int32_t>(a);
  const std::int32_t i = whole < kGeluLast ? whole : kGeluLast;
  const float t = a - static_cast<float>(i);
  float g = QDQ_FMA(table.c[3][i], t, table.c[2][i]);
  g = QDQ_FMA(g, t, table.c[1][i]);
  g = QDQ_FMA(g, t, table.c[0][i]);
  return x * (0.5f + __builtin_copysignf(g, x));
}

}  // namespace qdq::elementary
