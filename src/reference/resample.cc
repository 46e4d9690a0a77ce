#include <algorithm>
#include <cmath>

#include "reference/eval.h"

namespace qdq {
namespace {

// A result gathered element by element: source(index) gives the input index, or false for `fill`.
template <typename Source>
Tensor gathered(const Tensor& input, const Shape& sizes, double fill, Source source) {
  const Tensor out = Tensor::full(input.dtype(), sizes, fill);
  const auto width = element_size(input.dtype());
  Shape from(input.sizes().size(), 0);
  for_each_index(sizes, [&](const Shape& index) {
    if (!source(index, from)) return;
    std::memcpy(out.raw_data() + static_cast<std::size_t>(offset_of(out, index)) * width,
                input.raw_data() + static_cast<std::size_t>(offset_of(input, from)) * width, width);
  });
  return out;
}

Shape result_sizes(const Call& call) { return call.schema().infer(call).front().tensor()->sizes(); }

// Where position i of a padded dimension reads from; -1 for the constant.
std::int64_t padded_source(std::int64_t i, std::int64_t size, const std::string& mode) {
  if (i >= 0 && i < size) return i;
  if (mode == "constant") return -1;
  if (mode == "replicate") return std::clamp<std::int64_t>(i, 0, size - 1);
  if (mode == "circular") return (i + size) % size;
  return i < 0 ? -i : 2 * (size - 1) - i;  // reflect: the edge itself is not repeated
}

std::vector<Value> padded(const Call& call, const Shape& pad, const std::string& mode, double value) {
  const Tensor& self = call.tensor("self");
  const Shape sizes = result_sizes(call);
  const std::size_t rank = sizes.size();
  if (mode != "constant" && mode != "reflect" && mode != "replicate" && mode != "circular")
    call.fail("padding mode '" + mode + "' is not known");
  for (std::size_t i = 0; i < pad.size(); ++i) {
    const std::int64_t size = self.sizes()[rank - 1 - i / 2];
    if ((mode == "reflect" && pad[i] >= size) || (mode == "circular" && pad[i] > size) ||
        (mode == "replicate" && size == 0))
      call.fail("padding " + to_string(pad) + " is too large for sizes " + to_string(self.sizes()) + " in mode " +
                mode);
  }
  return {gathered(self, sizes, value, [&](const Shape& index, Shape& from) {
    for (std::size_t d = 0; d < rank; ++d) {
      const std::size_t pair = rank - 1 - d;
      const std::int64_t before = 2 * pair < pad.size() ? pad[2 * pair] : 0;
      from[d] = padded_source(index[d] - before, self.sizes()[d], mode);
      if (from[d] < 0) return false;
    }
    return true;
  })};
}

std::vector<Value> eval_pad(const Call& call) {
  return padded(call, call.ints("pad"), call.string("mode"), call.has("value") ? call.number("value") : 0);
}
std::vector<Value> eval_constant_pad(const Call& call) {
  return padded(call, call.ints("pad"), "constant", call.number("value"));
}
std::vector<Value> eval_reflection_pad(const Call& call) { return padded(call, call.ints("padding"), "reflect", 0); }
std::vector<Value> eval_replication_pad(const Call& call) { return padded(call, call.ints("padding"), "replicate", 0); }

// Input size per output size in float32, or the reciprocal of the scale factor where one was given.
float step_of(const Call& call, std::size_t d, std::int64_t in, std::int64_t out) {
  const Value::List* factors = call.arg("scale_factors").list();
  if (factors) return static_cast<float>(1.0 / std::get<double>((*factors)[d].v));
  return static_cast<float>(in) / static_cast<float>(out);
}

std::vector<Value> eval_upsample_nearest(const Call& call) {
  const Tensor& input = call.tensor("input");
  const Shape sizes = result_sizes(call);
  std::array<float, 2> step;
  for (std::size_t d = 0; d < 2; ++d) step[d] = step_of(call, d, input.sizes()[d + 2], sizes[d + 2]);
  return {gathered(input, sizes, 0, [&](const Shape& index, Shape& from) {
    from = index;
    for (std::size_t d = 0; d < 2; ++d) {
      const auto wanted = static_cast<std::int64_t>(std::floor(static_cast<float>(index[d + 2]) * step[d]));
      from[d + 2] = std::min(wanted, input.sizes()[d + 2] - 1);
    }
    return true;
  })};
}

// The two input positions between which an output position lies, and the weight of the second.
struct Between {
  std::int64_t low;
  std::int64_t high;
  double weight;
};

Between bilinear_position(std::int64_t i, std::int64_t in, std::int64_t out, float step, bool align_corners) {
  float at = 0;
  if (align_corners)
    at = out > 1 ? static_cast<float>(i) * (static_cast<float>(in - 1) / static_cast<float>(out - 1)) : 0;
  else
    at = std::max(0.0f, (static_cast<float>(i) + 0.5f) * step - 0.5f);
  const std::int64_t low = std::min(static_cast<std::int64_t>(at), in - 1);
  return {low, std::min(low + 1, in - 1), static_cast<double>(std::clamp(at - static_cast<float>(low), 0.0f, 1.0f))};
}

std::vector<Value> eval_upsample_bilinear(const Call& call) {
  const Tensor& input = call.tensor("input");
  const Shape sizes = result_sizes(call);
  const bool align_corners = call.boolean("align_corners");
  const Tensor values = contiguous_as<double>(input);
  const Tensor out = Tensor::empty(DType::float64, sizes);
  const std::int64_t height = input.size(2);
  const std::int64_t width = input.size(3);
  const float step_y = step_of(call, 0, height, sizes[2]);
  const float step_x = step_of(call, 1, width, sizes[3]);
  for_each_index(sizes, [&](const Shape& index) {
    const Between y = bilinear_position(index[2], height, sizes[2], step_y, align_corners);
    const Between x = bilinear_position(index[3], width, sizes[3], step_x, align_corners);
    const double* plane = values.data<double>() + (index[0] * input.size(1) + index[1]) * height * width;
    const auto row = [&](std::int64_t r) {
      return plane[r * width + x.low] * (1 - x.weight) + plane[r * width + x.high] * x.weight;
    };
    out.data<double>()[offset_of(out, index)] = row(y.low) * (1 - y.weight) + row(y.high) * y.weight;
  });
  return {out.to(input.dtype())};
}

// [.., c * r * r, h, w] -> [.., c, h * r, w * r]
std::vector<Value> eval_pixel_shuffle(const Call& call) {
  const Tensor& self = call.tensor("self");
  const std::int64_t r = call.integer("upscale_factor");
  const Shape sizes = result_sizes(call);
  const std::size_t rank = sizes.size();
  return {gathered(self, sizes, 0, [&](const Shape& index, Shape& from) {
    from = index;
    from[rank - 3] = (index[rank - 3] * r + index[rank - 2] % r) * r + index[rank - 1] % r;
    from[rank - 2] = index[rank - 2] / r;
    from[rank - 1] = index[rank - 1] / r;
    return true;
  })};
}

std::vector<Value> eval_pixel_unshuffle(const Call& call) {
  const Tensor& self = call.tensor("self");
  const std::int64_t r = call.integer("downscale_factor");
  const Shape sizes = result_sizes(call);
  const std::size_t rank = sizes.size();
  return {gathered(self, sizes, 0, [&](const Shape& index, Shape& from) {
    from = index;
    from[rank - 3] = index[rank - 3] / (r * r);
    from[rank - 2] = index[rank - 2] * r + index[rank - 3] / r % r;
    from[rank - 1] = index[rank - 1] * r + index[rank - 3] % r;
    return true;
  })};
}

// Channels in `groups` runs, dealt out one of each run at a time.
std::vector<Value> eval_channel_shuffle(const Call& call) {
  const Tensor& self = call.tensor("self");
  const std::int64_t groups = call.integer("groups");
  if (self.dim() < 3 || groups < 1 || self.size(1) % groups != 0) call.fail("the channels do not divide into groups");
  const std::int64_t per_group = self.size(1) / groups;
  return {gathered(self, self.sizes(), 0, [&](const Shape& index, Shape& from) {
    from = index;
    from[1] = index[1] % groups * per_group + index[1] / groups;
    return true;
  })};
}

constexpr KernelRow kRows[] = {
    {"aten.pad.default", eval_pad},
    {"aten.constant_pad_nd.default", eval_constant_pad},
    {"aten.reflection_pad1d.default", eval_reflection_pad},
    {"aten.reflection_pad2d.default", eval_reflection_pad},
    {"aten.replication_pad1d.default", eval_replication_pad},
    {"aten.replication_pad2d.default", eval_replication_pad},
    {"aten.upsample_nearest2d.vec", eval_upsample_nearest},
    {"aten.upsample_bilinear2d.vec", eval_upsample_bilinear},
    {"aten.pixel_shuffle.default", eval_pixel_shuffle},
    {"aten.pixel_unshuffle.default", eval_pixel_unshuffle},
    {"aten.channel_shuffle.default", eval_channel_shuffle},
};

}  // namespace

KernelFamily resample_kernels() { return kRows; }

}  // namespace qdq
