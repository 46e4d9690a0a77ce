#pragma once
#include <cstdint>

namespace qdq {

// Functions of one value that the integer engine applies before it rounds. `elementary.h` has their formulas.
enum class Activation : std::uint8_t {
  leaky_relu,
  hardswish,
  hardsigmoid,
  sigmoid,
  silu,
  tanh,
  gelu_erf,
  gelu_tanh,
};

}  // namespace qdq
