#include "tensor/float_formats.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace qdq {
namespace {

// A small float format: `exponent` and `mantissa` bits, IEEE bias.
struct Format {
  int exponent;
  int mantissa;
  bool has_infinity;  // else the top exponent holds numbers too and all ones is NaN (e4m3fn)
  int bias() const { return (1 << (exponent - 1)) - 1; }
};

float decode(std::uint32_t bits, Format f) {
  const std::uint32_t sign = bits >> (f.exponent + f.mantissa) & 1;
  const std::uint32_t exponent = bits >> f.mantissa & ((1u << f.exponent) - 1);
  const std::uint32_t mantissa = bits & ((1u << f.mantissa) - 1);
  const std::uint32_t top = (1u << f.exponent) - 1;
  float magnitude = 0;
  if (exponent == top && (f.has_infinity || mantissa == (1u << f.mantissa) - 1))
    magnitude = mantissa == 0 ? std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
  else if (exponent == 0)
    magnitude = std::ldexp(static_cast<float>(mantissa), 1 - f.bias() - f.mantissa);
  else
    magnitude =
        std::ldexp(static_cast<float>(mantissa | 1u << f.mantissa), static_cast<int>(exponent) - f.bias() - f.mantissa);
  return sign ? -magnitude : magnitude;
}

std::uint32_t encode(float value, Format f) {
  const std::uint32_t sign = std::signbit(value) ? 1u << (f.exponent + f.mantissa) : 0;
  const std::uint32_t top = (1u << f.exponent) - 1;
  const std::uint32_t nan =
      f.has_infinity ? top << f.mantissa | 1u << (f.mantissa - 1) : (1u << (f.exponent + f.mantissa)) - 1;
  const std::uint32_t overflow = f.has_infinity ? top << f.mantissa : nan - 1;  // infinity, or the largest number
  if (std::isnan(value)) return sign | nan;
  const float magnitude = std::fabs(value);
  if (std::isinf(value)) return sign | overflow;
  if (magnitude == 0) return sign;
  int e = 0;
  std::frexp(magnitude, &e);                                    // magnitude = m * 2^e, m in [0.5, 1)
  const int unit = std::max(e - 1, 1 - f.bias()) - f.mantissa;  // exponent of the last place
  // Scaling by a power of two is exact in double; nearbyint rounds half to even.
  const double steps = std::nearbyint(std::ldexp(static_cast<double>(magnitude), -unit));
  auto count = static_cast<std::uint64_t>(steps);
  std::uint64_t bits = count;  // denormal, or carried into the first normal
  if (count >= 1u << f.mantissa) {
    int exponent = unit + f.mantissa + f.bias();
    if (count == 2u << f.mantissa) {
      count >>= 1;
      ++exponent;
    }
    bits = static_cast<std::uint64_t>(exponent) << f.mantissa | (count & ((1u << f.mantissa) - 1));
  }
  const std::uint64_t limit = f.has_infinity ? static_cast<std::uint64_t>(top) << f.mantissa : nan;
  return sign | (bits >= limit ? overflow : static_cast<std::uint32_t>(bits));
}

constexpr Format kHalf{5, 10, true};
constexpr Format kE5M2{5, 2, true};
constexpr Format kE4M3FN{4, 3, false};

}  // namespace

float half_to_float(std::uint16_t bits) { return decode(bits, kHalf); }
std::uint16_t float_to_half(float value) { return static_cast<std::uint16_t>(encode(value, kHalf)); }
float float8_e4m3fn_to_float(std::uint8_t bits) { return decode(bits, kE4M3FN); }
std::uint8_t float_to_float8_e4m3fn(float value) { return static_cast<std::uint8_t>(encode(value, kE4M3FN)); }
float float8_e5m2_to_float(std::uint8_t bits) { return decode(bits, kE5M2); }
std::uint8_t float_to_float8_e5m2(float value) { return static_cast<std::uint8_t>(encode(value, kE5M2)); }

std::uint16_t float_to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>(0x7fc0 | (bits >> 16 & 0x8000));
  return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

}  // namespace qdq
