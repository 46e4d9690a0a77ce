#include "observers/histogram_remap.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace qdq {
namespace {

constexpr std::int64_t kParts = 16;

// One point of torch.linspace in float32: counted up from the start in the first half, down from the end in the rest,
// each with one fused multiply-add.
class Linspace {
 public:
  Linspace(float start, float end, std::int64_t points)
      : start_(start), end_(end), step_((end - start) / static_cast<float>(points - 1)), points_(points) {}
  float operator[](std::int64_t i) const {
    return i < points_ / 2 ? std::fma(step_, static_cast<float>(i), start_)
                           : std::fma(-step_, static_cast<float>(points_ - 1 - i), end_);
  }
  float step() const { return step_; }
  // Each half ascends; the seam between them can go down by a rounding error when a step is as small as that.
  bool ascends() const { return points_ < 2 || (*this)[points_ / 2 - 1] <= (*this)[points_ / 2]; }

 private:
  float start_, end_, step_;
  std::int64_t points_;
};

// The parts of the old bins, in their order.
class Parts {
 public:
  Parts(std::span<const float> histogram, float min, float max)
      : histogram_(histogram),
        edges_(min, max, size() + 1),
        half_width_(0.5f * ((max - min) / static_cast<float>(size()))) {}

  std::int64_t size() const { return static_cast<std::int64_t>(histogram_.size()) * kParts; }
  bool ascend() const { return edges_.ascends(); }
  float centre(std::int64_t i) const { return edges_[i] + half_width_; }
  float count(std::int64_t i) const {
    return histogram_[static_cast<std::size_t>(i / kParts)] / static_cast<float>(kParts);
  }

  // The first part from `from` on whose centre is at or above `edge`; the centres ascend.
  std::int64_t first_at(float edge, std::int64_t from) const {
    const auto is_below = [&](std::int64_t i) { return centre(i) < edge; };
    const double distance =
        (static_cast<double>(edge) - static_cast<double>(centre(0))) / static_cast<double>(edges_.step());
    if (distance > static_cast<double>(from) && distance < static_cast<double>(size() - 2)) {
      // Rounding moves the answer by a part at most, unless parts are narrower than float32 resolves.
      std::int64_t guess = static_cast<std::int64_t>(distance);
      for (int k = 0; k < 2 && is_below(guess); ++k) ++guess;
      if (guess > from && !is_below(guess) && is_below(guess - 1)) return guess;
    }
    std::int64_t low = from, high = size();
    while (low < high) {
      const std::int64_t middle = low + (high - low) / 2;
      if (is_below(middle))
        low = middle + 1;
      else
        high = middle;
    }
    return low;
  }

  // The counts of the parts first..last - 1 added one after the other in float32.
  float sum(std::int64_t first, std::int64_t last) const {
    // While all sums are multiples of the lowest bit of any count and below 2^24 of it, nothing is rounded and the
    // parts of one bin can be added at once.
    double exact = 0.0;
    float lowest_bit = std::numeric_limits<float>::infinity();
    for (std::int64_t i = first, next; i < last; i = next) {
      next = std::min((i / kParts + 1) * kParts, last);
      const float part = count(i);
      if (part == 0.0f) continue;
      exact += static_cast<double>(next - i) * static_cast<double>(part);
      lowest_bit = std::min(lowest_bit, lowest_bit_of(part));
    }
    if (exact < 0x1p24 * static_cast<double>(lowest_bit)) return static_cast<float>(exact);
    float sum = 0.0f;
    for (std::int64_t i = first; i < last; ++i) sum += count(i);
    return sum;
  }

 private:
  static float lowest_bit_of(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const auto zeros = static_cast<std::uint32_t>(std::countr_zero((bits & 0x7fffffu) | 0x800000u));
    const std::uint32_t exponent = bits >> 23;
    return exponent + zeros > 23 ? std::bit_cast<float>((exponent + zeros - 23) << 23) : 0.0f;
  }

  std::span<const float> histogram_;
  Linspace edges_;
  float half_width_;
};

// How many of `edges` are <= value, by torch's bisection, which has an answer for unsorted edges as well.
std::int64_t bucketize(const Linspace& edges, std::int64_t size, float value) {
  std::int64_t low = 0, high = size;
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    if (!(edges[middle] > value))
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

}  // namespace

void add_remapped(std::span<const float> old_histogram, float old_min, float old_max, float new_min, float new_max,
                  std::span<float> histogram) {
  const auto bins = static_cast<std::int64_t>(old_histogram.size());
  const Parts parts(old_histogram, old_min, old_max);
  const Linspace edges(new_min, new_max, bins + 1);
  if (parts.ascend() && edges.ascends()) {
    std::int64_t first = 0;
    for (std::int64_t bin = 0; bin < bins; ++bin) {
      const std::int64_t last = bin + 1 == bins ? parts.size() : parts.first_at(edges[bin + 1], first);
      histogram[static_cast<std::size_t>(bin)] += parts.sum(first, last);
      first = last;
    }
    return;
  }
  std::vector<float> remapped(old_histogram.size(), 0.0f);
  for (std::int64_t i = 0; i < parts.size(); ++i) {
    const std::int64_t bin = std::clamp<std::int64_t>(bucketize(edges, bins + 1, parts.centre(i)) - 1, 0, bins - 1);
    remapped[static_cast<std::size_t>(bin)] += parts.count(i);
  }
  for (std::size_t i = 0; i < histogram.size(); ++i) histogram[i] += remapped[i];
}

}  // namespace qdq
