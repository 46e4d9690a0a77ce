#pragma once
#include <cstdint>
#include <string>
#include <type_traits>

#include "qdq/dtype.h"
#include "qdq/error.h"
#include "tensor/float_formats.h"

namespace qdq {

// How one dtype is stored and computed with. `Stored` lies in memory, `Value` is what arithmetic uses: float for the
// narrow floats, Stored itself for everything else.
template <typename T>
struct PlainElement {
  using Stored = T;
  using Value = T;
  static Value load(Stored s) { return s; }
  static Stored store(Value v) { return v; }
  // From any other Value type. A float that does not fit an integer goes through int64, as torch's casts do on x86.
  template <typename V>
  static Stored store_converted(V v) {
    if constexpr (std::is_same_v<T, bool>)
      return v != V{};
    else if constexpr (std::is_integral_v<T> && std::is_floating_point_v<V> && sizeof(T) < 8)
      return static_cast<T>(v >= V(-9.2e18) && v <= V(9.2e18) ? static_cast<std::int64_t>(v) : std::int64_t{0});
    else
      return static_cast<T>(v);
  }
};

template <typename Bits, float (*Load)(Bits), Bits (*Store)(float)>
struct NarrowFloatElement {
  using Stored = Bits;
  using Value = float;
  static Value load(Stored s) { return Load(s); }
  static Stored store(Value v) { return Store(v); }
  template <typename V>
  static Stored store_converted(V v) {
    return Store(static_cast<float>(v));
  }
};

using HalfElement = NarrowFloatElement<std::uint16_t, half_to_float, float_to_half>;
using BFloat16Element = NarrowFloatElement<std::uint16_t, bfloat16_to_float, float_to_bfloat16>;
using Float8E4M3FNElement = NarrowFloatElement<std::uint8_t, float8_e4m3fn_to_float, float_to_float8_e4m3fn>;
using Float8E5M2Element = NarrowFloatElement<std::uint8_t, float8_e5m2_to_float, float_to_float8_e5m2>;

// Calls fn(Element{}) with the element type of `dtype`. Throws InvalidArgumentError for dtypes that we do not compute.
template <typename Fn>
decltype(auto) dispatch(DType dtype, Fn&& fn) {
  switch (plain_dtype(dtype)) {
    case DType::uint8: return fn(PlainElement<std::uint8_t>{});
    case DType::int8: return fn(PlainElement<std::int8_t>{});
    case DType::int16: return fn(PlainElement<std::int16_t>{});
    case DType::uint16: return fn(PlainElement<std::uint16_t>{});
    case DType::int32: return fn(PlainElement<std::int32_t>{});
    case DType::uint32: return fn(PlainElement<std::uint32_t>{});
    case DType::int64: return fn(PlainElement<std::int64_t>{});
    case DType::uint64: return fn(PlainElement<std::uint64_t>{});
    case DType::bool_: return fn(PlainElement<bool>{});
    case DType::float32: return fn(PlainElement<float>{});
    case DType::float64: return fn(PlainElement<double>{});
    case DType::float16: return fn(HalfElement{});
    case DType::bfloat16: return fn(BFloat16Element{});
    case DType::float8_e4m3fn: return fn(Float8E4M3FNElement{});
    case DType::float8_e5m2: return fn(Float8E5M2Element{});
    default: throw InvalidArgumentError("no arithmetic for dtype " + std::string(name(dtype)));
  }
}

}  // namespace qdq
