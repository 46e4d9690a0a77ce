#pragma once
#include <string_view>

#include "qdq/graph.h"

namespace qdq {

// The quantize and dequantize operators, and questions that passes ask about them.
inline constexpr std::string_view kQuantizePerTensor = "quantized_decomposed.quantize_per_tensor.default";
inline constexpr std::string_view kQuantizePerTensorDynamic = "quantized_decomposed.quantize_per_tensor.tensor";
inline constexpr std::string_view kQuantizePerChannel = "quantized_decomposed.quantize_per_channel.default";
inline constexpr std::string_view kQuantizeAffine = "torchao.quantize_affine";
inline constexpr std::string_view kDequantizePerTensor = "quantized_decomposed.dequantize_per_tensor.default";
inline constexpr std::string_view kDequantizePerTensorDynamic = "quantized_decomposed.dequantize_per_tensor.tensor";
inline constexpr std::string_view kDequantizePerChannel = "quantized_decomposed.dequantize_per_channel.default";
inline constexpr std::string_view kDequantizeAffine = "torchao.dequantize_affine";
inline constexpr std::string_view kChooseQParams = "quantized_decomposed.choose_qparams.tensor";
inline constexpr std::string_view kChooseQParamsSymmetric = "quantized_decomposed.choose_qparams_symmetric.tensor";
inline constexpr std::string_view kChooseQParamsAffine = "torchao.choose_qparams_affine";
inline constexpr std::string_view kConvertElementType = "quantized_decomposed.convert_element_type.no_fuse";

inline bool is_quantize(const Node& node) {
  return node.is(kQuantizePerTensor) || node.is(kQuantizePerTensorDynamic) || node.is(kQuantizePerChannel) ||
         node.is(kQuantizeAffine);
}

inline bool is_dequantize(const Node& node) {
  return node.is(kDequantizePerTensor) || node.is(kDequantizePerTensorDynamic) || node.is(kDequantizePerChannel) ||
         node.is(kDequantizeAffine);
}

inline bool is_choose_qparams(const Node& node) {
  return node.is(kChooseQParams) || node.is(kChooseQParamsSymmetric) || node.is(kChooseQParamsAffine);
}

// Reads a size, not the values.
inline bool is_size_query(const Node& node) {
  return node.is("aten.sym_size.int") || node.is("aten.sym_size.default") || node.is("aten.sym_size") ||
         node.is("aten.sym_numel.default") || node.is("aten.sym_numel");
}

// A call that computes with tensors' values: what can be quantized, and what reports count. Quantize and dequantize, picking
// from a tuple, arithmetic on sizes and assertions are none.
inline bool is_op(const Node& node) {
  return node.kind() == NodeKind::call_function && !is_quantize(node) && !is_dequantize(node) &&
         !is_choose_qparams(node) && !node.is(kConvertElementType) && !is_size_query(node) &&
         !node.is("operator.getitem") && !node.target().starts_with("_operator.") &&
         !node.target().starts_with("aten._assert");
}

}  // namespace qdq
