#include <array>
#include <unordered_map>

#include "formats/onnx/read/family.h"

namespace qdq::onnx {

std::span<const ReadFamily> all_readers() {
  static const std::array families = {
      read_conv_ops(),      read_linear_ops(),    read_unary_ops(), read_activation_ops(),
      read_binary_ops(),    read_reduction_ops(), read_norm_ops(),  read_pool_ops(),
      read_resample_ops(),  read_view_ops(),      read_copy_ops(),  read_index_ops(),
      read_recurrent_ops(), read_shape_ops(),     read_qdq_ops(),   read_qoperator_ops(),
  };
  return families;
}

const ReadRow* find_reader(std::string_view op) {
  static const std::unordered_map<std::string_view, const ReadRow*> rows = [] {
    std::unordered_map<std::string_view, const ReadRow*> result;
    for (const ReadFamily& family : all_readers())
      for (const ReadRow& row : family) result.emplace(row.op, &row);
    return result;
  }();
  const auto found = rows.find(op);
  return found == rows.end() ? nullptr : found->second;
}

}  // namespace qdq::onnx
