#pragma once
// What kernels_body.inc uses beside the vectors themselves.
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "observers/kernels_isa.h"

namespace qdq {

inline constexpr float kInf = std::numeric_limits<float>::infinity();
inline constexpr Extremes kNaNExtremes = {std::numeric_limits<float>::quiet_NaN(),
                                          std::numeric_limits<float>::quiet_NaN()};
inline constexpr std::size_t kTables = 4;        // 4 tables of 2048 bins fill two thirds of a level-1 cache
inline constexpr std::int64_t kBlock = 256;      // values whose bins are computed before they are counted
inline constexpr std::int64_t kFewValues = 512;  // below this, clearing the tables costs more than they bring
alignas(64) inline constexpr float kLaneNumbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

// Zeroed counters, on the stack for the default number of bins.
class TableMemory {
 public:
  explicit TableMemory(std::size_t size) {
    if (size <= kOnStack) {
      std::fill_n(stack_, size, 0u);
    } else {
      heap_.assign(size, 0);
      data_ = heap_.data();
    }
  }
  TableMemory(const TableMemory&) = delete;
  TableMemory& operator=(const TableMemory&) = delete;
  std::uint32_t* data() { return data_; }

 private:
  static constexpr std::size_t kOnStack = kTables * 2049;
  std::uint32_t stack_[kOnStack];
  std::vector<std::uint32_t> heap_;
  std::uint32_t* data_ = stack_;
};

// A look at 64 values spread over all of them: is a quarter equal to `value`?
inline bool mostly_equal_to(float value, const float* values, std::int64_t count) {
  int equal = 0;
  for (std::int64_t k = 0; k < 64; ++k) equal += values[count / 64 * k] == value;
  return equal >= 16;
}

}  // namespace qdq
