// Sums, tables and pools of one instruction set, in loops that the compiler vectorises: the including file defines QDQ_ISA and has
// included the header of its set.
namespace qdq::runtime::int8::QDQ_ISA {
namespace {

void add(std::uint8_t* out, const std::uint8_t* a, const std::uint8_t* b, std::int64_t n, const Addition& addition) {
  const Addition p = addition;
  for (std::int64_t i = 0; i < n; ++i) {
    const float right = __builtin_fmaf(static_cast<float>(b[i]), p.b_multiplier, p.offset);
    out[i] = to_byte(__builtin_fmaf(static_cast<float>(a[i]), p.a_multiplier, right), p.low, p.high);
  }
}

void look_up(std::uint8_t* out, const std::uint8_t* a, std::int64_t n, const std::uint8_t* table) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = table[a[i]];
}

void flip(std::uint8_t* out, const std::uint8_t* a, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = a[i] ^ std::uint8_t{0x80};
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

}  // namespace

constinit const Kernels kKernels = {QDQ_ISA_NAME, kGemm, &kDepthwise, add, look_up, flip, max, average};

}  // namespace qdq::runtime::int8::QDQ_ISA
