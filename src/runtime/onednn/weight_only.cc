#include "runtime/onednn/weight_only.h"

#include <algorithm>
#include <vector>

#include "runtime/kernels/kernels.h"
#include "runtime/onednn/onednn.h"
#include "runtime/parallel.h"

namespace qdq::runtime::onednn {
namespace {

constexpr std::int64_t kFewRows = 4;         // up to here weights are read once for each row, in int8
constexpr std::int64_t kFloats = 64 * 1024;  // of the weight at a time: they stay in the second-level cache
constexpr std::int64_t kChannelsPerTask = 16;

class Bound {
 public:
  Bound(const WeightOnlyLinear& linear, std::span<const Tensor> operands)
      : rows_(linear.src.size(0)),
        depth_(linear.src.size(1)),
        channels_(linear.values.size(0)),
        groups_(linear.scales.size(1)),
        src_(operands[0].data<float>()),
        src_stride_(operands[0].strides()[0]),
        values_(operands[1].data<std::int8_t>()),
        scales_(operands[2].data<float>()),
        zero_points_(linear.zero_points.defined() ? operands[3].data<float>() : nullptr),
        bias_(linear.bias.defined() ? operands[operands.size() - 2].data<float>() : nullptr),
        bias_stride_(linear.bias.defined() ? linear.bias.strides()[0] : 0),
        dst_(operands.back().data<float>()) {}

  void run() const {
    if (rows_ <= kFewRows)
      parallel_for(channels_, kChannelsPerTask, [&](std::int64_t begin, std::int64_t end) { dot(begin, end); });
    else
      parallel_for(channels_, block(), [&](std::int64_t begin, std::int64_t end) { multiply(begin, end); });
  }

 private:
  std::int64_t block() const {
    return std::clamp<std::int64_t>(kFloats / depth_, kChannelsPerTask, std::max(channels_, kChannelsPerTask));
  }
  std::int64_t group() const { return depth_ / groups_; }
  float bias_at(std::int64_t channel) const { return bias_ ? bias_[channel * bias_stride_] : 0.0f; }
  const float* zero_points_of(std::int64_t channel) const {
    return zero_points_ ? zero_points_ + channel * groups_ : nullptr;
  }

  void dot(std::int64_t begin, std::int64_t end) const {
    for (std::int64_t c = begin; c < end; ++c)
      for (std::int64_t r = 0; r < rows_; ++r)
        dst_[r * channels_ + c] = kernels().dot_groups(src_ + r * src_stride_, values_ + c * depth_,
                                                       scales_ + c * groups_, zero_points_of(c), groups_, group()) +
                                  bias_at(c);
  }

  // Channels [begin, end): their weights become floats first.
  void multiply(std::int64_t begin, std::int64_t end) const {
    static thread_local std::vector<float> weights;
    const std::int64_t count = end - begin;
    weights.resize(static_cast<std::size_t>(count * depth_));
    for (std::int64_t c = 0; c < count; ++c)
      kernels().dequantize_groups(weights.data() + c * depth_, values_ + (begin + c) * depth_,
                                  scales_ + (begin + c) * groups_, zero_points_of(begin + c), groups_, group());
    float* out = dst_ + begin;
    gemm(rows_, count, depth_, 1.0f, {src_, src_stride_, 1}, {weights.data(), 1, depth_}, 0.0f, out, channels_);
    if (!bias_) return;
    for (std::int64_t r = 0; r < rows_; ++r)
      for (std::int64_t c = 0; c < count; ++c) out[r * channels_ + c] += bias_at(begin + c);
  }

  std::int64_t rows_, depth_, channels_, groups_;
  const float* src_;
  std::int64_t src_stride_;
  const std::int8_t* values_;
  const float* scales_;
  const float* zero_points_;
  const float* bias_;
  std::int64_t bias_stride_;
  float* dst_;
};

}  // namespace

Step weight_only_linear_step(std::string name, const WeightOnlyLinear& linear) {
  Step step{std::move(name), "weight_only_linear", {linear.src, linear.values, linear.scales}, {linear.dst}, nullptr};
  step.calls_onednn = true;
  for (const Tensor& operand : {linear.zero_points, linear.bias})
    if (operand.defined()) step.reads.push_back(operand);
  step.operations = 2 * linear.dst.numel() * linear.values.size(1);
  step.bind = [linear](std::span<const Tensor> operands) -> Kernel {
    return [bound = Bound(linear, operands)] { bound.run(); };
  };
  return step;
}

}  // namespace qdq::runtime::onednn
