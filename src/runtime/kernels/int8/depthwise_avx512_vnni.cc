// 64 channels at a time, 32 at the end of a pixel if no more are left: the bytes of 4 taps are interleaved, so that one multiply-add
// takes 4 taps of 16 channels. Unpacking leaves the channels of a vector in an order of its own, in which the weights are packed; packing
// the results restores theirs. In that order the first 32 channels are the lower halves of all vectors.
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

// The instructions on 64 channels.
struct Wide {
  using Ints = __m512i;
  using Floats = __m512;
  __mmask64 used;

  Ints load(const std::uint8_t* from) const { return _mm512_maskz_loadu_epi8(used, from); }
  static Ints load_ints(const void* from) { return _mm512_loadu_si512(from); }
  static Floats load_floats(const float* from) { return _mm512_loadu_ps(from); }
  static Ints low_bytes(Ints a, Ints b) { return _mm512_unpacklo_epi8(a, b); }
  static Ints high_bytes(Ints a, Ints b) { return _mm512_unpackhi_epi8(a, b); }
  static Ints low_pairs(Ints a, Ints b) { return _mm512_unpacklo_epi16(a, b); }
  static Ints high_pairs(Ints a, Ints b) { return _mm512_unpackhi_epi16(a, b); }
  static Ints shift_left_8(Ints a) { return _mm512_slli_epi32(a, 8); }
  static Floats to_floats(Ints a) { return _mm512_cvtepi32_ps(a); }
  static Ints to_levels(Floats a) { return _mm512_cvtps_epi32(a); }
  static Floats multiply_add_floats(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
  static Floats clamp_floats(Floats x, const Rescale& r) {
    return _mm512_min_ps(_mm512_max_ps(x, _mm512_set1_ps(r.low)), _mm512_set1_ps(r.high));
  }
  static Ints pack(Ints a, Ints b, Ints c, Ints d) { return pack_levels(a, b, c, d); }
  static Ints clamp(Ints bytes, const Rescale& r) { return clamp_bytes(bytes, r); }
  void store(std::uint8_t* to, Ints bytes) const { _mm512_mask_storeu_epi8(to, used, bytes); }
  // 4 channels of every 16.
  static void store_floats(float* to, Floats values) {
    _mm_storeu_ps(to, _mm512_extractf32x4_ps(values, 0));
    _mm_storeu_ps(to + 16, _mm512_extractf32x4_ps(values, 1));
    _mm_storeu_ps(to + 32, _mm512_extractf32x4_ps(values, 2));
    _mm_storeu_ps(to + 48, _mm512_extractf32x4_ps(values, 3));
  }
};

// All 64 channels exist: loads without a mask are twice as fast.
struct WideFull : Wide {
  WideFull() : Wide{~__mmask64{0}} {}
  static Ints load(const std::uint8_t* from) { return _mm512_loadu_si512(from); }
  static void store(std::uint8_t* to, Ints bytes) { _mm512_storeu_si512(to, bytes); }
};

// The instructions on up to 32 channels.
struct Half {
  using Ints = __m256i;
  using Floats = __m256;
  __mmask32 used;

