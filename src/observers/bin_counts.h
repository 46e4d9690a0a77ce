#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "observers/kernels.h"

namespace qdq {

// torch.histc, piece by piece: how many values fall into each of equal bins. One at a time on each thread: its tables are the
// thread's, since fresh memory for each observation costs as much as counting a small one.
class BinCounts {
 public:
  // For about `expected` values. `counts` is memory that may be used.
  BinCounts(const Bins& bins, std::int64_t expected, std::vector<double> counts = {});
  BinCounts(const BinCounts&) = delete;
  BinCounts& operator=(const BinCounts&) = delete;
  ~BinCounts();
  // False when a value is NaN or outside the bins: then the counts are useless.
  bool add(const float* values, std::int64_t count);
  // One whole number per bin, exact below 2^53.
  std::vector<double> take();

 private:
  void empty_tables();

  Bins bins_;
  std::span<std::uint32_t> tables_;
  std::int64_t in_tables_ = 0;
  std::vector<double> counts_;
};

// The bin of one value inside [low, high].
std::size_t bin_of(float value, const Bins& bins);

}  // namespace qdq
