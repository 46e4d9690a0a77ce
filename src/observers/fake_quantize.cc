#include "qdq/fake_quantize.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <type_traits>
#include <vector>

#include "qdq/error.h"
#include "tensor/quant_math.h"

namespace qdq {
namespace {

[[noreturn]] void refuse(const std::string& why) { throw InvalidArgumentError("[fake_quantize_affine] " + why); }

// Runs over a contiguous tensor in pieces that lie in one block each.
class BlockRuns {
 public:
  BlockRuns(const Shape& sizes, const Shape& block_size) : sizes_(sizes), block_(block_size) {
    if (block_.size() != sizes_.size())
      refuse("one block size per dimension expected, found " + to_string(block_) + " for sizes " + to_string(sizes_));
    blocks_.resize(sizes_.size());
    for (std::size_t d = sizes_.size(); d-- > 0;) {
      if (block_[d] < 1 || sizes_[d] % block_[d] != 0)
        refuse("blocks of " + to_string(block_) + " do not divide sizes " + to_string(sizes_));
      blocks_[d] = count_;
      count_ *= sizes_[d] / block_[d];
    }
  }

  std::int64_t count() const { return count_; }

  // fn(block, offset, length) for each piece, in memory order.
  template <typename Fn>
  void for_each(Fn&& fn) const {
    const std::int64_t total = numel(sizes_);
    if (total == 0) return;
    if (sizes_.empty()) return fn(std::int64_t{0}, std::int64_t{0}, std::int64_t{1});
    // Trailing dimensions that lie in one block as a whole make one piece.
    std::size_t last = sizes_.size() - 1;
    std::int64_t length = block_[last];
    while (last > 0 && block_[last] == sizes_[last]) length *= block_[--last];
    const std::int64_t pieces = sizes_[last] / block_[last];
    std::vector<std::int64_t> index(last, 0);  // of the dimensions before `last`
    for (std::int64_t offset = 0; offset < total;) {
      std::int64_t block = 0;
      for (std::size_t d = 0; d < last; ++d) block += index[d] / block_[d] * blocks_[d];
      for (std::int64_t piece = 0; piece < pieces; ++piece, block += blocks_[last], offset += length)
        fn(block, offset, length);
      for (std::size_t d = last; d-- > 0;) {
        if (++index[d] < sizes_[d]) break;
        index[d] = 0;
      }
    }
  }

