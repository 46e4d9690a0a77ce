// 64 channels at a time: the bytes of 4 taps are interleaved, so that one multiply-add takes 4 taps of 16 channels. Unpacking leaves
// the channels of a vector in an order of its own, in which the weights are packed; packing the results restores theirs.
#include <immintrin.h>

#include "runtime/kernels/int8/avx512_vnni.h"

namespace qdq::runtime::int8::avx512_vnni {
namespace {

// Lane l of vector v after unpacking bytes, then pairs: channel 16 * (l / 4) + 4 * v + l % 4.
std::int64_t channel(std::int64_t lane) {
  const std::int64_t v = lane / 16;
  const std::int64_t l = lane % 16;
  return 16 * (l / 4) + 4 * v + l % 4;
}

struct Sums {
  __m512i at[4];
};

// The bytes of 4 taps side by side, channel after channel.
struct Quads {
  __m512i at[4];
};

QDQ_INT8_INLINE Quads interleave(__m512i t0, __m512i t1, __m512i t2, __m512i t3) {
  const __m512i low01 = _mm512_unpacklo_epi8(t0, t1), high01 = _mm512_unpackhi_epi8(t0, t1);
  const __m512i low23 = _mm512_unpacklo_epi8(t2, t3), high23 = _mm512_unpackhi_epi8(t2, t3);
  return {{_mm512_unpacklo_epi16(low01, low23), _mm512_unpackhi_epi16(low01, low23),
           _mm512_unpacklo_epi16(high01, high23), _mm512_unpackhi_epi16(high01, high23)}};
}

QDQ_INT8_INLINE __m512i weights_at(const std::int8_t* weights, int v) { return _mm512_load_si512(weights + 64 * v); }

QDQ_INT8_INLINE void add(Sums& sums, const Quads& quads, const std::int8_t* weights) {
  sums.at[0] = multiply_add(sums.at[0], quads.at[0], weights_at(weights, 0));
  sums.at[1] = multiply_add(sums.at[1], quads.at[1], weights_at(weights, 1));
  sums.at[2] = multiply_add(sums.at[2], quads.at[2], weights_at(weights, 2));
  sums.at[3] = multiply_add(sums.at[3], quads.at[3], weights_at(weights, 3));
}

// Weights (w0, w1, w2, 0) seen by the right neighbour: (0, w0, w1, w2).
QDQ_INT8_INLINE void add_shifted(Sums& sums, const Quads& quads, const std::int8_t* weights) {
  sums.at[0] = multiply_add(sums.at[0], quads.at[0], _mm512_slli_epi32(weights_at(weights, 0), 8));
  sums.at[1] = multiply_add(sums.at[1], quads.at[1], _mm512_slli_epi32(weights_at(weights, 1), 8));
  sums.at[2] = multiply_add(sums.at[2], quads.at[2], _mm512_slli_epi32(weights_at(weights, 2), 8));
  sums.at[3] = multiply_add(sums.at[3], quads.at[3], _mm512_slli_epi32(weights_at(weights, 3), 8));
}

QDQ_INT8_INLINE Sums start_sums(const std::int32_t* start) {
  return {{_mm512_loadu_si512(start), _mm512_loadu_si512(start + 16), _mm512_loadu_si512(start + 32),
           _mm512_loadu_si512(start + 48)}};
}

QDQ_INT8_INLINE __m512 rescaled(__m512i sums, const Rescale& rescale, std::int64_t at) {
  return _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums), _mm512_loadu_ps(rescale.multiplier + at),
                         _mm512_loadu_ps(rescale.offset + at));
}

QDQ_INT8_INLINE void store_bytes(const Sums& sums, const DepthwiseRun& d, std::int64_t pixel, std::int64_t c,
                                 __mmask64 used) {
  const auto levels = [&](int v) { return _mm512_cvtps_epi32(rescaled(sums.at[v], d.rescale, c + 16 * v)); };
  const __m512i bytes = pack_levels(levels(0), levels(1), levels(2), levels(3));
  _mm512_mask_storeu_epi8(d.out + pixel * d.out_stride + c, used, clamp_bytes(bytes, d.rescale));
}

