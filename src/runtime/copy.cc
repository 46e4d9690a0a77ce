#include "runtime/copy.h"

#include <algorithm>
#include <cstring>

#include "runtime/iteration.h"
#include "runtime/parallel.h"

namespace qdq::runtime {
namespace {

// Side of the tiles of a transpose: 16 floats fill a cache line in both directions.
constexpr std::int64_t kTile = 16;
constexpr std::int64_t kGrain = 1 << 17;  // bytes per task of a copy without gaps

template <typename T>
void copy_rows(const Loops<2>& loops, T* to, const T* from) {
  const std::size_t inner = loops.rank() - 1;
  const std::int64_t n = loops.sizes[inner];
  const std::int64_t to_step = loops.strides[0][inner];
  const std::int64_t from_step = loops.strides[1][inner];
  for_each_outer(loops, inner, [&](const std::array<std::int64_t, 2>& offset) {
    T* t = to + offset[0];
    const T* f = from + offset[1];
    if (to_step == 1 && from_step == 1) {
      std::memcpy(t, f, static_cast<std::size_t>(n) * sizeof(T));
    } else {
      for (std::int64_t i = 0; i < n; ++i) t[i * to_step] = f[i * from_step];
    }
  });
}

// The last two loops as a transpose: `to` is contiguous along the last, `from` along the one at `column`.
template <typename T>
void copy_transposed(Loops<2> loops, std::size_t column, T* to, const T* from) {
  const std::size_t inner = loops.rank() - 1;
  const std::size_t row = inner - 1;
  for (std::size_t d = column; d < row; ++d) {  // bring the column loop next to the inner one
    std::swap(loops.sizes[d], loops.sizes[d + 1]);
    for (auto& s : loops.strides) std::swap(s[d], s[d + 1]);
  }
  const std::int64_t rows = loops.sizes[row];
  const std::int64_t columns = loops.sizes[inner];
  const std::int64_t to_row = loops.strides[0][row];
  const std::int64_t from_row = loops.strides[1][row];
  const std::int64_t to_column = loops.strides[0][inner];
  const std::int64_t from_column = loops.strides[1][inner];
  for_each_outer(loops, row, [&](const std::array<std::int64_t, 2>& offset) {
    for (std::int64_t r0 = 0; r0 < rows; r0 += kTile)
      for (std::int64_t c0 = 0; c0 < columns; c0 += kTile) {
        const std::int64_t r1 = std::min(rows, r0 + kTile);
        const std::int64_t c1 = std::min(columns, c0 + kTile);
        for (std::int64_t r = r0; r < r1; ++r) {
          T* t = to + offset[0] + r * to_row;
          const T* f = from + offset[1] + r * from_row;
          for (std::int64_t c = c0; c < c1; ++c) t[c * to_column] = f[c * from_column];
        }
      }
  });
}

template <typename T>
void copy_elements(const Loops<2>& loops, std::byte* to, const std::byte* from) {
  auto* t = reinterpret_cast<T*>(to);
  const auto* f = reinterpret_cast<const T*>(from);
  const std::size_t inner = loops.rank() - 1;
  if (loops.strides[1][inner] > 1)
    for (std::size_t d = inner; d-- > 0;)
      if (loops.strides[1][d] == 1) return copy_transposed(loops, d, t, f);
  copy_rows(loops, t, f);
}

}  // namespace

void copy(const Tensor& from, const Tensor& to) {
  if (from.numel() == 0) return;
  if (from.raw_data() == to.raw_data() && from.strides() == to.strides() && from.dtype() == to.dtype()) return;
  if (plain_dtype(from.dtype()) != plain_dtype(to.dtype())) return to.copy_from(from);
  if (from.is_contiguous() && to.is_contiguous()) {  // without loops to find
    if (from.raw_data() == to.raw_data()) return;
    const auto bytes = from.numel() * static_cast<std::int64_t>(element_size(to.dtype()));
    return parallel_for(bytes, kGrain, [t = to.raw_data(), f = from.raw_data()](std::int64_t begin, std::int64_t end) {
      std::memcpy(t + begin, f + begin, static_cast<std::size_t>(end - begin));
    });
  }
  const auto loops = merge_loops<2>(to.sizes(), {&to.strides(), &from.strides()});
  switch (element_size(to.dtype())) {
    case 1: return copy_elements<std::uint8_t>(loops, to.raw_data(), from.raw_data());
    case 2: return copy_elements<std::uint16_t>(loops, to.raw_data(), from.raw_data());
    case 4: return copy_elements<std::uint32_t>(loops, to.raw_data(), from.raw_data());
    case 8: return copy_elements<std::uint64_t>(loops, to.raw_data(), from.raw_data());
    default: to.copy_from(from);
  }
}

}  // namespace qdq::runtime
