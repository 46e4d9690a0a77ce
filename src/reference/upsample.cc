// Resizing of images [N, C, spatial...] by ops of torch.nn.functional.interpolate and grid_sample.
#include <algorithm>
#include <cmath>

#include "reference/eval.h"

namespace qdq {
namespace {

Shape result_sizes(const Call& call) { return call.schema().infer(call).front().tensor()->sizes(); }

// Positions of one dimension that an output element reads, with their weights. Positions outside read as zero.
struct Tap {
  std::int64_t at;
  double weight;
};
using Taps = std::vector<Tap>;

// Keys' cubic convolution at a distance `x` of at most 2.
double cubic(double x, double a) {
  x = std::abs(x);
  return x < 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
}

// The four weights for a point `t` behind the second of four neighbors; torch's a is -0.75.
std::array<double, 4> cubic_weights(double t) {
  constexpr double a = -0.75;
  return {cubic(t + 1, a), cubic(t, a), cubic(1 - t, a), cubic(2 - t, a)};
}

// The sum over all combinations of one tap per dimension. `plane` is a contiguous image of `sizes`.
double sampled(const double* plane, std::span<const std::int64_t> sizes, std::span<const Taps> taps) {
  if (sizes.empty()) return *plane;
  const std::int64_t step = numel(sizes.subspan(1));
  double sum = 0;
  for (const Tap& tap : taps.front())
    if (tap.at >= 0 && tap.at < sizes.front() && tap.weight != 0)
      sum += tap.weight * sampled(plane + tap.at * step, sizes.subspan(1), taps.subspan(1));
  return sum;
}

// Input size per output size in float32, or the reciprocal of the scale factor where one was given.
float step_of(const Call& call, std::size_t d, std::int64_t in, std::int64_t out) {
  const Value::List* factors = call.arg("scale_factors").list();
  if (factors) return static_cast<float>(1.0 / std::get<double>((*factors)[d].v));
  return static_cast<float>(in) / static_cast<float>(out);
}

// nearest reads the element in which an output element begins, nearest-exact the one in which its middle lies.
std::vector<Value> upsample_nearest(const Call& call, float middle) {
  const Tensor& input = call.tensor("input");
  const Tensor out = Tensor::empty(input.dtype(), result_sizes(call));
  const std::size_t rank = out.sizes().size();
  std::vector<std::vector<std::int64_t>> sources(rank);
  for (std::size_t d = 2; d < rank; ++d) {
    const float step = step_of(call, d - 2, input.sizes()[d], out.sizes()[d]);
    for (std::int64_t i = 0; i < out.sizes()[d]; ++i) {
      const auto wanted = static_cast<std::int64_t>(std::floor((static_cast<float>(i) + middle) * step));
      sources[d].push_back(std::min(wanted, input.sizes()[d] - 1));
    }
  }
  const auto width = element_size(input.dtype());
  for_each_index(out.sizes(), [&](const Shape& index) {
    Shape from = index;
    for (std::size_t d = 2; d < rank; ++d) from[d] = sources[d][static_cast<std::size_t>(index[d])];
    std::memcpy(out.raw_data() + static_cast<std::size_t>(offset_of(out, index)) * width,
                input.raw_data() + static_cast<std::size_t>(offset_of(input, from)) * width, width);
  });
  return {out};
}
std::vector<Value> eval_upsample_nearest(const Call& call) { return upsample_nearest(call, 0); }
std::vector<Value> eval_upsample_nearest_exact(const Call& call) { return upsample_nearest(call, 0.5f); }

// Where output element `i` lies in the input, in float32 as torch computes it.
float source_position(std::int64_t i, std::int64_t in, std::int64_t out, float step, bool align_corners) {
  if (!align_corners) return (static_cast<float>(i) + 0.5f) * step - 0.5f;
  return out > 1 ? static_cast<float>(i) * (static_cast<float>(in - 1) / static_cast<float>(out - 1)) : 0;
}

Taps linear_taps(float position, std::int64_t size) {
  const float at = std::max(0.0f, position);
  const std::int64_t low = std::min(static_cast<std::int64_t>(at), size - 1);
  const auto weight = static_cast<double>(std::clamp(at - static_cast<float>(low), 0.0f, 1.0f));
  return {{low, 1 - weight}, {std::min(low + 1, size - 1), weight}};
}

// The edges are repeated.
Taps cubic_taps(float position, std::int64_t size) {
  const float low = std::floor(position);
  const auto weights = cubic_weights(static_cast<double>(position - low));
  Taps taps;
  for (std::size_t k = 0; k < 4; ++k) {
    const std::int64_t at = static_cast<std::int64_t>(low) - 1 + static_cast<std::int64_t>(k);
    taps.push_back({std::clamp<std::int64_t>(at, 0, size - 1), weights[k]});
  }
  return taps;
}

// taps_at(i, in, out, step): what element `i` of `out` reads from the `in` elements of one dimension.
template <typename TapsAt>
std::vector<Value> resampled(const Call& call, TapsAt taps_at) {
  const Tensor& input = call.tensor("input");
  const Tensor values = contiguous_as<double>(input);
  const Tensor out = Tensor::empty(DType::float64, result_sizes(call));
  const std::span<const std::int64_t> image = std::span(input.sizes()).subspan(2);
  std::vector<std::vector<Taps>> taps(image.size());
  for (std::size_t d = 0; d < image.size(); ++d) {
    const std::int64_t size = out.sizes()[d + 2];
    const float step = step_of(call, d, image[d], size);
    for (std::int64_t i = 0; i < size; ++i) taps[d].push_back(taps_at(i, image[d], size, step));
  }
  std::vector<Taps> chosen(image.size());
  for_each_index(out.sizes(), [&](const Shape& index) {
    for (std::size_t d = 0; d < image.size(); ++d) chosen[d] = taps[d][static_cast<std::size_t>(index[d + 2])];
    const double* plane = values.data<double>() + (index[0] * input.size(1) + index[1]) * numel(image);
    out.data<double>()[offset_of(out, index)] = sampled(plane, image, chosen);
  });
  return {out.to(input.dtype())};
}

std::vector<Value> upsample(const Call& call, Taps (*taps_at)(float, std::int64_t)) {
  const bool align_corners = call.boolean("align_corners");
  return resampled(call, [&](std::int64_t i, std::int64_t in, std::int64_t out, float step) {
    return taps_at(source_position(i, in, out, step, align_corners), in);
  });
}
std::vector<Value> eval_upsample_linear(const Call& call) { return upsample(call, linear_taps); }
std::vector<Value> eval_upsample_cubic(const Call& call) { return upsample(call, cubic_taps); }

// With antialias the filter is as wide as `step` input elements where the image shrinks, and its weights are normalized. Torch's a is
// -0.5 here.
std::vector<Value> upsample_antialias(const Call& call, double radius, double (*filter)(double)) {
  const bool align_corners = call.boolean("align_corners");
  return resampled(call, [&](std::int64_t i, std::int64_t in, std::int64_t out, float step) {
    if (align_corners) step = out > 1 ? static_cast<float>(in - 1) / static_cast<float>(out - 1) : 0;
    const double width = std::max(1.0, static_cast<double>(step));
    const double center = static_cast<double>(step) * (static_cast<double>(i) + 0.5);
    const auto first = std::max<std::int64_t>(static_cast<std::int64_t>(center - radius * width + 0.5), 0);
    const auto end = std::min<std::int64_t>(static_cast<std::int64_t>(center + radius * width + 0.5), in);
    Taps taps;
    double total = 0;
    for (std::int64_t at = first; at < end; ++at) {
      taps.push_back({at, filter((static_cast<double>(at) - center + 0.5) / width)});
      total += taps.back().weight;
    }
    if (total != 0)
      for (Tap& tap : taps) tap.weight /= total;
    return taps;
  });
}
double triangle(double x) { return std::max(0.0, 1 - std::abs(x)); }
double cubic_antialias(double x) { return std::abs(x) < 2 ? cubic(x, -0.5) : 0; }
std::vector<Value> eval_upsample_linear_aa(const Call& call) { return upsample_antialias(call, 1, triangle); }
std::vector<Value> eval_upsample_cubic_aa(const Call& call) { return upsample_antialias(call, 2, cubic_antialias); }

enum class Padding : std::int64_t { zeros, border, reflection };
enum class Interpolation : std::int64_t { linear, nearest, cubic };

// A position brought into the image. Reflection is about the middles (align_corners) or the outer edges of the border
// elements.
double padded_position(double at, std::int64_t size, Padding padding, bool align_corners) {
  const auto last = static_cast<double>(size - 1);
  if (padding == Padding::zeros) return at;
  if (padding == Padding::reflection) {
    const double low = align_corners ? 0 : -0.5;
    const double span = align_corners ? last : last + 1;
    if (span == 0) return 0;
    const double distance = std::abs(at - low);
    const double beyond = std::fmod(distance, span);
    at = std::fmod(std::floor(distance / span), 2) == 0 ? low + beyond : low + span - beyond;
  }
  return std::clamp(at, 0.0, last);
}

// grid coordinates run from -1 to 1 over the image.
Taps grid_taps(double coordinate, std::int64_t size, Interpolation interpolation, Padding padding, bool align_corners) {
  const auto extent = static_cast<double>(size);
  const double raw = align_corners ? (coordinate + 1) / 2 * (extent - 1) : ((coordinate + 1) * extent - 1) / 2;
  if (!(std::abs(raw) < 1e9)) return {};
  const auto padded = [&](double at) { return padded_position(at, size, padding, align_corners); };
  if (interpolation == Interpolation::nearest) return {{static_cast<std::int64_t>(std::nearbyint(padded(raw))), 1}};
  if (interpolation == Interpolation::linear) {
    const double at = padded(raw);
    const double low = std::floor(at);
    return {{static_cast<std::int64_t>(low), low + 1 - at}, {static_cast<std::int64_t>(low) + 1, at - low}};
  }
  const double low = std::floor(raw);
  const auto weights = cubic_weights(raw - low);
  Taps taps;
  for (std::size_t k = 0; k < 4; ++k)
    taps.push_back({static_cast<std::int64_t>(padded(low - 1 + static_cast<double>(k))), weights[k]});
  return taps;
}

// The grid's last dimension holds x, y (, z): the image's dimensions in reverse.
std::vector<Value> eval_grid_sampler(const Call& call) {
  const Tensor& input = call.tensor("input");
  const Tensor out = Tensor::empty(DType::float64, result_sizes(call));
  const std::int64_t mode = call.integer("interpolation_mode");
  const std::int64_t pad = call.integer("padding_mode");
  const std::span<const std::int64_t> image = std::span(input.sizes()).subspan(2);
  if (mode < 0 || mode > 2 || (mode == 2 && image.size() != 2)) call.fail("no such interpolation for this input");
  if (pad < 0 || pad > 2) call.fail("no such padding mode");
  const bool align_corners = call.boolean("align_corners");
  const Tensor values = contiguous_as<double>(input);
  const Tensor grid = contiguous_as<double>(call.tensor("grid"));
  const auto rank = static_cast<std::int64_t>(image.size());
  const std::int64_t points = numel(std::span(out.sizes()).subspan(2));
  std::vector<Taps> taps(image.size());
  for (std::int64_t i = 0; i < out.size(0) * points; ++i) {
    for (std::size_t d = 0; d < image.size(); ++d) {
      const double coordinate = grid.data<double>()[(i + 1) * rank - 1 - static_cast<std::int64_t>(d)];
      taps[d] = grid_taps(coordinate, image[d], Interpolation{mode}, Padding{pad}, align_corners);
    }
    const std::int64_t batch = i / points;
    for (std::int64_t c = 0; c < out.size(1); ++c) {
      const std::int64_t plane = batch * out.size(1) + c;
      out.data<double>()[plane * points + i % points] =
          sampled(values.data<double>() + plane * numel(image), image, taps);
    }
  }
  return {out.to(input.dtype())};
}

constexpr KernelRow kRows[] = {
    {"aten.upsample_nearest1d.vec", eval_upsample_nearest},
    {"aten.upsample_nearest2d.vec", eval_upsample_nearest},
    {"aten.upsample_nearest3d.vec", eval_upsample_nearest},
    {"aten._upsample_nearest_exact1d.vec", eval_upsample_nearest_exact},
    {"aten._upsample_nearest_exact2d.vec", eval_upsample_nearest_exact},
    {"aten._upsample_nearest_exact3d.vec", eval_upsample_nearest_exact},
    {"aten.upsample_linear1d.vec", eval_upsample_linear},
    {"aten.upsample_bilinear2d.vec", eval_upsample_linear},
    {"aten.upsample_trilinear3d.vec", eval_upsample_linear},
    {"aten.upsample_bicubic2d.vec", eval_upsample_cubic},
    {"aten._upsample_bilinear2d_aa.vec", eval_upsample_linear_aa},
    {"aten._upsample_bicubic2d_aa.vec", eval_upsample_cubic_aa},
    {"aten.grid_sampler.default", eval_grid_sampler},
    {"aten.grid_sampler_2d.default", eval_grid_sampler},
    {"aten.grid_sampler_3d.default", eval_grid_sampler},
};

}  // namespace

KernelFamily upsample_kernels() { return kRows; }

}  // namespace qdq
