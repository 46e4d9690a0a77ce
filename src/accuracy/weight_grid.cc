#include "accuracy/weight_grid.h"

#include <algorithm>

#include "qdq/error.h"
#include "tensor/quant_math.h"

namespace qdq {
namespace {

std::vector<float> floats_of(const Tensor& tensor) {
  const Tensor plain = tensor.to(DType::float32).contiguous();
  return {plain.data<float>(), plain.data<float>() + plain.numel()};
}

// The block of each element in row-major order, blocks counted in row-major order too.
std::vector<std::uint32_t> blocks_of(const Shape& sizes, const Shape& block) {
  std::vector<std::uint32_t> result(static_cast<std::size_t>(numel(sizes)));
  std::size_t outer = sizes.size();
  std::int64_t run = 1;  // elements in the last dimensions, when a block covers them whole
  while (outer > 0 && block[outer - 1] == sizes[outer - 1]) run *= sizes[--outer];
  Shape at(outer, 0);
  for (auto number = result.begin(); number != result.end(); number += run) {
    std::int64_t flat = 0;
    for (std::size_t d = 0; d < outer; ++d) flat = flat * (sizes[d] / block[d]) + at[d] / block[d];
    std::fill_n(number, run, static_cast<std::uint32_t>(flat));
    for (std::size_t d = outer; d-- > 0;) {
      if (++at[d] < sizes[d]) break;
      at[d] = 0;
    }
  }
  return result;
}

Shape block_size(const Observer& observer, const Shape& sizes) {
  if (const AffineConfig* affine = observer.affine()) return block_size_of(affine->granularity, sizes);
  Shape block = sizes;
  if (is_per_channel(observer.qscheme())) {
    const std::int64_t axis = observer.ch_axis().value_or(0);
    block[static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(sizes.size()) : axis)] = 1;
  }
  return block;
}

}  // namespace

std::optional<WeightGrid> WeightGrid::of(Observer& observer, const Tensor& weight, std::string* why_not) {
  const auto refuse = [&](const std::string& why) {
    if (why_not) *why_not = why;
    return std::nullopt;
  };
  const AffineConfig* affine = observer.affine();
  if (affine && affine->zero_point_domain == ZeroPointDomain::floating)
    return refuse("its zero points are real numbers");
  if (observer.qscheme() == QScheme::per_channel_affine_float_qparams && !affine)
    return refuse("its zero points are real numbers");
  if (observer.is_dynamic() || is_floating_point(observer.dtype()))
    return refuse("its weight is cast to " + std::string(name(observer.dtype())) + ", not put on a grid");
  if (weight.numel() == 0) return refuse("its weight is empty");
  if (!observer.has_observed()) observer.observe(weight);
  QParams qparams;
  try {
    qparams = observer.calculate_qparams();
  } catch (const InvalidArgumentError& error) {
    return refuse(error.what());
  }
  WeightGrid grid;
  grid.scales_ = floats_of(qparams.scale);
  grid.zero_points_ =
      qparams.zero_point.defined() ? floats_of(qparams.zero_point) : std::vector<float>(grid.scales_.size(), 0.0F);
  if (grid.scales_.size() > 1) grid.block_of_ = blocks_of(weight.sizes(), block_size(observer, weight.sizes()));
  const std::size_t blocks = grid.block_of_.empty() ? 1 : grid.block_of_.back() + std::size_t{1};
  if (blocks != grid.scales_.size())
    throw InternalError("[accuracy] an observer gave " + std::to_string(grid.scales_.size()) +
                        " scales for a weight of sizes " + to_string(weight.sizes()));
  grid.quant_min_ = static_cast<float>(observer.quant_min());
  grid.quant_max_ = static_cast<float>(observer.quant_max());
  return grid;
}

WeightGrid WeightGrid::scaled(float factor) const {
  WeightGrid grid = *this;
  for (float& scale : grid.scales_) scale *= factor;
  return grid;
}

float WeightGrid::value(std::int64_t element, float q) const {
  return dequantize(clamp_keeping_nan(q, quant_min_, quant_max_), scale(element), zero_point(element));
}

float WeightGrid::nearest(std::int64_t element, float weight) const {
  const float inverse = 1.0F / scale(element);
  return dequantize(quantize_to_float(weight, inverse, zero_point(element), quant_min_, quant_max_), scale(element),
                    zero_point(element));
}

Tensor WeightGrid::nearest(const Tensor& weight) const {
  Tensor result = weight.to(DType::float32).clone();
  float* values = result.data<float>();
  for (std::int64_t i = 0; i < result.numel(); ++i) values[i] = nearest(i, values[i]);
  return result;
}

}  // namespace qdq
