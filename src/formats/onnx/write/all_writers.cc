#include <array>
#include <unordered_map>

#include "formats/onnx/write/family.h"

namespace qdq::onnx {

std::span<const WriteFamily> all_writers() {
  static const std::array families = {
      write_conv_ops(),      write_linear_ops(),   write_attention_ops(), write_unary_ops(), write_activation_ops(),
      write_binary_ops(),    write_compare_ops(),  write_reduction_ops(), write_norm_ops(),  write_pool_ops(),
      write_resample_ops(),  write_view_ops(),     write_copy_ops(),      write_index_ops(), write_creation_ops(),
      write_recurrent_ops(), write_symbolic_ops(), write_qdq_ops(),
  };
  return families;
}

const WriteRow* find_writer(std::string_view target) {
  static const std::unordered_map<std::string_view, const WriteRow*> rows = [] {
    std::unordered_map<std::string_view, const WriteRow*> result;
    for (const WriteFamily& family : all_writers())
      for (const WriteRow& row : family) result.emplace(row.target, &row);
    return result;
  }();
  const auto found = rows.find(target);
  return found == rows.end() ? nullptr : found->second;
}

}  // namespace qdq::onnx
