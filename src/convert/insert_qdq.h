#pragma once
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "qdq/observer.h"
#include "qdq/program.h"

namespace qdq {

// Whether insert_qdq puts a dequantize for `observer`; false for casts to float16 and for observers that it drops.
bool becomes_dequantize(const Observer& observer);

// The value that a quantize and a dequantize node stand before, by the name of its node: a weight that is stored quantized
// gets another one. Metadata, as kQuantizationObserver.
inline constexpr std::string_view kQuantizationTensor = "quantization_tensor";

// Where the quantize and the dequantize of an observer come from: metadata of its call, and then their "from_node".
inline constexpr std::string_view kQuantizationSource = "quantization_source";

// Replaces every observer by what it stands for:
//
//   static, per tensor     %x -> quantize_per_tensor(scale, zero_point) -> dequantize_per_tensor
//   static, per channel    the same with scales and zero points as buffers
//   dynamic                %x -> choose_qparams -> quantize_per_tensor.tensor -> dequantize_per_tensor.tensor
//   affine                 %x -> torchao.quantize_affine(block_size, scales, zero_points) -> torchao.dequantize_affine
//   float16                %x -> convert_element_type(float16) -> convert_element_type(float32)
//   other (placeholder)    nothing: users read %x
//
// The new nodes keep in their metadata who chose their range (kQuantizationObserver and the like).
// Throws InvalidArgumentError, naming the observed node, for an observer that has no qparams or a dtype that the scheme
// does not allow. Returns how many observers were replaced.
int insert_qdq(Program& program, const std::map<std::string, std::shared_ptr<Observer>>& observers);

}  // namespace qdq