  Ints load(const std::uint8_t* from) const { return _mm256_maskz_loadu_epi8(used, from); }
  static Ints load_ints(const void* from) { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); }
  static Floats load_floats(const float* from) { return _mm256_loadu_ps(from); }
  static Ints low_bytes(Ints a, Ints b) { return _mm256_unpacklo_epi8(a, b); }
  static Ints high_bytes(Ints a, Ints b) { return _mm256_unpackhi_epi8(a, b); }
  static Ints low_pairs(Ints a, Ints b) { return _mm256_unpacklo_epi16(a, b); }
  static Ints high_pairs(Ints a, Ints b) { return _mm256_unpackhi_epi16(a, b); }
  static Ints shift_left_8(Ints a) { return _mm256_slli_epi32(a, 8); }
  static Floats to_floats(Ints a) { return _mm256_cvtepi32_ps(a); }
  static Ints to_levels(Floats a) { return _mm256_cvtps_epi32(a); }
  static Floats multiply_add_floats(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
  static Floats clamp_floats(Floats x, const Rescale& r) {
    return _mm256_min_ps(_mm256_max_ps(x, _mm256_set1_ps(r.low)), _mm256_set1_ps(r.high));
  }
  static Ints pack(Ints a, Ints b, Ints c, Ints d) {
    return _mm256_packus_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
  }
  static Ints clamp(Ints bytes, const Rescale& r) {
    const __m256i low = _mm256_set1_epi8(static_cast<char>(static_cast<int>(r.low)));
    const __m256i high = _mm256_set1_epi8(static_cast<char>(static_cast<int>(r.high)));
    return _mm256_min_epu8(_mm256_max_epu8(bytes, low), high);
  }
  void store(std::uint8_t* to, Ints bytes) const { _mm256_mask_storeu_epi8(to, used, bytes); }
  static void store_floats(float* to, Floats values) {
    _mm_storeu_ps(to, _mm256_extractf128_ps(values, 0));
    _mm_storeu_ps(to + 16, _mm256_extractf128_ps(values, 1));
  }
};

template <typename V>
struct Sums {
  typename V::Ints at[4];
};

template <typename V>
QDQ_INT8_INLINE Sums<V> start_sums(const std::int32_t* start) {
  return {{V::load_ints(start), V::load_ints(start + 16), V::load_ints(start + 32), V::load_ints(start + 48)}};
}

// The bytes of 4 taps side by side, channel after channel.
template <typename V>
struct Quads {
  typename V::Ints at[4];
};

template <typename V, typename Ints = typename V::Ints>
QDQ_INT8_INLINE Quads<V> interleave(Ints t0, Ints t1, Ints t2, Ints t3) {
  const Ints low01 = V::low_bytes(t0, t1), high01 = V::high_bytes(t0, t1);
  const Ints low23 = V::low_bytes(t2, t3), high23 = V::high_bytes(t2, t3);
  return {{V::low_pairs(low01, low23), V::high_pairs(low01, low23), V::low_pairs(high01, high23),
           V::high_pairs(high01, high23)}};
}

// The weights of 4 taps in the same order.
template <typename V>
QDQ_INT8_INLINE Quads<V> load_weights(const std::int8_t* from) {
  return {{V::load_ints(from), V::load_ints(from + 64), V::load_ints(from + 128), V::load_ints(from + 192)}};
}

template <typename V>
QDQ_INT8_INLINE void add(Sums<V>& sums, const Quads<V>& quads, const Quads<V>& weights) {
  sums.at[0] = multiply_add(sums.at[0], quads.at[0], weights.at[0]);
  sums.at[1] = multiply_add(sums.at[1], quads.at[1], weights.at[1]);
  sums.at[2] = multiply_add(sums.at[2], quads.at[2], weights.at[2]);
  sums.at[3] = multiply_add(sums.at[3], quads.at[3], weights.at[3]);
}

// Weights (w0, w1, w2, 0) seen by the right neighbour: (0, w0, w1, w2).
template <typename V>
QDQ_INT8_INLINE void add_shifted(Sums<V>& sums, const Quads<V>& quads, const Quads<V>& weights) {
  add<V>(sums, quads,
         {{V::shift_left_8(weights.at[0]), V::shift_left_8(weights.at[1]), V::shift_left_8(weights.at[2]),
           V::shift_left_8(weights.at[3])}});
}

// What lies between a pixel and its results: everything that does not change from pixel to pixel.
template <typename V>
struct Block {
  V v;
  const std::uint8_t* const* taps;
  std::int64_t step, quads, channel;
  const std::int8_t* weights;
  const std::int32_t* start;
  Rescale rescale;  // of this block
  std::uint8_t* out;
  float* floats;
  std::int64_t out_stride;
};

template <typename V>
QDQ_INT8_INLINE typename V::Ints load_tap(const Block<V>& b, std::int64_t tap, std::int64_t at) {
  return b.v.load(b.taps[tap] + at);
}

template <typename V>
struct Results {
  typename V::Floats at[4];
};

template <typename V>
QDQ_INT8_INLINE Results<V> rescaled(const Sums<V>& sums, const Results<V>& multipliers, const Results<V>& offsets) {
  const auto one = [&](int i) {
    return V::multiply_add_floats(V::to_floats(sums.at[i]), multipliers.at[i], offsets.at[i]);
  };
  return {{one(0), one(1), one(2), one(3)}};
}

template <typename V>
QDQ_INT8_INLINE void store_results(const Results<V>& results, const Block<V>& b, std::int64_t pixel) {
  if (b.floats) {
    for (int i = 0; i < 4; ++i)
      V::store_floats(b.floats + pixel * b.out_stride + b.channel + 4 * i, V::clamp_floats(results.at[i], b.rescale));
    return;
  }
  const auto bytes = V::pack(V::to_levels(results.at[0]), V::to_levels(results.at[1]), V::to_levels(results.at[2]),
                             V::to_levels(results.at[3]));
  b.v.store(b.out + pixel * b.out_stride + b.channel, V::clamp(bytes, b.rescale));
}

template <typename V>
QDQ_INT8_INLINE Results<V> load_four(const float* from) {
  return {{V::load_floats(from), V::load_floats(from + 16), V::load_floats(from + 32), V::load_floats(from + 48)}};
}

// The sums of a pixel and of its right neighbours.
template <typename V, typename... SumsOf>
QDQ_INT8_INLINE void store(const Block<V>& b, std::int64_t pixel, const SumsOf&... sums) {
  const Results<V> multipliers = load_four<V>(b.rescale.multiplier), offsets = load_four<V>(b.rescale.offset);
  (store_results(rescaled(sums, multipliers, offsets), b, pixel++), ...);
}

template <std::int64_t width, typename V>
QDQ_INT8_INLINE void run_pixel(const Block<V>& b, std::int64_t pixel) {
  const std::int64_t at = pixel * b.step + b.channel;
  Sums<V> sums = start_sums<V>(b.start);
  for (std::int64_t q = 0; q < b.quads; ++q) {
    const std::int64_t tap = q * width;
    const auto t2 = load_tap(b, tap + 2, at);
    const auto t3 = width == 4 ? load_tap(b, tap + width - 1, at) : t2;
    add(sums, interleave<V>(load_tap(b, tap, at), load_tap(b, tap + 1, at), t2, t3),
        load_weights<V>(b.weights + 256 * q));
  }
  store(b, pixel, sums);
}

// Two neighbours share two of three columns: the bytes of four columns serve both.
template <typename V>
QDQ_INT8_INLINE void add_row_of_pair(Sums<V>& sums, Sums<V>& right_sums, const Block<V>& b, std::int64_t row,
                                     std::int64_t at, const Quads<V>& weights) {
  const std::int64_t tap = 3 * row;
  const Quads<V> quads = interleave<V>(load_tap(b, tap, at), load_tap(b, tap + 1, at), load_tap(b, tap + 2, at),
                                       load_tap(b, tap + 2, at + b.step));
  add(sums, quads, weights);
  add_shifted(right_sums, quads, weights);
}

template <typename V>
QDQ_INT8_INLINE void run_pair(const Block<V>& b, std::int64_t pixel) {
  const std::int64_t at = pixel * b.step + b.channel;
  Sums<V> sums = start_sums<V>(b.start);
  Sums<V> right_sums = sums;
  for (std::int64_t q = 0; q < b.quads; ++q)
    add_row_of_pair(sums, right_sums, b, q, at, load_weights<V>(b.weights + 256 * q));
  store(b, pixel, sums, right_sums);
}

// The same for filters of 3 rows, whose weights stay in registers.
template <typename V>
QDQ_INT8_INLINE void run_pairs_of_3_rows(const Block<V>& b, std::int64_t pixels) {
  const Quads<V> first = load_weights<V>(b.weights), second = load_weights<V>(b.weights + 256),
                 third = load_weights<V>(b.weights + 512);
  for (std::int64_t pixel = 0; pixel < pixels; pixel += 2) {
    const std::int64_t at = pixel * b.step + b.channel;
    Sums<V> sums = start_sums<V>(b.start);
    Sums<V> right_sums = sums;
    add_row_of_pair(sums, right_sums, b, 0, at, first);
    add_row_of_pair(sums, right_sums, b, 1, at, second);
    add_row_of_pair(sums, right_sums, b, 2, at, third);
    store(b, pixel, sums, right_sums);
  }
}

template <typename V>
void run_block(const DepthwiseRun& d, V v, std::int64_t c) {
  const Rescale rescale = {d.rescale.multiplier + c, d.rescale.offset + c, d.rescale.low, d.rescale.high, 0.0f};
  const Block<V> b = {v,           d.taps,  d.step, d.quads,  c,           d.weights + 4 * c * d.quads,
                      d.start + c, rescale, d.out,  d.floats, d.out_stride};
  std::int64_t pixel = 0;
  if (d.width == 3 && d.slides) {
    const std::int64_t paired = d.pixels / 2 * 2;
    if (d.quads == 3)
      run_pairs_of_3_rows(b, paired);
    else
      for (; pixel < paired; pixel += 2) run_pair(b, pixel);
    pixel = paired;
  }
  for (; pixel < d.pixels; ++pixel) {
    if (d.width == 3)
      run_pixel<3>(b, pixel);
    else
      run_pixel<4>(b, pixel);
  }
}

void run(const DepthwiseRun& d) {
  for (std::int64_t c = 0; c < d.channels; c += 64) {
    const std::int64_t left = d.channels - c;
    if (left >= 64)
      run_block(d, WideFull(), c);
    else if (left > 32)
      run_block(d, Wide{first_lanes(left)}, c);
    else
      run_block(d, Half{static_cast<__mmask32>(first_lanes(left))}, c);
  }
}

}  // namespace

const DepthwiseKernel kDepthwise = {64, channel, run};

}  // namespace qdq::runtime::int8::avx512_vnni
