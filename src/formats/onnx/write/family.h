#pragma once
#include <span>

#include "formats/onnx/op_name.h"
#include "formats/onnx/write/emitter.h"

namespace qdq::onnx {

// How one ATen op is written. In-place forms ("aten.relu_.default") use the row of their functional form.
struct WriteRow {
  std::string_view target;              // "aten.relu.default"
  std::string_view onnx;                // for docs/onnx.md: the ONNX ops that stand for it
  Names (*write)(const Op&) = nullptr;  // returns the names of the results
};
using WriteFamily = std::span<const WriteRow>;

// The families, one per file of this folder; all_writers.cc lists them.
WriteFamily write_activation_ops();
WriteFamily write_attention_ops();
WriteFamily write_binary_ops();
WriteFamily write_compare_ops();
WriteFamily write_conv_ops();
WriteFamily write_copy_ops();
WriteFamily write_creation_ops();
WriteFamily write_index_ops();
WriteFamily write_linear_ops();
WriteFamily write_norm_ops();
WriteFamily write_pool_ops();
WriteFamily write_qdq_ops();
WriteFamily write_recurrent_ops();
WriteFamily write_reduction_ops();
WriteFamily write_resample_ops();
WriteFamily write_symbolic_ops();
WriteFamily write_unary_ops();
WriteFamily write_view_ops();

std::span<const WriteFamily> all_writers();
const WriteRow* find_writer(std::string_view target);  // null for an op that has no row

}  // namespace qdq::onnx
