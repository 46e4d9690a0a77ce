#pragma once
// The vocabulary of affine observers (torchao.quantization.granularity and quant_primitives): how a tensor is cut into
// blocks that share one scale and zero point, and how these are chosen.
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "qdq/tensor.h"

namespace qdq {

struct PerTensor {
  friend bool operator==(const PerTensor&, const PerTensor&) = default;
};
// One block for each index of `axis`, over all other dimensions.
struct PerAxis {
  std::int64_t axis = 0;
  friend bool operator==(const PerAxis&, const PerAxis&) = default;
};
// Runs of `group_size` elements of the last dimension.
struct PerGroup {
  std::int64_t group_size = 0;
  friend bool operator==(const PerGroup&, const PerGroup&) = default;
};
// The last dimension as a whole: one block for each token.
struct PerToken {
  friend bool operator==(const PerToken&, const PerToken&) = default;
};
// Dimension `dim` as a whole.
struct PerRow {
  std::int64_t dim = -1;
  friend bool operator==(const PerRow&, const PerRow&) = default;
};
// Blocks of these sizes; of the last dimensions where there are fewer of them than dimensions.
struct PerBlock {
  Shape block_size;
  friend bool operator==(const PerBlock&, const PerBlock&) = default;
};
using Granularity = std::variant<PerTensor, PerAxis, PerGroup, PerToken, PerRow, PerBlock>;

// "PerTensor", "PerAxis(1)", "PerGroup(32)", "PerToken", "PerRow(-1)", "PerBlock(2,4)", and back; empty for other texts.
std::string to_string(const Granularity& granularity);
std::optional<Granularity> granularity_from_text(std::string_view text);

// The size of a block of a tensor of these sizes in each dimension. Throws InvalidArgumentError where blocks do not
// divide the sizes, or for a dimension that is not there.
Shape block_size_of(const Granularity& granularity, std::span<const std::int64_t> sizes);

// How bounds become a scale and a zero point (docs/numerics.md).
enum class MappingType : std::uint8_t { symmetric, symmetric_no_clipping_err, asymmetric };
std::string_view name(MappingType mapping_type);  // "SYMMETRIC", "SYMMETRIC_NO_CLIPPING_ERR", "ASYMMETRIC"

// What a zero point is: the integer that stands for 0, the real number that the middle of the range stands for, or none.
enum class ZeroPointDomain : std::uint8_t { integer, floating, none };
std::string_view name(ZeroPointDomain zero_point_domain);  // "INT", "FLOAT", "NONE"

// What an affine observer was built with, for the operators that quantize by blocks. Fields left empty were not given.
struct AffineConfig {
  MappingType mapping_type = MappingType::asymmetric;
  DType target_dtype = DType::int8;
  Granularity granularity;
  std::optional<std::int64_t> quant_min;
  std::optional<std::int64_t> quant_max;
  std::optional<double> eps;
  std::optional<DType> scale_dtype;
  std::optional<DType> zero_point_dtype;
  bool preserve_zero = true;
  ZeroPointDomain zero_point_domain = ZeroPointDomain::integer;
  // Of the newest value that was observed; empty before the first.
  std::optional<Shape> block_size;
};

}  // namespace qdq
