#pragma once
#include <bit>
#include <cstdint>

namespace qdq {

// Conversions between float32 and the narrow IEEE-like formats, round to nearest even, as torch does.
float half_to_float(std::uint16_t bits);
std::uint16_t float_to_half(float value);
inline float bfloat16_to_float(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }
std::uint16_t float_to_bfloat16(float value);
float float8_e4m3fn_to_float(std::uint8_t bits);
std::uint8_t float_to_float8_e4m3fn(float value);  // what is too large becomes 448, infinity too
float float8_e5m2_to_float(std::uint8_t bits);
std::uint8_t float_to_float8_e5m2(float value);  // overflow goes to infinity

}  // namespace qdq
