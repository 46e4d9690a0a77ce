#pragma once
#include <cstdint>

namespace qdq {

// A function of one value that other ops take along: what lies between a product and its quantize, a post-op of oneDNN's, a step of
// its own. `elementary.h` has the formulas.
struct Activation {
  enum class Kind : std::uint8_t {
    relu,
    clamp,
    leaky_relu,
    hardswish,
    hardsigmoid,
    sigmoid,
    silu,
    tanh,
    gelu_erf,
    gelu_tanh,
  };
  Kind kind = Kind::relu;
  float alpha = 0.0f;  // clamp: lower bound; leaky_relu: slope
  float beta = 0.0f;   // clamp: upper bound
};

}  // namespace qdq
