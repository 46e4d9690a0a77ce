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
    {"aten.pixel_shuffle.default", eval_pixel_shuffle},
    {"aten.pixel_unshuffle.default", eval_pixel_unshuffle},
    {"aten.channel_shuffle.default", eval_channel_shuffle},
};

}  // namespace

KernelFamily resample_kernels() { return kRows; }

}  // namespace qdq
