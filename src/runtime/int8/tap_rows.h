#pragma once
#include <vector>

#include "runtime/int8/geometry.h"
#include "runtime/int8/weights.h"

namespace qdq::runtime::int8 {

// Finds what the kernels of products multiply: the taps of each pixel where they lie in the input, or copied where a kernel could not
// read them there. Keeps references to both of its first arguments.
class TapRows {
 public:
  // `src_end`: behind the last byte that may be read.
  TapRows(const Geometry& geometry, const PackedWeights& weights, std::uint8_t zero_point, const std::uint8_t* src_end);

  // Points rows[pixel][kernel tap] to what lies at the taps of pixels [first, first + count), until this thread's next call.
  void find(const std::uint8_t* src, std::vector<const std::uint8_t*>& rows, std::int64_t first,
            std::int64_t count) const;
  // A tap, or a row of them, that lies beyond the input.
  const std::uint8_t* outside() const { return outside_.data(); }

 private:
  std::size_t outside_bytes() const;
  bool has_adjacent_rows() const;
  void copy_tap(std::uint8_t* to, const std::uint8_t* tap, std::int64_t depth) const;
  template <typename Address>
  const std::uint8_t* cut_row(const Address& address, std::int64_t tap, std::int64_t columns,
                              std::uint8_t* copied) const;
  void find_filter_rows(const std::uint8_t* src, std::vector<const std::uint8_t*>& rows, std::int64_t first,
                        std::int64_t count) const;
  void gather(const std::uint8_t* src, std::vector<const std::uint8_t*>& rows, std::int64_t first,
              std::int64_t count) const;

  const Geometry& geometry_;
  const PackedWeights& weights_;
  const std::uint8_t* src_end_;
  std::vector<std::uint8_t> outside_;
  std::vector<std::pair<std::int64_t, std::int64_t>> runs_;
  std::vector<std::int64_t> row_offsets_;  // from the first tap to the first ones of the filter's rows
  bool has_rows_;                          // the taps of a row of the filter lie side by side in the input
};

}  // namespace qdq::runtime::int8