 private:
  Shape sizes_, block_;
  Shape blocks_;  // how far a step to the next block of each dimension is
  std::int64_t count_ = 1;
};

template <typename T>
struct Levels {
  T scale, zero_point, low, high;
};

// round_half_even in two additions, which compilers vectorise, for values below 2^22 (2^51 in double): beyond it the sum
// loses the bits behind the point, and rounds as it does so.
template <typename T>
T round_small(T value) {
  constexpr T magic = std::is_same_v<T, float> ? T{0x1.8p23} : T{0x1.8p52};
  return (value + magic) - magic;
}

// Values beyond this are outside of all bounds and zero points below half of it, rounded or not.
constexpr double kSmall = 0x1p21;

template <typename T>
bool is_small(const Levels<T>& levels) {
  return std::max({std::fabs(levels.low), std::fabs(levels.high), std::fabs(levels.zero_point)}) < T{kSmall / 4};
}

template <typename T, typename Round>
void fake_quantize_integer(const T* in, T* out, bool* inside, std::int64_t length, const Levels<T>& levels,
                           Round&& round) {
  const T inverse = T{1} / levels.scale;
  for (std::int64_t i = 0; i < length; ++i) {
    const T level = round(in[i] * inverse) + levels.zero_point;
    inside[i] = (level >= levels.low) & (level <= levels.high);
    out[i] = dequantize(clamp_keeping_nan(level, levels.low, levels.high), levels.scale, levels.zero_point);
  }
}

template <typename T>
void fake_quantize_integer(const T* in, T* out, bool* inside, std::int64_t length, const Levels<T>& levels) {
  if (is_small(levels))
    fake_quantize_integer(in, out, inside, length, levels,
                          [](T x) { return round_small(clamp_keeping_nan(x, T{-kSmall}, T{kSmall})); });
  else
    fake_quantize_integer(in, out, inside, length, levels, [](T x) { return round_half_even(x); });
}

template <typename T>
void fake_quantize_floating(const T* in, T* out, bool* inside, std::int64_t length, const Levels<T>& levels) {
  const T middle = (levels.high + levels.low + 1) / 2;
  const T start = levels.zero_point - levels.scale * middle;
  for (std::int64_t i = 0; i < length; ++i) {
    const T level = round_half_even((in[i] - start) / levels.scale);
    inside[i] = level >= levels.low && level <= levels.high;
    const T scaled = (clamp_keeping_nan(level, levels.low, levels.high) - middle) * levels.scale;
    out[i] = scaled + levels.zero_point;
  }
}

// The elements for the blocks of `qparams`; null for a tensor that is not defined.
Tensor per_block(const Tensor& tensor, DType dtype, const BlockRuns& runs, const char* what) {
  if (!tensor.defined()) return {};
  if (tensor.numel() != runs.count())
    refuse("a " + std::string(what) + " for each of " + std::to_string(runs.count()) + " blocks expected, found " +
           std::to_string(tensor.numel()));
  return tensor.to(dtype).contiguous();
}

template <typename T>
FakeQuantized run(const Tensor& input, const AffineQParams& qparams) {
  constexpr DType dtype = dtype_of<T>();
  const BlockRuns runs(input.sizes(), qparams.block_size);
  const Tensor scale = per_block(qparams.scale, dtype, runs, "scale");
  const Tensor zero_point = per_block(qparams.zero_point, dtype, runs, "zero point");
  const bool floating = qparams.zero_point_domain == ZeroPointDomain::floating;
  if (!scale.defined()) refuse("a scale expected");
  if (floating && !zero_point.defined()) refuse("a zero point of the floating domain expected");
  const Tensor wide = input.to(dtype).contiguous();
  Tensor values = Tensor::empty(dtype, input.sizes());
  Tensor inside = Tensor::empty(DType::bool_, input.sizes());
  runs.for_each([&](std::int64_t block, std::int64_t offset, std::int64_t length) {
    const Levels<T> levels{scale.data<T>()[block], zero_point.defined() ? zero_point.data<T>()[block] : T{0},
                           static_cast<T>(qparams.quant_min), static_cast<T>(qparams.quant_max)};
    const T* in = wide.data<T>() + offset;
    T* out = values.data<T>() + offset;
    bool* is_inside = inside.data<bool>() + offset;
    if (floating)
      fake_quantize_floating(in, out, is_inside, length, levels);
    else
      fake_quantize_integer(in, out, is_inside, length, levels);
  });
  return {values.to(input.dtype()), inside};
}

template <typename T>
Tensor run_backward(const Tensor& gradient, const Tensor& inside, const AffineQParams& qparams) {
  constexpr DType dtype = dtype_of<T>();
  const BlockRuns runs(gradient.sizes(), qparams.block_size);
  const Tensor scale = per_block(qparams.scale, dtype, runs, "scale");
  const Tensor wide = gradient.to(dtype).contiguous();
  const Tensor mask = inside.contiguous();
  Tensor result = Tensor::empty(dtype, gradient.sizes());
  runs.for_each([&](std::int64_t block, std::int64_t offset, std::int64_t length) {
    const T s = scale.data<T>()[block];
    const T inverse = T{1} / s;
    const T* in = wide.data<T>() + offset;
    const bool* keep = mask.data<bool>() + offset;
    T* out = result.data<T>() + offset;
    for (std::int64_t i = 0; i < length; ++i) out[i] = in[i] * s * inverse * static_cast<T>(keep[i]);
  });
  return result.to(gradient.dtype());
}

void check_floating(const Tensor& tensor) {
  if (!is_floating_point(tensor.dtype()))
    refuse("a floating-point tensor expected, found " + std::string(name(tensor.dtype())));
}

}  // namespace

FakeQuantized fake_quantize_affine(const Tensor& input, const AffineQParams& qparams) {
  check_floating(input);
  return input.dtype() == DType::float64 ? run<double>(input, qparams) : run<float>(input, qparams);
}

Tensor fake_quantize_affine_backward(const Tensor& gradient, const Tensor& inside, const AffineQParams& qparams) {
  check_floating(gradient);
  if (inside.dtype() != DType::bool_ || inside.sizes() != gradient.sizes())
    refuse("a mask of sizes " + to_string(gradient.sizes()) + " expected, found " + to_string(inside.sizes()));
  return gradient.dtype() == DType::float64 ? run_backward<double>(gradient, inside, qparams)
                                            : run_backward<float>(gradient, inside, qparams);
}

}  // namespace qdq