// Each vector has 4 channels of every 16.
QDQ_INT8_INLINE void store_floats(const Sums& sums, const DepthwiseRun& d, std::int64_t pixel, std::int64_t c) {
  const __m512 low = _mm512_set1_ps(d.rescale.low), high = _mm512_set1_ps(d.rescale.high);
  for (int v = 0; v < 4; ++v) {
    const __m512 values = _mm512_min_ps(_mm512_max_ps(rescaled(sums.at[v], d.rescale, c + 16 * v), low), high);
    float* out = d.floats + pixel * d.out_stride + c + 4 * v;
    _mm_storeu_ps(out, _mm512_extractf32x4_ps(values, 0));
    _mm_storeu_ps(out + 16, _mm512_extractf32x4_ps(values, 1));
    _mm_storeu_ps(out + 32, _mm512_extractf32x4_ps(values, 2));
    _mm_storeu_ps(out + 48, _mm512_extractf32x4_ps(values, 3));
  }
}

QDQ_INT8_INLINE void store(const Sums& sums, const DepthwiseRun& d, std::int64_t pixel, std::int64_t c,
                           __mmask64 used) {
  if (d.floats)
    store_floats(sums, d, pixel, c);
  else
    store_bytes(sums, d, pixel, c, used);
}

template <std::int64_t width>
QDQ_INT8_INLINE void run_pixel(const DepthwiseRun& d, std::int64_t pixel, std::int64_t c, const std::int8_t* weights,
                               __mmask64 used) {
  const std::uint8_t* const* taps = d.taps + pixel * d.quads * width;
  Sums sums = start_sums(d.start + c);
  for (std::int64_t q = 0; q < d.quads; ++q, taps += width) {
    const __m512i t2 = _mm512_maskz_loadu_epi8(used, taps[2] + c);
    const __m512i t3 = width == 4 ? _mm512_maskz_loadu_epi8(used, taps[width - 1] + c) : t2;
    add(sums,
        interleave(_mm512_maskz_loadu_epi8(used, taps[0] + c), _mm512_maskz_loadu_epi8(used, taps[1] + c), t2, t3),
        weights + 256 * q);
  }
  store(sums, d, pixel, c, used);
}

// Two neighbours share two of three columns: the bytes of four columns serve both.
QDQ_INT8_INLINE void run_pair(const DepthwiseRun& d, std::int64_t pixel, std::int64_t c, const std::int8_t* weights,
                              __mmask64 used) {
  const std::uint8_t* const* taps = d.taps + pixel * d.quads * 3;
  const std::uint8_t* const* right = taps + d.quads * 3;
  Sums sums = start_sums(d.start + c);
  Sums right_sums = sums;
  for (std::int64_t q = 0; q < d.quads; ++q, taps += 3, right += 3) {
    const Quads quads =
        interleave(_mm512_maskz_loadu_epi8(used, taps[0] + c), _mm512_maskz_loadu_epi8(used, taps[1] + c),
                   _mm512_maskz_loadu_epi8(used, taps[2] + c), _mm512_maskz_loadu_epi8(used, right[2] + c));
    add(sums, quads, weights + 256 * q);
    add_shifted(right_sums, quads, weights + 256 * q);
  }
  store(sums, d, pixel, c, used);
  store(right_sums, d, pixel + 1, c, used);
}

void run(const DepthwiseRun& d) {
  const std::int8_t* weights = d.weights;
  for (std::int64_t c = 0; c < d.channels; c += 64, weights += 256 * d.quads) {
    const __mmask64 used = first_lanes(d.channels - c);
    std::int64_t pixel = 0;
    if (d.width == 3 && d.slides)
      for (; pixel + 2 <= d.pixels; pixel += 2) run_pair(d, pixel, c, weights, used);
    for (; pixel < d.pixels; ++pixel) {
      if (d.width == 3)
        run_pixel<3>(d, pixel, c, weights, used);
      else
        run_pixel<4>(d, pixel, c, weights, used);
    }
  }
}

}  // namespace

const DepthwiseKernel kDepthwise = {64, channel, run};

}  // namespace qdq::runtime::int8::avx512_vnni
