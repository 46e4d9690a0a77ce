#include <array>

#include "ops/family.h"

namespace qdq {

std::span<const OpFamily> all_families() {
  static const std::array families = {
      conv_ops(),    linear_ops(),    attention_ops(), unary_ops(),     activation_ops(), binary_ops(),
      compare_ops(), reduction_ops(), norm_ops(),      pool_ops(),      resample_ops(),   view_ops(),
      copy_ops(),    index_ops(),     creation_ops(),  recurrent_ops(), symbolic_ops(),   qdq_ops(),
  };
  return families;
}

}  // namespace qdq
