#include "formats/onnx/read/windows.h"

#include <algorithm>

namespace qdq::onnx {

Windows windows_of(const In& in, Shape kernel) {
  const std::size_t spatial = kernel.size();
  const auto vector = [&](std::string_view name, std::int64_t otherwise) {
    Shape values = in.ints(name).value_or(Shape(spatial, otherwise));
    if (values.size() != spatial)
      in.refuse("its " + std::string(name) + " have " + std::to_string(values.size()) + " numbers, expected " +
                std::to_string(spatial));
    return values;
  };
  Windows windows{std::move(kernel), vector("strides", 1), vector("dilations", 1), Shape(spatial, 0),
                  Shape(spatial, 0)};
  for (const Shape* values : {&windows.kernel, &windows.stride, &windows.dilation})
    for (const std::int64_t value : *values)
      if (value < 1 || value > Windows::kMost) in.refuse("its kernel, strides and dilations have to be from 1 to 2^30");
  for (std::size_t d = 0; d < spatial; ++d)
    if (const SymInt& size = in.size(0, static_cast<std::int64_t>(d) + 2); size.value > Windows::kMost)
      in.refuse("its input has a size beyond 2^30");
  const std::string mode = in.text("auto_pad", "NOTSET");
  if (mode == "NOTSET" || mode.empty()) {
    const Shape pads = in.ints("pads").value_or(Shape(2 * spatial, 0));
    if (pads.size() != 2 * spatial) in.refuse("its pads have " + std::to_string(pads.size()) + " numbers");
    windows.before.assign(pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(spatial));
    windows.after.assign(pads.begin() + static_cast<std::ptrdiff_t>(spatial), pads.end());
    for (const std::int64_t pad : pads)
      if (pad < 0 || pad > Windows::kMost) in.refuse("negative pads, or beyond 2^30");
    return windows;
  }
  if (mode == "VALID") return windows;
  if (mode != "SAME_UPPER" && mode != "SAME_LOWER") in.refuse("auto_pad '" + mode + "' is not known");
  const bool transposed = in.node.op == "ConvTranspose";
  for (std::size_t d = 0; d < spatial; ++d) {
    const std::int64_t reach = (windows.kernel[d] - 1) * windows.dilation[d] + 1;
    std::int64_t total = reach - windows.stride[d];  // holds for transposed ones, and for a stride of 1
    if (!transposed && windows.stride[d] != 1) {
      const SymInt& size = in.size(0, static_cast<std::int64_t>(d) + 2);
      if (size.is_symbolic()) in.refuse("auto_pad with strides for an input of symbolic sizes");
      const std::int64_t positions = (size.value + windows.stride[d] - 1) / windows.stride[d];
      total = (positions - 1) * windows.stride[d] + reach - size.value;
    }
    total = std::max<std::int64_t>(total, 0);
    const std::int64_t half = total / 2;
    windows.before[d] = mode == "SAME_UPPER" ? half : total - half;
    windows.after[d] = total - windows.before[d];
  }
  return windows;
}

Node& with_padding(const In& in, Node& input, const Windows& windows, double value) {
  Shape pads;
  for (std::size_t d = windows.before.size(); d-- > 0;) {
    pads.push_back(windows.before[d]);
    pads.push_back(windows.after[d]);
  }
  return in.call("aten.constant_pad_nd.default", {input, list_of(pads), value});
}

Node& padded(const In& in, Node& input, const Windows& windows, double value) {
  return windows.is_symmetric() ? input : with_padding(in, input, windows, value);
}

}  // namespace qdq::onnx
