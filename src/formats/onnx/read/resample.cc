// Padding and resizing.
#include <algorithm>
#include <cmath>

#include "formats/onnx/read/family.h"
#include "tensor/quant_math.h"

namespace qdq::onnx {
namespace {

// ONNX: all before, all after; torch: [last before, last after, the one before the last ...], without outer zeros.
Argument::List torch_pads(const In& in) {
  const std::int64_t rank = in.rank(0);
  Argument::List given;
  if (const auto attribute = in.ints("pads"))
    given = list_of(*attribute);
  else
    given = in.need_sizes(1);
  Shape axes;
  if (in.has(3)) axes = in.known_ints(3, "axes");
  if (axes.empty())
    for (std::int64_t d = 0; d < rank; ++d) axes.push_back(d);
  if (given.size() != 2 * axes.size()) in.refuse("its pads have " + std::to_string(given.size()) + " numbers");
  Argument::List pads(2 * static_cast<std::size_t>(rank), Argument(0));
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto from_last = static_cast<std::size_t>(rank - 1 - in.axis(axes[i], rank));
    pads[2 * from_last] = given[i];
    pads[2 * from_last + 1] = given[axes.size() + i];
  }
  while (pads.size() > 2 && pads.back() == Argument(0) && pads[pads.size() - 2] == Argument(0))
    pads.resize(pads.size() - 2);
  return pads;
}

void read_pad(const In& in) {
  const std::string mode = in.text("mode", "constant");
  const Argument::List pads = torch_pads(in);
  if (mode == "constant") {
    const double otherwise = in.number("value", 0);
    const Argument number = is_floating_point(in.type(0).dtype)
                                ? Argument(in.known_number(2, otherwise, "value"))
                                : Argument(in.known_integer(2, float_to_integer<std::int64_t>(otherwise), "value"));
    return in.result(in.call("aten.constant_pad_nd.default", {in.tensor(0), pads, number}));
  }
  const std::string torch_mode = mode == "edge" ? "replicate" : mode == "wrap" ? "circular" : mode;
  in.result(in.call("aten.pad.default", {in.tensor(0), pads, torch_mode}));
}

// What a Resize is asked for, for the spatial dimensions.
struct Wanted {
  Argument scales;              // a list of floats or None
  Argument sizes;               // a list or None
  bool enlarges_evenly = true;  // every scale is a whole number
  bool is_exact = true;         // every size times its scale is a whole number
  bool to_one = false;          // some size becomes 1
};

Wanted wanted_of(const In& in, std::int64_t rank) {
  Wanted wanted;
  Shape axes;
  if (const auto given = in.ints("axes")) axes = *given;
  if (axes.empty())
    for (std::int64_t d = 0; d < rank; ++d) axes.push_back(d);
  const auto spread = [&](const Argument::List& given, const Argument& otherwise) {
    if (given.size() != axes.size()) in.refuse("its scales or sizes do not fit the input");
    Argument::List all(static_cast<std::size_t>(rank), otherwise);
    for (std::size_t i = 0; i < axes.size(); ++i) all[static_cast<std::size_t>(in.axis(axes[i], rank))] = given[i];
    return all;
  };
  const Tensor* scales = in.constant(2);
  if (scales && scales->numel() > 0) {
    Argument::List numbers;
    const Tensor wide = scales->to(DType::float64).contiguous();
    for (std::int64_t i = 0; i < wide.numel(); ++i) numbers.emplace_back(wide.data<double>()[i]);
    Argument::List all = spread(numbers, Argument(1.0));
    if (all[0] != Argument(1.0) || all[1] != Argument(1.0)) in.refuse("it resizes batch or channels");
    all.erase(all.begin(), all.begin() + 2);
    for (std::size_t d = 0; d < all.size(); ++d) {
      const double factor = all[d].to_double();
      if (!(factor > 0)) in.refuse("a scale that is not positive");
      const bool is_whole = factor >= 1 && factor == std::floor(factor);
      wanted.enlarges_evenly &= is_whole;
      const SymInt& size = in.type(0).sizes[d + 2];
      const double product = factor * static_cast<double>(size.value);
      wanted.is_exact &= is_whole || (!size.is_symbolic() && product == std::floor(product));
      wanted.to_one |= !size.is_symbolic() && std::floor(product) == 1 && size.value != 1;
    }
    wanted.scales = all;
    return wanted;
  }
  if (!in.has(3)) in.refuse("its scales are computed");
  Argument::List all = spread(in.need_sizes(3), Argument(1));
  all.erase(all.begin(), all.begin() + 2);
  for (std::size_t d = 0; d < all.size(); ++d) {
    const SymInt& size = in.type(0).sizes[d + 2];
    wanted.enlarges_evenly &=
        !size.is_symbolic() && all[d].node() == nullptr && size.value > 0 && all[d].to_int() % size.value == 0;
    wanted.to_one |= all[d] == Argument(1);
  }
  wanted.sizes = all;
  return wanted;
}

void read_resize(const In& in) {
  const std::int64_t rank = in.rank(0);
  if (rank < 3 || rank > 5) in.refuse("it resizes images [batch, channels, ...]");
  if (in.integer("antialias", 0) != 0) in.refuse("antialias");
  if (in.text("keep_aspect_ratio_policy", "stretch") != "stretch") in.refuse("keep_aspect_ratio_policy");
  const std::string mode = in.text("mode", "nearest");
  const std::string where = in.text("coordinate_transformation_mode", "half_pixel");
  const std::string digit = std::to_string(rank - 2);
  const Wanted wanted = wanted_of(in, rank);
  if (mode == "nearest") {
    const std::string rounding = in.text("nearest_mode", "round_prefer_floor");
    // Enlarging by whole numbers, the middle of an element never lies between two others.
    const bool middle =
        (where == "half_pixel" || where == "pytorch_half_pixel") &&
        (rounding == "round_prefer_ceil" || (rounding == "round_prefer_floor" && wanted.enlarges_evenly));
    if (middle)
      return in.result(
          in.call("aten._upsample_nearest_exact" + digit + "d.vec", {in.tensor(0), wanted.sizes, wanted.scales}));
    if (where != "asymmetric" || rounding != "floor")
      in.refuse("nearest with " + where + " and " + rounding + ", which torch does not have");
    return in.result(in.call("aten.upsample_nearest" + digit + "d.vec", {in.tensor(0), wanted.sizes, wanted.scales}));
  }
  const bool corners = where == "align_corners";
  if (!corners && where != "half_pixel" && where != "pytorch_half_pixel")
    in.refuse(mode + " with " + where + ", which torch does not have");
  if (in.integer("exclude_outside", 0) != 0) in.refuse("exclude_outside");
  if (corners && !wanted.is_exact) in.refuse("align_corners with scales that give no whole sizes");
  if (where == "pytorch_half_pixel" && wanted.to_one) in.refuse("pytorch_half_pixel to a size of 1");
  if (mode == "linear") {
    const char* name = rank == 3 ? "linear1d" : rank == 4 ? "bilinear2d" : "trilinear3d";
    return in.result(
        in.call("aten.upsample_" + std::string(name) + ".vec", {in.tensor(0), wanted.sizes, corners, wanted.scales}));
  }
  if (mode != "cubic" || rank != 4) in.refuse(mode + " of an image with " + digit + " spatial dimensions");
  if (in.number("cubic_coeff_a", -0.75) != -0.75) in.refuse("a cubic_coeff_a other than -0.75");
  in.result(in.call("aten.upsample_bicubic2d.vec", {in.tensor(0), wanted.sizes, corners, wanted.scales}));
}

constexpr ReadRow kRows[] = {
    {"Pad", "constant_pad_nd, pad", read_pad},
    {"Resize", "upsample_nearest, _upsample_nearest_exact, upsample_linear1d, bilinear2d, trilinear3d, bicubic2d",
     read_resize},
};

}  // namespace

ReadFamily read_resample_ops() { return kRows; }

}  // namespace qdq::onnx
