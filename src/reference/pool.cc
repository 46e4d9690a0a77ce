#include "ops/pool.h"

#include <algorithm>

#include "reference/eval.h"

namespace qdq {
namespace {

// One output position's window along each pooled dimension: start, end (exclusive) and step, inside the input.
struct Range {
  std::int64_t start;
  std::int64_t end;
  std::int64_t step = 1;
};
using Ranges = std::vector<Range>;

// Calls fn(plane, ranges, output position) for each output element. The input and output are [planes, spatial...].
template <typename Window, typename Fn>
void for_each_window(std::int64_t planes, const Shape& out_spatial, Window window, Fn fn) {
  std::int64_t position = 0;
  for (std::int64_t plane = 0; plane < planes; ++plane)
    for_each_index(out_spatial, [&](const Shape& index) {
      Ranges ranges;
      for (std::size_t d = 0; d < index.size(); ++d) ranges.push_back(window(d, index[d]));
      fn(plane, ranges, position++);
    });
}

// Calls fn(offset) for each element of the window, row-major, offsets within the plane.
template <typename Fn>
void for_each_in(const Ranges& ranges, const Shape& spatial, Fn fn) {
  Shape counts;
  for (const Range& r : ranges) counts.push_back(std::max<std::int64_t>(0, (r.end - r.start + r.step - 1) / r.step));
  for_each_index(counts, [&](const Shape& i) {
    std::int64_t offset = 0;
    for (std::size_t d = 0; d < i.size(); ++d) offset = offset * spatial[d] + ranges[d].start + i[d] * ranges[d].step;
    fn(offset);
  });
}

struct Planes {
  Shape spatial;    // of the input
  Shape out_sizes;  // of the whole output
  Shape out_spatial;
  std::int64_t count;
  std::int64_t size;  // elements of one input plane
};

Planes planes_of(const Call& call) {
  const Tensor& self = call.tensor("self");
  const auto spatial = static_cast<std::ptrdiff_t>(pooled_dims(call));
  Planes planes;
  planes.out_sizes = call.schema().infer(call).front().tensor()->sizes();
  planes.spatial.assign(self.sizes().end() - spatial, self.sizes().end());
  planes.out_spatial.assign(planes.out_sizes.end() - spatial, planes.out_sizes.end());
  planes.size = numel(planes.spatial);
  planes.count = numel(std::span(self.sizes()).first(self.sizes().size() - static_cast<std::size_t>(spatial)));
  return planes;
}

// The largest of each window and its offset in the plane; the first one on a tie, a NaN before everything.
template <typename Window>
std::vector<Value> max_pool(const Call& call, Window window) {
  const Tensor& self = call.tensor("self");
  const Planes planes = planes_of(call);
  return with_compute_type(self.dtype(), [&](auto type) -> std::vector<Value> {
    using T = decltype(type);
    const Tensor values = Tensor::empty(dtype_of<T>(), planes.out_sizes);
    const Tensor indices = Tensor::empty(DType::int64, planes.out_sizes);
    const Tensor input = contiguous_as<T>(self);
    for_each_window(
        planes.count, planes.out_spatial, window, [&](std::int64_t plane, const Ranges& ranges, std::int64_t at) {
          const T* from = input.data<T>() + plane * planes.size;
          std::int64_t best = -1;
          for_each_in(ranges, planes.spatial, [&](std::int64_t offset) {
            if (best < 0 || from[offset] > from[best] || (from[offset] != from[offset] && from[best] == from[best]))
              best = offset;
          });
          if (best < 0) call.fail("a window covers no input");
          values.data<T>()[at] = from[best];
          indices.data<std::int64_t>()[at] = best;
        });
    return {values.to(self.dtype()), indices};
  });
}

template <typename Window, typename Divisor>
std::vector<Value> avg_pool(const Call& call, Window window, Divisor divisor) {
  const Tensor& self = call.tensor("self");
  const Planes planes = planes_of(call);
  return with_compute_type(self.dtype(), [&](auto type) -> std::vector<Value> {
    using T = decltype(type);
    const Tensor out = Tensor::empty(dtype_of<T>(), planes.out_sizes);
    const Tensor input = contiguous_as<T>(self);
    for_each_window(
        planes.count, planes.out_spatial, window, [&](std::int64_t plane, const Ranges& ranges, std::int64_t at) {
          const T* from = input.data<T>() + plane * planes.size;
          Accumulator<T> sum = 0;
          std::int64_t count = 0;
          for_each_in(ranges, planes.spatial, [&](std::int64_t offset) {
            sum += static_cast<Accumulator<T>>(from[offset]);
            ++count;
          });
          out.data<T>()[at] =
              static_cast<T>(sum / static_cast<Accumulator<T>>(divisor(at % numel(planes.out_spatial), count)));
        });
    return {out.to(self.dtype())};
  });
}

// The window of output position i: elements i * stride - padding + k * dilation that lie inside the input.
Range pool_window(const PoolParams& params, const Shape& spatial, std::size_t d, std::int64_t i) {
  Range range{i * params.stride[d] - params.padding[d], 0, params.dilation[d]};
  range.end = std::min(range.start + (params.kernel[d] - 1) * params.dilation[d] + 1, spatial[d]);
  while (range.start < 0) range.start += params.dilation[d];
  return range;
}

std::vector<Value> eval_max_pool_with_indices(const Call& call) {
  const PoolParams params = pool_params(call, pooled_dims(call));
  const Shape spatial = planes_of(call).spatial;
  return max_pool(call, [&](std::size_t d, std::int64_t i) { return pool_window(params, spatial, d, i); });
}

std::vector<Value> eval_max_pool(const Call& call) { return {eval_max_pool_with_indices(call).front()}; }

// The divisor is divisor_override, the window with its padding (count_include_pad), or what lies inside the input.
std::vector<Value> eval_avg_pool(const Call& call) {
  const PoolParams params = pool_params(call, pooled_dims(call));
  const Planes planes = planes_of(call);
  const bool has_override = call.has("divisor_override");
  const std::int64_t override_value = has_override ? call.integer("divisor_override") : 1;
  if (override_value == 0) call.fail("divisor_override must not be 0");
  const bool include_padding = call.boolean("count_include_pad");
  const auto window = [&](std::size_t d, std::int64_t i) { return pool_window(params, planes.spatial, d, i); };
  const auto divisor = [&](std::int64_t position, std::int64_t inside) {
    if (has_override) return override_value;
    if (!include_padding) return inside;
    std::int64_t covered = 1;  // the window, cut off at the padded input's end, where ceil_mode lets it reach further
    for (std::size_t d = params.kernel.size(); d-- > 0;) {
      const std::int64_t i = position % planes.out_spatial[d];
      position /= planes.out_spatial[d];
      const std::int64_t start = i * params.stride[d] - params.padding[d];
      covered *= std::min(start + params.kernel[d], planes.spatial[d] + params.padding[d]) - start;
    }
    return covered;
  };
  return avg_pool(call, window, divisor);
}

// Output position i of `out` covers the input from floor(i * in / out) to ceil((i + 1) * in / out).
Range adaptive_window(std::int64_t in, std::int64_t out, std::int64_t i) {
  return {i * in / out, ((i + 1) * in + out - 1) / out};
}

std::vector<Value> eval_adaptive_avg_pool(const Call& call) {
  const Planes planes = planes_of(call);
  const auto window = [&](std::size_t d, std::int64_t i) {
    return adaptive_window(planes.spatial[d], planes.out_spatial[d], i);
  };
  return avg_pool(call, window, [](std::int64_t, std::int64_t inside) { return inside; });
}

std::vector<Value> eval_adaptive_max_pool(const Call& call) {
  const Planes planes = planes_of(call);
  return max_pool(call, [&](std::size_t d, std::int64_t i) {
    return adaptive_window(planes.spatial[d], planes.out_spatial[d], i);
  });
}

constexpr KernelRow kRows[] = {
    {"aten.max_pool1d.default", eval_max_pool},
    {"aten.max_pool2d.default", eval_max_pool},
    {"aten.max_pool3d.default", eval_max_pool},
    {"aten.max_pool2d_with_indices.default", eval_max_pool_with_indices},
    {"aten.avg_pool1d.default", eval_avg_pool},
    {"aten.avg_pool2d.default", eval_avg_pool},
    {"aten.avg_pool3d.default", eval_avg_pool},
    {"aten.adaptive_avg_pool1d.default", eval_adaptive_avg_pool},
    {"aten.adaptive_avg_pool2d.default", eval_adaptive_avg_pool},
    {"aten.adaptive_avg_pool3d.default", eval_adaptive_avg_pool},
    {"aten._adaptive_avg_pool2d.default", eval_adaptive_avg_pool},
    {"aten.adaptive_max_pool2d.default", eval_adaptive_max_pool},
};

}  // namespace

KernelFamily pool_kernels() { return kRows; }

}  // namespace qdq
