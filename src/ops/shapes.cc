#include "ops/shapes.h"

#include <algorithm>

#include "base/checked.h"
#include "ops/schema.h"

namespace qdq {

Value meta_value(DType dtype, Shape sizes) { return Tensor::meta(dtype, std::move(sizes)); }

const Tensor& first_tensor(const Call& call) { return call.tensor(call.schema().args.at(0).name); }

std::vector<Value> infer_same_as_first(const Call& call) {
  const Tensor& first = first_tensor(call);
  return {meta_value(first.dtype(), first.sizes())};
}

std::vector<Value> infer_first_itself(const Call& call) { return {first_tensor(call)}; }

std::vector<Value> infer_nothing(const Call&) { return {}; }

Shape reduced_dims(const Call& call, std::string_view name, std::int64_t rank) {
  Shape dims = call.ints(name);
  const std::int64_t limit = std::max<std::int64_t>(rank, 1);
  for (std::int64_t& d : dims) {
    if (d < -limit || d >= limit)
      call.fail("dimension " + std::to_string(d) + " of a tensor with " + std::to_string(rank) + " dimensions");
    if (d < 0) d += limit;
  }
  std::sort(dims.begin(), dims.end());
  if (std::adjacent_find(dims.begin(), dims.end()) != dims.end()) call.fail("a dimension is listed twice");
  if (rank == 0) return {};
  if (dims.empty())
    for (std::int64_t d = 0; d < rank; ++d) dims.push_back(d);
  return dims;
}

Shape complete_sizes(const Call& call, Shape wanted, std::int64_t total) {
  const auto refuse = [&] { call.fail(std::to_string(total) + " elements do not fit sizes " + to_string(wanted)); };
  std::optional<std::int64_t> known = 1;
  std::optional<std::size_t> open;
  for (std::size_t d = 0; d < wanted.size(); ++d) {
    if (wanted[d] == -1 && !open)
      open = d;
    else if (wanted[d] < 0)
      refuse();
    else if (known)
      known = checked_mul(*known, wanted[d]);
  }
  if (!known) refuse();
  if (open) {
    if (*known == 0 || total % *known != 0) refuse();
    wanted[*open] = total / *known;
  } else if (*known != total) {
    refuse();
  }
  return wanted;
}

// Walks both shapes from the back. Dimensions of the old shape that lie gap-free behind each other form a block; each
// new dimension must divide what is left of the current block.
std::optional<Shape> view_strides(std::span<const std::int64_t> sizes, std::span<const std::int64_t> strides,
                                  std::span<const std::int64_t> wanted) {
  if (numel(sizes) == 0) return contiguous_strides(wanted);
  Shape result(wanted.size(), 1);
  std::size_t next = sizes.size();  // old dimensions [next, end) are used up
  std::int64_t left = 1;            // elements of the current block not yet given to a new dimension
  std::int64_t step = 1;            // stride of the next new dimension
  for (std::size_t w = wanted.size(); w-- > 0;) {
    if (wanted[w] == 1) {
      result[w] = step;
      continue;
    }
    if (left == 1) {
      while (next > 0 && sizes[next - 1] == 1) --next;
      if (next == 0) return std::nullopt;
      --next;
      left = sizes[next];
      step = strides[next];
      std::int64_t expected = strides[next] * sizes[next];
      while (next > 0 && (sizes[next - 1] == 1 || strides[next - 1] == expected)) {
        --next;
        left *= sizes[next];
        if (sizes[next] != 1) expected = strides[next] * sizes[next];
      }
    }
    if (left % wanted[w] != 0) return std::nullopt;
    result[w] = step;
    step *= wanted[w];
    left /= wanted[w];
  }
  return result;
}

std::int64_t window_positions(const Call& call, std::int64_t size, const Window& window, bool ceil_mode) {
  if (window.stride < 1 || window.dilation < 1 || window.kernel < 1 || window.padding < 0)
    call.fail("kernel, stride and dilation must be positive and padding not negative");
  const std::int64_t room = size + 2 * window.padding - window.dilation * (window.kernel - 1) - 1;
  if (room < 0 && !(ceil_mode && room > -window.stride))
    call.fail("a window of " + std::to_string(window.kernel) + " does not fit a dimension of size " +
              std::to_string(size));
  std::int64_t positions = (room + (ceil_mode ? window.stride - 1 : 0)) / window.stride + 1;
  if (ceil_mode && (positions - 1) * window.stride >= size + window.padding) --positions;
  if (positions < 1) call.fail("no window fits a dimension of size " + std::to_string(size));
  return positions;
}

}  // namespace qdq
