#pragma once
#include <span>

#include "formats/onnx/read/importer.h"

namespace qdq::onnx {

// How one ONNX operator is read.
struct ReadRow {
  std::string_view op;    // behind its domain where that is not ONNX's: "com.microsoft.QLinearAdd"
  std::string_view aten;  // for docs/onnx.md: the ATen ops that stand for it
  void (*read)(const In&) = nullptr;
};
using ReadFamily = std::span<const ReadRow>;

// The families, one per file of this folder; all_readers.cc lists them.
ReadFamily read_activation_ops();
ReadFamily read_binary_ops();
ReadFamily read_conv_ops();
ReadFamily read_copy_ops();
ReadFamily read_index_ops();
ReadFamily read_linear_ops();
ReadFamily read_norm_ops();
ReadFamily read_pool_ops();
ReadFamily read_qoperator_ops();
ReadFamily read_qdq_ops();
ReadFamily read_recurrent_ops();
ReadFamily read_reduction_ops();
ReadFamily read_resample_ops();
ReadFamily read_shape_ops();
ReadFamily read_unary_ops();
ReadFamily read_view_ops();

std::span<const ReadFamily> all_readers();
const ReadRow* find_reader(std::string_view op);  // null for an op that has no row

// Ops on integers that are known or come from sizes: computes the result as numbers. False: it has to be a tensor.
bool read_as_sizes(const In& in);

}  // namespace qdq::onnx
