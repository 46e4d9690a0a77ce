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

QDQ_INT8_INLINE void add_quad(Sums& sums, __m512i t0, __m512i t1, __m512i t2, __m512i t3, const std::int8_t* weights) {
  const __m512i low01 = _mm512_unpacklo_epi8(t0, t1), high01 = _mm512_unpackhi_epi8(t0, t1);
  const __m512i low23 = _mm512_unpacklo_epi8(t2, t3), high23 = _mm512_unpackhi_epi8(t2, t3);
  sums.at[0] = multiply_add(sums.at[0], _mm512_unpacklo_epi16(low01, low23), _mm512_load_si512(weights));
  sums.at[1] = multiply_add(sums.at[1], _mm512_unpackhi_epi16(low01, low23), _mm512_load_si512(weights + 64));
  sums.at[2] = multiply_add(sums.at[2], _mm512_unpacklo_epi16(high01, high23), _mm512_load_si512(weights + 128));
  sums.at[3] = multiply_add(sums.at[3], _mm512_unpackhi_epi16(high01, high23), _mm512_load_si512(weights + 192));
}

QDQ_INT8_INLINE Sums start_sums(const std::int32_t* start) {
  return {{_mm512_loadu_si512(start), _mm512_loadu_si512(start + 16), _mm512_loadu_si512(start + 32),
           _mm512_loadu_si512(start + 48)}};
}

QDQ_INT8_INLINE __m512i rescaled(__m512i sums, const Rescale& rescale, std::int64_t at) {
  return _mm512_cvtps_epi32(_mm512_fmadd_ps(_mm512_cvtepi32_ps(sums), _mm512_loadu_ps(rescale.multiplier + at),
                                            _mm512_loadu_ps(rescale.offset + at)));
}

QDQ_INT8_INLINE void store(const Sums& sums, const Rescale& rescale, std::int64_t c, std::uint8_t* out,
                           __mmask64 used) {
  const __m512i bytes = pack_levels(rescaled(sums.at[0], rescale, c), rescaled(sums.at[1], rescale, c + 16),
                                    rescaled(sums.at[2], rescale, c + 32), rescaled(sums.at[3], rescale, c + 48));
  _mm512_mask_storeu_epi8(out + c, used, clamp_bytes(bytes, rescale));
}

void run(const DepthwiseRun& d) {
  const std::int8_t* weights = d.weights;
  for (std::int64_t c = 0; c < d.channels; c += 64, weights += 256 * d.quads) {
    const __mmask64 used = first_lanes(d.channels - c);
    const auto load = [&](const std::uint8_t* tap) __attribute__((always_inline)) {
      return _mm512_maskz_loadu_epi8(used, tap + c);
    };
    for (std::int64_t pixel = 0; pixel < d.pixels; ++pixel) {
      const std::uint8_t* const* taps = d.taps + pixel * d.quads * 4;
      Sums sums = start_sums(d.start + c);
      for (std::int64_t q = 0; q < d.quads; ++q, taps += 4)
        add_quad(sums, load(taps[0]), load(taps[1]), load(taps[2]), load(taps[3]), weights + 256 * q);
      store(sums, d.rescale, c, d.out + pixel * d.out_stride, used);
    }
  }
}

}  // namespace

const DepthwiseKernel kDepthwise = {64, channel, run};

}  // namespace qdq::runtime::int8::avx512_vnni
