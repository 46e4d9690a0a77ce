#include <algorithm>
#include <array>
#include <vector>

#include "observers/range_search.h"

namespace qdq {
namespace {

constexpr int kWhole = 4096;  // fractions of the observed bounds

std::size_t padded(std::size_t size) { return (size + kErrorLanes - 1) / kErrorLanes * kErrorLanes; }

// squared_error with its arrays made once.
class SquaredError {
 public:
  explicit SquaredError(const Distribution& distribution) : exact_(distribution.is_exact()) {
    if (exact_) {
      values_ = distribution.values;
      weights_ = distribution.counts;
    } else {
      edges_ = distribution.edges;
      double before = 0.0;
      for (std::size_t i = 0; i < distribution.counts.size(); ++i) {
        const double density = distribution.counts[i] / (edges_[i + 1] - edges_[i]);
        weights_.push_back(before - density);
        before = density;
      }
      weights_.push_back(before);
    }
    const std::size_t size = padded(weights_.size());
    (exact_ ? static_cast<void>(values_.resize(size)) : static_cast<void>(edges_.resize(size)));
    weights_.resize(size);
  }
  double operator()(const Levels& levels) const {
    const ObserverKernels& kernels = observer_kernels();
    return exact_ ? kernels.rounding_error(values_, weights_, levels)
                  : kernels.integrated_error(edges_, weights_, levels);
  }

 private:
  bool exact_;
  std::vector<float> values_;
  std::vector<double> edges_, weights_;
};

// The search over fractions of the two bounds. Where one is 0, or both go together, one fraction is enough.
class Search {
 public:
  Search(const Distribution& distribution, bool symmetric, const LevelsOfRange& levels_of)
      : error_(distribution),
        levels_of_(levels_of),
        low_(std::min(distribution.min, 0.0f)),
        high_(std::max(distribution.max, 0.0f)),
        magnitude_(std::max(-low_, high_)),
        together_(symmetric || low_ == 0.0f || high_ == 0.0f) {}

  Range run() {
    best_error_ = error_(levels_of_(range(best_)));
    const int stride = together_ ? kWhole / 128 : kWhole / 32;
    for (int low = kWhole; low >= 0; low -= stride)
      for (int high = together_ ? low : kWhole; high >= (together_ ? low : 0); high -= stride)
        try_fractions({low, high});
    for (int step = stride / 2; step > 0; step /= 2) refine(step);
    return range(best_);
  }

 private:
  struct Fractions {
    int low, high;
  };

  Range range(Fractions f) const {
    const auto part = [](float bound, int fraction) {
      return static_cast<float>(static_cast<double>(bound) * fraction / kWhole);
    };
    if (!together_) return {part(low_, f.low), part(high_, f.high)};
    const float threshold = part(magnitude_, f.low);
    return {std::max(low_, -threshold), std::min(high_, threshold)};
  }

  bool try_fractions(Fractions f) {
    if (f.low < 0 || f.high < 0 || f.low > kWhole || f.high > kWhole || f.low + f.high == 0) return false;
    const double error = error_(levels_of_(range(f)));
    if (!(error < best_error_)) return false;
    best_error_ = error;
    best_ = f;
    return true;
  }

  void refine(int step) {
    constexpr std::array<Fractions, 2> kOne = {{{-1, -1}, {1, 1}}};
    constexpr std::array<Fractions, 8> kBoth = {{{-1, 0}, {1, 0}, {0, -1}, {0, 1}, {-1, -1}, {1, 1}, {-1, 1}, {1, -1}}};
    const std::span<const Fractions> directions = together_ ? std::span<const Fractions>(kOne) : kBoth;
    for (bool moved = true; moved;) {
      moved = false;
      const Fractions from = best_;
      for (const Fractions& d : directions)
        moved |= try_fractions({from.low + d.low * step, from.high + d.high * step});
    }
  }

  SquaredError error_;
  const LevelsOfRange& levels_of_;
  float low_, high_, magnitude_;
  bool together_;
  Fractions best_{kWhole, kWhole};
  double best_error_ = 0.0;
};

}  // namespace

double squared_error(const Distribution& distribution, const Levels& levels) {
  return SquaredError(distribution)(levels);
}

Range least_squares_range(const Distribution& distribution, bool symmetric, const LevelsOfRange& levels_of) {
  return Search(distribution, symmetric, levels_of).run();
}

}  // namespace qdq
