#include <cmath>

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
    size += pad[2 * i] + pad[2 * i + 1];
    if (size < 0)
      call.fail("padding " + to_string(pad) + " crops more than sizes " + to_string(self.sizes()) + " have");
  }
  return {meta_value(self.dtype(), std::move(sizes))};
}

std::vector<Value> infer_upsample(const Call& call) {
  const Tensor& input = call.tensor("input");
  if (input.dim() != 4) call.fail("an input [N, C, H, W] expected, found sizes " + to_string(input.sizes()));
  Shape sizes = input.sizes();
  const Shape wanted = call.ints("output_size");
  const Value::List* factors = call.arg("scale_factors").list();
  if (wanted.size() != 2 && !(factors && factors->size() == 2))
    call.fail("two output sizes or two scale factors expected");
  for (std::size_t d = 0; d < 2; ++d) {
    if (wanted.size() == 2) {
      sizes[d + 2] = wanted[d];
      continue;
    }
    const double* factor = std::get_if<double>(&(*factors)[d].v);
    if (!factor) call.fail("scale factors must be floats");
    sizes[d + 2] = static_cast<std::int64_t>(std::floor(static_cast<double>(sizes[d + 2]) * *factor));
  }
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
    {"aten::upsample_nearest2d.vec(Tensor input, SymInt[]? output_size, float[]? scale_factors) -> Tensor",
     infer_upsample},
    {"aten::upsample_bilinear2d.vec(Tensor input, SymInt[]? output_size, bool align_corners, float[]? "
     "scale_factors) -> Tensor",
     infer_upsample},
    {"aten::pixel_shuffle(Tensor self, int upscale_factor) -> Tensor", infer_pixel_shuffle, {.shares_qparams = true}},
    {"aten::pixel_unshuffle(Tensor self, int downscale_factor) -> Tensor",
     infer_pixel_unshuffle,
     {.shares_qparams = true}},
    {"aten::channel_shuffle(Tensor self, SymInt groups) -> Tensor", infer_same_as_first, {.shares_qparams = true}},
};

}  // namespace

OpFamily resample_ops() { return kRows; }

}  // namespace qdq
