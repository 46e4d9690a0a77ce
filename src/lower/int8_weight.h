#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lower/emitter.h"

namespace qdq::lower {

// A constant weight behind a dequantize node.
struct Int8Weight {
  Tensor values;               // int8
  std::vector<double> scales;  // one for each output channel
};
// [channels, ...] with scales along the first dimension. The reason why not is left in `why`.
std::optional<Int8Weight> int8_weight(const Node* dequantize, std::int64_t channels, const Shared& shared,
                                      std::string& why);
// [C, channels / groups, k...] of a transposed convolution. Scales lie along the second dimension, for every group alike, or along the
// first where a group has one input channel.
std::optional<Int8Weight> transposed_int8_weight(const Node* dequantize, std::int64_t channels, std::int64_t groups,
                                                 const Shared& shared, std::string& why);

// The constant that the node reads, or null.
const Attribute* attribute_behind(const Node* node, const Shared& shared);

// Packed once for all plans.
std::shared_ptr<const runtime::int8::PackedWeights> packed_weights(const Node& node, const Tensor& weight,
                                                                   std::int64_t groups, const Shared& shared);

// The same for a convolution that runtime::int8::WinogradWeights fits.
std::shared_ptr<const runtime::int8::WinogradWeights> winograd_weights(const Node& node, const Tensor& weight,
                                                                       const Shared& shared);

// The same for the phases of a transposed convolution with this window.
const std::vector<runtime::int8::Phase>& packed_phases(const Node& node, const Tensor& weight, std::int64_t groups,
                                                       const runtime::int8::Window& window, const Shared& shared);

// Undefined, or one constant float32 for each channel.
bool is_usable_bias(const Tensor& bias, std::int64_t channels, const Emitter& emitter);

}  // namespace qdq::lower
