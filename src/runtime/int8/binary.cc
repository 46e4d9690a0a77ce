#include "runtime/int8/binary.h"

#include <algorithm>
#include <cstring>

#include "runtime/iteration.h"
#include "runtime/parallel.h"

namespace qdq::runtime::int8 {
namespace {

// Elements computed at a time: with spread operands they fit the first-level cache.
constexpr std::int64_t kStretch = 4096;
constexpr std::int64_t kGrain = 8;  // stretches per task

enum : std::size_t { kOut, kA, kB };

// The result in stretches: as many steps of one dimension, with all that lies within, as kStretch holds.
class Stretches {
 public:
  explicit Stretches(std::span<const Tensor> operands)
      : loops_(merge_loops<3>(operands[2].sizes(),
                              {&operands[2].strides(), &operands[0].strides(), &operands[1].strides()})),
        cut_(loops_.rank() - 1) {
    for (; cut_ > 0 && inner_ * loops_.sizes[cut_] < kStretch; --cut_) inner_ *= loops_.sizes[cut_];
    steps_ = std::max<std::int64_t>(1, kStretch / inner_);
    in_cut_ = (loops_.sizes[cut_] + steps_ - 1) / steps_;
    for (std::size_t d = 0; d < cut_; ++d) outer_ *= loops_.sizes[d];
  }

  std::int64_t count() const { return outer_ * in_cut_; }
  std::int64_t longest() const { return std::min(steps_, loops_.sizes[cut_]) * inner_; }
  std::int64_t length(std::int64_t stretch) const { return steps_of(stretch) * inner_; }

  // Of its first element in tensor t.
  std::int64_t offset(std::size_t t, std::int64_t stretch) const {
    std::int64_t offset = stretch % in_cut_ * steps_ * loops_.strides[t][cut_];
    std::int64_t rest = stretch / in_cut_;
    for (std::size_t d = cut_; d-- > 0; rest /= loops_.sizes[d])
      offset += rest % loops_.sizes[d] * loops_.strides[t][d];
    return offset;
  }

  // The elements of a stretch lie in tensor t as they do in the result.
  bool is_plain(std::size_t t) const {
    return std::equal(loops_.strides[t].begin() + static_cast<std::ptrdiff_t>(cut_), loops_.strides[t].end(),
                      loops_.strides[kOut].begin() + static_cast<std::ptrdiff_t>(cut_));
  }

  // Copies the elements of tensor t, from `from` on, to where they lie in the result.
  void spread(std::size_t t, std::uint8_t* to, const std::uint8_t* from, std::int64_t stretch) const {
    spread(t, to, from, cut_, steps_of(stretch));
  }

 private:
  std::int64_t steps_of(std::int64_t stretch) const {
    return std::min(steps_, loops_.sizes[cut_] - stretch % in_cut_ * steps_);
  }

  void spread(std::size_t t, std::uint8_t* to, const std::uint8_t* from, std::size_t d, std::int64_t size) const {
    const std::int64_t step = loops_.strides[t][d], to_step = loops_.strides[kOut][d];
    if (d + 1 == loops_.rank()) {
      if (step == 0)
        std::memset(to, *from, static_cast<std::size_t>(size));
      else if (step == 1)
        std::memcpy(to, from, static_cast<std::size_t>(size));
      else
        for (std::int64_t i = 0; i < size; ++i) to[i] = from[i * step];
      return;
    }
    for (std::int64_t i = 0; i < size; ++i) spread(t, to + i * to_step, from + i * step, d + 1, loops_.sizes[d + 1]);
  }

  Loops<3> loops_;
  std::size_t cut_;
  std::int64_t inner_ = 1, steps_ = 1, in_cut_ = 1, outer_ = 1;
};

// An operand's elements, stretch by stretch. What repeats, as a bias does, is spread once.
class Reader {
 public:
  // What is spread goes to `memory`.
  Reader(const Stretches& stretches, std::size_t which, const std::uint8_t* data, std::vector<std::uint8_t>& memory)
      : stretches_(stretches), which_(which), data_(data), is_plain_(stretches.is_plain(which)), spread_(memory) {
    if (!is_plain_) spread_.resize(static_cast<std::size_t>(stretches.longest()));
  }

  const std::uint8_t* elements(std::int64_t stretch) {
    const std::int64_t offset = stretches_.offset(which_, stretch), length = stretches_.length(stretch);
    if (is_plain_) return data_ + offset;
    if (offset != known_offset_ || length > known_length_) {
      stretches_.spread(which_, spread_.data(), data_ + offset, stretch);
      known_offset_ = offset;
      known_length_ = length;
    }
    return spread_.data();
  }

 private:
  const Stretches& stretches_;
  std::size_t which_;
  const std::uint8_t* data_;
  bool is_plain_;
  std::vector<std::uint8_t>& spread_;
  std::int64_t known_offset_ = -1, known_length_ = 0;
};

template <typename Rescale>
using BinaryKernel = void (*)(std::uint8_t* out, const std::uint8_t* a, const std::uint8_t* b, std::int64_t n,
                              const Rescale& rescale);

template <typename Rescale>
Step binary_step(std::string name, std::string kind, const Tensor& a, const Tensor& b, const Tensor& out,
                 BinaryKernel<Rescale> kernel, const Rescale& rescale) {
  Step step{std::move(name), std::move(kind), {a, b}, {out}, nullptr};
  step.bind = [kernel, rescale](std::span<const Tensor> operands) -> Kernel {
    return [kernel, rescale, stretches = Stretches(operands), a = operands[0].data<std::uint8_t>(),
            b = operands[1].data<std::uint8_t>(), out = operands[2].data<std::uint8_t>()] {
      parallel_for(stretches.count(), kGrain, [&](std::int64_t begin, std::int64_t end) {
        static thread_local std::vector<std::uint8_t> left_memory, right_memory;
        Reader left(stretches, kA, a, left_memory), right(stretches, kB, b, right_memory);
        for (std::int64_t i = begin; i < end; ++i)
          kernel(out + stretches.offset(kOut, i), left.elements(i), right.elements(i), stretches.length(i), rescale);
      });
    };
  };
  return step;
}

}  // namespace

Step addition_step(std::string name, const Kernels& kernels, const Tensor& a, const Tensor& b, const Tensor& out,
                   const Addition& addition) {
  return binary_step(std::move(name), "int8:add", a, b, out, kernels.add, addition);
}

Step multiplication_step(std::string name, const Kernels& kernels, const Tensor& a, const Tensor& b, const Tensor& out,
                         const Multiplication& multiplication) {
  return binary_step(std::move(name), "int8:mul", a, b, out, kernels.multiply, multiplication);
}

}  // namespace qdq::runtime::int8
