#pragma once
#include <array>
#include <string>

#include "runtime/int8/convolution.h"

// Steps on uint8 tensors that treat every element alike.
namespace qdq::runtime::int8 {

// Dense tensors of the same sizes and strides.
using Table = std::array<std::uint8_t, 256>;
Step table_step(std::string name, const Kernels& kernels, const Tensor& a, const Tensor& out, const Table& table);
// Between int8 and bytes that are 128 larger: one of a and out is int8, the other uint8.
Step flip_step(std::string name, const Kernels& kernels, const Tensor& a, const Tensor& out);

// Planes, contiguous [N, C, spatial...], to pixels: the same sizes with the channels innermost.
Step interleave_step(std::string name, const Kernels& kernels, const Tensor& planes, const Tensor& pixels);

}  // namespace qdq::runtime::int8
