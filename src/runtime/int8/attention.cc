#include "runtime/int8/attention.h"

#include <limits>

#include "runtime/int8/matrices.h"

namespace qdq::runtime::int8 {
namespace {

constexpr std::int64_t kScoreRows = 24;  // rows whose scores stay in the first-level cache
constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Scratch {
  PackedColumns keys, values;
  PaddedRows queries, weights;
  std::vector<float> scores, mask, products;
  std::vector<const float*> mask_rows;
  std::vector<std::uint8_t> bytes;
  std::vector<std::int32_t> totals;
};

// The mask's rows, where they lie unless their elements have gaps, or null.
const float* const* mask_rows(const Tensor& mask, std::int64_t matrix, std::int64_t first, std::int64_t count,
                              Scratch& scratch) {
  if (!mask.defined()) return nullptr;
  const std::int64_t n = mask.size(-1), step = stride(mask, 1);
  scratch.mask_rows.resize(static_cast<std::size_t>(count));
  if (step != 1) scratch.mask.resize(static_cast<std::size_t>(count * n));
  const float* from = mask.data<float>() + batch_offset(mask, matrix) + first * stride(mask, 2);
  for (std::int64_t r = 0; r < count; ++r, from += stride(mask, 2)) {
    scratch.mask_rows[static_cast<std::size_t>(r)] = from;
    if (step == 1) continue;
    float* copy = scratch.mask.data() + r * n;
    for (std::int64_t i = 0; i < n; ++i) copy[i] = from[i * step];
    scratch.mask_rows[static_cast<std::size_t>(r)] = copy;
  }
  return scratch.mask_rows.data();
}

// An attention that is bound to its memory.
class Bound {
 public:
  Bound(const Attention& attention, const Kernels& kernels, std::span<const Tensor> operands)
      : t_(attention),
        kernels_(kernels),
        query_(operands[0]),
        key_(operands[1]),
        value_(operands[2]),
        mask_(attention.mask.defined() ? operands[3] : Tensor()),
        dst_(operands.back()),
        keys_(key_.size(-1)),
        padded_keys_((keys_ + 3) / 4 * 4) {}

  void run() const {
    for_each_stretch(matrices_of(dst_), dst_.size(-2), [&](std::int64_t head, std::int64_t first, std::int64_t count) {
      static thread_local Scratch scratch;
      const std::int64_t key_head = head / (query_.size(1) / key_.size(1));
      const float zero = t_.probabilities ? t_.probabilities->zero_point : 0.0f;
      pack(scratch.keys, kernels_, key_, key_head, t_.key.zero_point, t_.query.zero_point);
      pack(scratch.values, kernels_, value_, key_head, t_.value.zero_point, static_cast<std::int32_t>(zero));
      for (std::int64_t row = first; row < first + count; row += kScoreRows)
        attend(scratch, head, row, std::min(kScoreRows, first + count - row));
    });
  }

 private:
  void attend(Scratch& scratch, std::int64_t head, std::int64_t row, std::int64_t rows) const {
    scratch.scores.resize(static_cast<std::size_t>(kScoreRows * keys_));
    scratch.bytes.resize(static_cast<std::size_t>(2 * kScoreRows * padded_keys_));
    scratch.queries.point_to(matrix_at(query_, head) + row * stride(query_, 2), stride(query_, 2), rows,
                             query_.size(-1));
    scratch.keys.multiply(scratch.queries.data(), rows, {t_.score_multiplier, 0.0f, -kInfinity, kInfinity},
                          scratch.scores.data(), keys_, true);
    if (t_.probabilities)
      add_values_of_bytes(scratch, head, row, rows);
    else
      add_values_of_weights(scratch, head, row, rows);
  }

  void add_values_of_bytes(Scratch& scratch, std::int64_t head, std::int64_t row, std::int64_t rows) const {
    kernels_.softmax(scratch.bytes.data(), padded_keys_, scratch.scores.data(), keys_,
                     mask_rows(mask_, head, row, rows, scratch), rows, keys_, *t_.probabilities);
    scratch.weights.point_to(scratch.bytes.data(), padded_keys_, rows, padded_keys_);
    scratch.values.multiply(scratch.weights.data(), rows, t_.rescale, result_at(head, row), stride(dst_, 2),
                            dst_.dtype() == DType::float32);
  }

  // The upper halves of the weights and the lower ones take part as rows of their own.
  void add_values_of_weights(Scratch& scratch, std::int64_t head, std::int64_t row, std::int64_t rows) const {
    const std::int64_t width = dst_.size(-1);
    scratch.totals.resize(kScoreRows);
    scratch.products.resize(static_cast<std::size_t>(2 * kScoreRows * width));
    std::uint8_t *upper = scratch.bytes.data(), *lower = upper + rows * padded_keys_;
    const float* const* masks = mask_rows(mask_, head, row, rows, scratch);
    if (!t_.causal) {
      kernels_.weigh(upper, lower, padded_keys_, scratch.totals.data(), scratch.scores.data(), keys_, masks, rows,
                     keys_);
    } else {
      for (std::int64_t r = 0; r < rows; ++r) {
        const std::int64_t seen = std::min(keys_, row + r + 1), at = r * padded_keys_;
        kernels_.weigh(upper + at, lower + at, padded_keys_, scratch.totals.data() + r,
                       scratch.scores.data() + r * keys_, keys_, nullptr, 1, seen);
        std::fill(upper + at + seen, upper + at + keys_, std::uint8_t{0});
        std::fill(lower + at + seen, lower + at + keys_, std::uint8_t{0});
      }
    }
    scratch.weights.point_to(upper, padded_keys_, 2 * rows, padded_keys_);
    float* products = scratch.products.data();
    scratch.values.multiply(scratch.weights.data(), 2 * rows, {1.0f, 0.0f, -kInfinity, kInfinity}, products, width,
                            true);
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int32_t total = scratch.totals[static_cast<std::size_t>(r)];
      const float multiplier = total == 0 ? 0.0f : t_.rescale.multiplier / static_cast<float>(total);
      kernels_.join(result_at(head, row + r), dst_.dtype() == DType::float32, products + r * width,
                    products + (rows + r) * width, width,
                    {multiplier, t_.rescale.offset, t_.rescale.low, t_.rescale.high});
    }
  }

  std::byte* result_at(std::int64_t head, std::int64_t row) const {
    return element_at(dst_, batch_offset(dst_, head) + row * stride(dst_, 2));
  }

  Attention t_;
  const Kernels& kernels_;
  Tensor query_, key_, value_, mask_, dst_;
  std::int64_t keys_, padded_keys_;
};

}  // namespace

Step attention_step(std::string name, const Kernels& kernels, const Attention& attention) {
  const Attention& t = attention;
  Step step{std::move(name), "int8:attention", {t.query.bytes, t.key.bytes, t.value.bytes}, {t.dst}, nullptr};
  if (t.mask.defined()) step.reads.push_back(t.mask);
  step.operations = 2 * (t.query.bytes.numel() + t.dst.numel()) * t.key.bytes.size(-1);
  step.bind = [&kernels, t](std::span<const Tensor> operands) -> Kernel {
    return [bound = Bound(t, kernels, operands)] { bound.run(); };
  };
  return step;
}

}  // namespace qdq::runtime::int8
