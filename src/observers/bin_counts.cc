#include "observers/bin_counts.h"

#include <algorithm>
#include <utility>

namespace qdq {
namespace {

constexpr std::int64_t kFewValues = 512;               // below this, clearing more tables costs more than they bring
constexpr std::int64_t kFull = std::int64_t{1} << 30;  // no counter may pass 2^31

// `size` zeros that belong to the thread; whoever uses them leaves zeros behind.
std::span<std::uint32_t> zeros(std::size_t size) {
  thread_local std::vector<std::uint32_t> memory;
  if (memory.size() < size) memory.resize(size);
  return {memory.data(), size};
}

}  // namespace

BinCounts::BinCounts(const Bins& bins, std::int64_t expected, std::vector<double> counts)
    : bins_(bins),
      tables_(zeros((static_cast<std::size_t>(bins.bins) + 1) * (expected < kFewValues ? 1 : kBinTables))),
      counts_(std::move(counts)) {
  counts_.assign(static_cast<std::size_t>(bins.bins), 0.0);
}

BinCounts::~BinCounts() {
  if (in_tables_ > 0) std::ranges::fill(tables_, 0u);
}

bool BinCounts::add(const float* values, std::int64_t count) {
  while (count > 0) {
    const std::int64_t piece = std::min(count, kFull - in_tables_);
    in_tables_ += piece;
    if (!observer_kernels().count_into_bins(values, piece, bins_, tables_)) return false;
    if (in_tables_ == kFull) empty_tables();
    values += piece;
    count -= piece;
  }
  return true;
}

void BinCounts::empty_tables() {
  const std::size_t bins = counts_.size(), stride = bins + 1;
  for (std::size_t table = stride; table < tables_.size(); table += stride)
    for (std::size_t bin = 0; bin < stride; ++bin) tables_[bin] += std::exchange(tables_[table + bin], 0u);
  tables_[bins - 1] += std::exchange(tables_[bins], 0u);
  // Below 2^31, and signed numbers are converted faster.
  for (std::size_t bin = 0; bin < bins; ++bin)
    counts_[bin] += static_cast<std::int32_t>(std::exchange(tables_[bin], 0u));
  in_tables_ = 0;
}

std::vector<double> BinCounts::take() {
  empty_tables();
  return std::move(counts_);
}

std::size_t bin_of(float value, const Bins& bins) {
  const float position = (value - bins.low) * static_cast<float>(bins.bins) / (bins.high - bins.low);
  return static_cast<std::size_t>(std::min(static_cast<std::int64_t>(position), bins.bins - 1));
}

}  // namespace qdq
