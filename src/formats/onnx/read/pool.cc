#include <cmath>

#include "formats/onnx/read/family.h"
#include "formats/onnx/read/windows.h"

namespace qdq::onnx {
namespace {

std::size_t spatial_dims(const In& in) {
  const std::int64_t rank = in.rank(0);
  if (rank < 3 || rank > 5) in.refuse("pooling has 1 to 3 spatial dimensions, here are " + std::to_string(rank - 2));
  return static_cast<std::size_t>(rank - 2);
}

std::string target_of(std::string_view name, std::size_t spatial) {
  return "aten." + std::string(name) + std::to_string(spatial) + "d.default";
}

Windows pool_windows(const In& in) {
  const auto kernel = in.ints("kernel_shape");
  if (!kernel || kernel->size() != spatial_dims(in)) in.refuse("its kernel_shape does not fit the input");
  return windows_of(in, *kernel);
}

// torch pads by half a window at most.
bool pads_fit(const Windows& windows) {
  for (std::size_t d = 0; d < windows.kernel.size(); ++d)
    if (windows.before[d] > windows.kernel[d] / 2) return false;
  return windows.is_symmetric();
}

void read_max_pool(const In& in) {
  if (in.wants(1)) in.refuse("the places of the maxima are asked for");
  if (in.integer("storage_order", 0) != 0) in.refuse("storage_order");
  const Windows windows = pool_windows(in);
  const bool fits = pads_fit(windows);
  const bool is_float = is_floating_point(in.type(0).dtype);
  if (!fits && !is_float) in.refuse("padding of integers");
  Node& input = fits ? in.tensor(0) : with_padding(in, in.tensor(0), windows, -INFINITY);
  const Shape padding = fits ? windows.before : Shape(windows.before.size(), 0);
  in.result(in.call(target_of("max_pool", windows.kernel.size()),
                    {input, list_of(windows.kernel), list_of(windows.stride), list_of(padding),
                     list_of(windows.dilation), in.integer("ceil_mode", 0) != 0}));
}

void read_average_pool(const In& in) {
  const Windows windows = pool_windows(in);
  const bool counts_padding = in.integer("count_include_pad", 0) != 0;
  for (const std::int64_t dilation : windows.dilation)
    if (dilation != 1) in.refuse("an average with dilation");
  const bool fits = pads_fit(windows);
  const bool ceil = in.integer("ceil_mode", 0) != 0;
  if (!fits && (!counts_padding || ceil)) {
    // The sum of what is inside, over how much is inside: both as averages that count the padding.
    if (ceil) in.refuse("an average with different padding in front and behind, and ceil_mode");
    const auto average = [&](Node& padded) -> Node& {
      return in.call(target_of("avg_pool", windows.kernel.size()),
                     {padded, list_of(windows.kernel), list_of(windows.stride)});
    };
    Node& sums = average(with_padding(in, in.tensor(0), windows, 0));
    Node& ones = in.call("aten.ones_like.default", {in.tensor(0)});
    Node& counts = average(with_padding(in, ones, windows, 0));
    return in.result(in.call("aten.div.Tensor", {sums, counts}));
  }
  Node& input = fits ? in.tensor(0) : with_padding(in, in.tensor(0), windows, 0);
  const Shape padding = fits ? windows.before : Shape(windows.before.size(), 0);
  in.result(in.call(target_of("avg_pool", windows.kernel.size()),
                    {input, list_of(windows.kernel), list_of(windows.stride), list_of(padding), ceil, counts_padding}));
}

void read_global_average(const In& in) {
  const std::size_t spatial = spatial_dims(in);
  in.result(in.call(target_of("adaptive_avg_pool", spatial), {in.tensor(0), list_of(Shape(spatial, 1))}));
}

void read_global_max(const In& in) {
  Shape dims;
  for (std::int64_t d = 2; d < in.rank(0); ++d) dims.push_back(d);
  in.result(in.call("aten.amax.default", {in.tensor(0), list_of(dims), true}));
}

constexpr ReadRow kRows[] = {
    {"MaxPool", "max_pool1d, max_pool2d, max_pool3d", read_max_pool},
    {"AveragePool", "avg_pool1d, avg_pool2d, avg_pool3d", read_average_pool},
    {"GlobalAveragePool", "adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d", read_global_average},
    {"GlobalMaxPool", "amax", read_global_max},
};

}  // namespace

ReadFamily read_pool_ops() { return kRows; }

}  // namespace qdq::onnx
