#include <algorithm>
#include <cmath>

#include "base/checked.h"
#include "ops/family.h"
#include "ops/shapes.h"

namespace qdq {
namespace {

// Pads come in pairs (before, after), the last dimension first. Negative ones crop.
std::vector<Value> infer_pad(const Call& call) {
  const Tensor& self = call.tensor("self");
  const Shape pad = call.ints(call.schema().args[1].name);
  if (pad.size() % 2 != 0 || pad.size() / 2 > self.sizes().size())
    call.fail(std::to_string(pad.size()) + " pads for sizes " + to_string(self.sizes()));
  Shape sizes = self.sizes();
  for (std::size_t i = 0; i < pad.size() / 2; ++i) {
    std::int64_t& size = sizes[sizes.size() - 1 - i];
    const auto padding = checked_add(pad[2 * i], pad[2 * i + 1]);
    const auto padded = padding ? checked_add(size, *padding) : std::nullopt;
    if (!padded) call.fail("padding " + to_string(pad) + " of sizes " + to_string(self.sizes()) + " overflows");
    size = *padded;
    if (size < 0)
      call.fail("padding " + to_string(pad) + " crops more than sizes " + to_string(self.sizes()) + " have");
  }
  return {meta_value(self.dtype(), std::move(sizes))};
}

// Images of one, two or three dimensions, as the op's name says: "upsample_nearest3d.vec".
std::vector<Value> infer_upsample(const Call& call) {
  const Tensor& input = call.tensor("input");
  const std::string& target = call.schema().target;
  const auto rank = static_cast<std::size_t>(target[target.find_first_of("123")] - '0');
  if (input.sizes().size() != rank + 2)
    call.fail("batch, channels and " + std::to_string(rank) + " more dimensions expected, found sizes " +
              to_string(input.sizes()));
  Shape sizes = input.sizes();
  const Shape wanted = call.ints("output_size");
  const Value::List* factors = call.arg("scale_factors").list();
  if (wanted.size() != rank && !(factors && factors->size() == rank))
    call.fail("an output size or a scale factor per dimension of the image expected");
  for (std::size_t d = 0; d < rank; ++d) {
    if (wanted.size() == rank) {
      sizes[d + 2] = wanted[d];
    } else {
      const double* factor = std::get_if<double>(&(*factors)[d].v);
      if (!factor) call.fail("scale factors must be floats");
      const double size = std::floor(static_cast<double>(sizes[d + 2]) * *factor);
      if (!(size < 0x1p62)) call.fail("a scale factor of " + std::to_string(*factor) + " is too large");
      sizes[d + 2] = static_cast<std::int64_t>(std::max(size, 0.0));
    }
    if (sizes[d + 2] < 1 || input.sizes()[d + 2] < 1) call.fail("sizes of images must be positive");
  }
  return {meta_value(input.dtype(), std::move(sizes))};
}

// [N, C, image...] sampled at the points of [N, result..., rank of the image].
std::vector<Value> infer_grid_sampler(const Call& call) {
  const Tensor& input = call.tensor("input");
  const Tensor& grid = call.tensor("grid");
  if ((input.dim() != 4 && input.dim() != 5) || grid.dim() != input.dim() || grid.size(0) != input.size(0) ||
      grid.size(-1) != input.dim() - 2)
    call.fail("a grid of sizes " + to_string(grid.sizes()) + " does not fit an input of sizes " +
              to_string(input.sizes()));
  Shape sizes = grid.sizes();
  sizes.pop_back();
  sizes.insert(sizes.begin() + 1, input.size(1));
  return {meta_value(input.dtype(), std::move(sizes))};
}

std::vector<Value> infer_pixel_shuffle(const Call& call) {
  const Tensor& self = call.tensor("self");
  const std::int64_t r = call.integer("upscale_factor");
  if (self.dim() < 3 || r < 1 || self.size(-3) % (r * r) != 0)
    call.fail("channels must be a multiple of the factor squared");
  Shape sizes = self.sizes();
  const std::size_t rank = sizes.size();
  sizes[rank - 3] /= r * r;
  sizes[rank - 2] *= r;
  sizes[rank - 1] *= r;
  return {meta_value(self.dtype(), std::move(sizes))};
}

std::vector<Value> infer_pixel_unshuffle(const Call& call) {
  const Tensor& self = call.tensor("self");
  const std::int64_t r = call.integer("downscale_factor");
  if (self.dim() < 3 || r < 1 || self.size(-1) % r != 0 || self.size(-2) % r != 0)
    call.fail("height and width must be multiples of the factor");
  Shape sizes = self.sizes();
  const std::size_t rank = sizes.size();
  sizes[rank - 3] *= r * r;
  sizes[rank - 2] /= r;
  sizes[rank - 1] /= r;
  return {meta_value(self.dtype(), std::move(sizes))};
}

constexpr OpRow kRows[] = {
    {"aten::pad(Tensor self, SymInt[] pad, str mode=\"constant\", float? value=None) -> Tensor", infer_pad},
    {"aten::constant_pad_nd(Tensor self, SymInt[] pad, Scalar value=0) -> Tensor", infer_pad},
    {"aten::reflection_pad1d(Tensor self, SymInt[2] padding) -> Tensor", infer_pad},
    {"aten::reflection_pad2d(Tensor self, SymInt[4] padding) -> Tensor", infer_pad},
    {"aten::replication_pad1d(Tensor self, SymInt[2] padding) -> Tensor", infer_pad},
    {"aten::replication_pad2d(Tensor self, SymInt[4] padding) -> Tensor", infer_pad},
    {"aten::upsample_nearest1d.vec(Tensor input, SymInt[]? output_size, float[]? scale_factors) -> Tensor",
     infer_upsample},
    {"aten::upsample_nearest2d.vec(Tensor input, SymInt[]? output_size, float[]? scale_factors) -> Tensor",
     infer_upsample},
    {"aten::upsample_nearest3d.vec(Tensor input, SymInt[]? output_size, float[]? scale_factors) -> Tensor",
     infer_upsample},
    {"aten::_upsample_nearest_exact1d.vec(Tensor input, SymInt[]? output_size, float[]? scale_factors) -> Tensor",
     infer_upsample},
    {"aten::_upsample_nearest_exact2d.vec(Tensor input, SymInt[]? output_size, float[]? scale_factors) -> Tensor",
     infer_upsample},
    {"aten::_upsample_nearest_exact3d.vec(Tensor input, SymInt[]? output_size, float[]? scale_factors) -> Tensor",
     infer_upsample},
    {"aten::upsample_linear1d.vec(Tensor input, SymInt[]? output_size, bool align_corners, float[]? "
     "scale_factors) -> Tensor",
     infer_upsample},
    {"aten::upsample_bilinear2d.vec(Tensor input, SymInt[]? output_size, bool align_corners, float[]? "
     "scale_factors) -> Tensor",
     infer_upsample},
    {"aten::upsample_trilinear3d.vec(Tensor input, SymInt[]? output_size, bool align_corners, float[]? "
     "scale_factors) -> Tensor",
     infer_upsample},
    {"aten::upsample_bicubic2d.vec(Tensor input, SymInt[]? output_size, bool align_corners, float[]? "
     "scale_factors) -> Tensor",
     infer_upsample},
    {"aten::_upsample_bilinear2d_aa.vec(Tensor input, SymInt[]? output_size, bool align_corners, float[]? "
     "scale_factors) -> Tensor",
     infer_upsample},
    {"aten::_upsample_bicubic2d_aa.vec(Tensor input, SymInt[]? output_size, bool align_corners, float[]? "
     "scale_factors) -> Tensor",
     infer_upsample},
    {"aten::grid_sampler(Tensor input, Tensor grid, int interpolation_mode, int padding_mode, bool "
     "align_corners) -> Tensor",
     infer_grid_sampler},
    {"aten::grid_sampler_2d(Tensor input, Tensor grid, int interpolation_mode, int padding_mode, bool "
     "align_corners) -> Tensor",
     infer_grid_sampler},
    {"aten::grid_sampler_3d(Tensor input, Tensor grid, int interpolation_mode, int padding_mode, bool "
     "align_corners) -> Tensor",
     infer_grid_sampler},
    {"aten::pixel_shuffle(Tensor self, int upscale_factor) -> Tensor", infer_pixel_shuffle, {.shares_qparams = true}},
    {"aten::pixel_unshuffle(Tensor self, int downscale_factor) -> Tensor",
     infer_pixel_unshuffle,
     {.shares_qparams = true}},
    {"aten::channel_shuffle(Tensor self, SymInt groups) -> Tensor", infer_same_as_first, {.shares_qparams = true}},
};

}  // namespace

OpFamily resample_ops() { return kRows; }

}  // namespace qdq
