#pragma once
#include <cstdint>
#include <vector>

#include "observers/kernels.h"

namespace qdq {

// torch.histc, piece by piece: how many values fall into each of equal bins.
class BinCounts {
 public:
  // For about `expected` values.
  BinCounts(const Bins& bins, std::int64_t expected);
  // False when a value is NaN or outside the bins: then the counts are useless.
  bool add(const float* values, std::int64_t count);
  // One whole number per bin, exact below 2^53.
  std::vector<double> take();

 private:
  void empty_tables();

  Bins bins_;
  std::vector<std::uint32_t> tables_;
  std::int64_t in_tables_ = 0;
  std::vector<double> counts_;
};

// The bin of one value inside [low, high].
std::size_t bin_of(float value, const Bins& bins);

}  // namespace qdq
