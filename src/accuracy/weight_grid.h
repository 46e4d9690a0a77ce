#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "qdq/observer.h"

namespace qdq {

// The values that a quantized weight can take: (q - zero_point) * scale for quant_min <= q <= quant_max, with a scale and
// a zero point for each element, whatever the granularity (per tensor, per channel, per group).
class WeightGrid {
 public:
  // Shows `weight` to an observer that has seen nothing. Empty, with the reason, for qparams that are no integer grid:
  // placeholders, zero points that are real numbers.
  static std::optional<WeightGrid> of(Observer& observer, const Tensor& weight, std::string* why_not = nullptr);

  // Elements of one block share their scale; blocks count from 0.
  std::size_t block(std::int64_t element) const {
    return block_of_.empty() ? 0 : block_of_[static_cast<std::size_t>(element)];
  }
  std::size_t blocks() const { return scales_.size(); }
  float scale(std::int64_t element) const { return scales_[block(element)]; }
  float zero_point(std::int64_t element) const { return zero_points_[block(element)]; }
  float quant_min() const { return quant_min_; }
  float quant_max() const { return quant_max_; }

  // The same integers with every scale multiplied.
  WeightGrid scaled(float factor) const;

  // clamp(q) as a real number.
  float value(std::int64_t element, float q) const;
  // The nearest value of the grid, as convert will choose it; ties to even.
  float nearest(std::int64_t element, float weight) const;
  Tensor nearest(const Tensor& weight) const;  // float32, contiguous

 private:
  std::vector<float> scales_;  // one for each block
  std::vector<float> zero_points_;
  std::vector<std::uint32_t> block_of_;  // of each element in row-major order; empty: there is one
  float quant_min_ = 0;
  float quant_max_ = 0;
};

}  // namespace qdq
