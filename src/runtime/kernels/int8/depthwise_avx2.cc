// 16 channels at a time: the bytes of 4 taps are interleaved and widened to 16 bits, multiplied and added in pairs.
#include <immintrin.h>

#include "runtime/kernels/int8/avx2.h"

namespace qdq::runtime::int8::avx2 {
namespace {

constexpr std::int64_t kBlock = 16;

QDQ_INT8_INLINE __m128i load(const std::uint8_t* from, std::int64_t channels) {
  if (channels >= kBlock) return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  std::uint8_t bytes[kBlock] = {};
  for (std::int64_t c = 0; c < channels; ++c) bytes[c] = from[c];
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
}

QDQ_INT8_INLINE void add_quad(__m256i (&sums)[4], __m128i t0, __m128i t1, __m128i t2, __m128i t3,
                              const std::int8_t* weights) {
  const __m128i low01 = _mm_unpacklo_epi8(t0, t1), high01 = _mm_unpackhi_epi8(t0, t1);
  const __m128i low23 = _mm_unpacklo_epi8(t2, t3), high23 = _mm_unpackhi_epi8(t2, t3);
  const __m128i quads[4] = {_mm_unpacklo_epi16(low01, low23), _mm_unpackhi_epi16(low01, low23),
                            _mm_unpacklo_epi16(high01, high23), _mm_unpackhi_epi16(high01, high23)};
  for (int v = 0; v < 4; ++v)
    sums[v] = _mm256_add_epi32(sums[v], _mm256_madd_epi16(_mm256_cvtepu8_epi16(quads[v]), widen(weights + 16 * v)));
}

void run(const DepthwiseRun& d) {
  const std::int8_t* weights = d.weights;
  for (std::int64_t c = 0; c < d.channels; c += kBlock, weights += 4 * kBlock * d.quads) {
    const std::int64_t used = d.channels - c < kBlock ? d.channels - c : kBlock;
    const Rescale rescale = {d.rescale.multiplier + c, d.rescale.offset + c, d.rescale.low, d.rescale.high, 0.0f};
    for (std::int64_t pixel = 0; pixel < d.pixels; ++pixel) {
      const std::uint8_t* const* taps = d.taps;
      const std::int64_t at = pixel * d.step + c;
      __m256i sums[4] = {};
      for (std::int64_t q = 0; q < d.quads; ++q, taps += d.width)
        add_quad(sums, load(taps[0] + at, used), load(taps[1] + at, used), load(taps[2] + at, used),
                 load(taps[d.width - 1] + at, used), weights + 4 * kBlock * q);
      const std::int64_t to = pixel * d.out_stride + c;
      void* out = d.floats ? static_cast<void*>(d.floats + to) : d.out + to;
      store_row(out, d.floats != nullptr, sums_of(d.start + c, sums), rescale, nullptr, used);
    }
  }
}

std::int64_t channel(std::int64_t lane) { return lane; }

}  // namespace

const DepthwiseKernel kDepthwise = {kBlock, channel, run};

}  // namespace qdq::runtime::int8::avx2
