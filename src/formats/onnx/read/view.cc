// Other shapes and pieces of a tensor.
#include <algorithm>
#include <numeric>

#include "base/checked.h"
#include "formats/onnx/read/family.h"

namespace qdq::onnx {
namespace {

// 0 keeps the size of the input, unless allowzero says that it is a size.
void read_reshape(const In& in) {
  Argument::List sizes = in.need_sizes(1);
  Node& x = in.tensor(0);
  if (in.integer("allowzero", 0) == 0)
    for (std::size_t d = 0; d < sizes.size(); ++d)
      if (sizes[d] == Argument(0)) {
        if (d >= in.type(x).sizes.size()) in.refuse("a size of 0 beyond the input's dimensions");
        sizes[d] = in.size_of(x, static_cast<std::int64_t>(d));
      }
  const std::vector<SymInt> before = in.type(x).sizes;
  try {
    in.result(in.call("aten.reshape.default", {x, sizes}));
  } catch (const InvalidArgumentError& error) {
    if (std::none_of(before.begin(), before.end(), [](const SymInt& size) { return size.is_symbolic(); })) throw;
    in.refuse(
        std::string(error.what()) +
        ", where stand-ins are put for what the file leaves open. The model fits only certain sizes of its inputs: "
        "fix them in the file, as onnxruntime.tools.make_dynamic_shape_fixed does");
  }
}

// To a matrix: what is before the axis, and the rest.
void read_flatten(const In& in) {
  const std::int64_t rank = in.rank(0);
  std::int64_t axis = in.integer("axis", 1);
  axis = axis < 0 ? axis + rank : axis;
  if (axis < 0 || axis > rank) in.refuse("an axis outside of the tensor");
  Node& x = in.tensor(0);
  if (axis == 0) return in.result(in.call("aten.reshape.default", {x, Argument::List{1, -1}}));
  if (axis == rank) return in.result(in.call("aten.reshape.default", {x, Argument::List{-1, 1}}));
  Node& right = in.call("aten.flatten.using_ints", {x, axis, -1});
  in.result(axis == 1 ? right : in.call("aten.flatten.using_ints", {right, 0, axis - 1}));
}

void read_squeeze(const In& in) {
  auto axes = in.attribute_or_input("axes", 1);
  if (!axes) return in.result(in.call("aten.squeeze.default", {in.tensor(0)}));
  for (std::int64_t& axis : *axes) axis = in.axis(axis, in.rank(0));
  in.result(in.call("aten.squeeze.dims", {in.tensor(0), list_of(*axes)}));
}

void read_unsqueeze(const In& in) {
  Shape axes = in.attribute_or_input("axes", 1).value_or(Shape());
  const std::int64_t rank = in.rank(0) + static_cast<std::int64_t>(axes.size());
  for (std::int64_t& axis : axes) axis = in.axis(axis, rank);
  std::sort(axes.begin(), axes.end());
  Node* value = &in.tensor(0);
  for (const std::int64_t axis : axes) value = &in.call("aten.unsqueeze.default", {*value, axis});
  in.result(*value);
}

// Both sides broadcast: where 1 is asked for, the input keeps its size.
void read_expand(const In& in) {
  Argument::List sizes = in.need_sizes(1);
  const std::vector<SymInt> own = in.type(0).sizes;
  if (sizes.size() < own.size()) sizes.insert(sizes.begin(), own.size() - sizes.size(), Argument(1));
  const std::size_t added = sizes.size() - own.size();
  for (std::size_t d = added; d < sizes.size(); ++d)
    if (sizes[d] == Argument(1)) sizes[d] = Argument(-1);
  in.result(in.call("aten.expand.default", {in.tensor(0), sizes}));
}

void read_transpose(const In& in) {
  auto order = in.ints("perm");
  if (!order) {
    order.emplace(static_cast<std::size_t>(in.rank(0)));
    std::iota(order->rbegin(), order->rend(), 0);
  }
  in.result(in.call("aten.permute.default", {in.tensor(0), list_of(*order)}));
}

void read_tile(const In& in) { in.result(in.call("aten.repeat.default", {in.tensor(0), in.need_sizes(1)})); }

struct SliceBounds {
  Argument::List starts, ends;
  Shape axes, steps;
};
SliceBounds bounds_of(const In& in) {
  SliceBounds bounds;
  bounds.starts = in.need_sizes(1);
  bounds.ends = in.need_sizes(2);
  const std::size_t count = bounds.starts.size();
  bounds.axes.resize(count);
  std::iota(bounds.axes.begin(), bounds.axes.end(), 0);
  bounds.steps.assign(count, 1);
  if (in.has(3)) bounds.axes = in.known_ints(3, "axes");
  if (in.has(4)) bounds.steps = in.known_ints(4, "steps");
  if (bounds.ends.size() != count || bounds.axes.size() != count || bounds.steps.size() != count)
    in.refuse("its starts, ends, axes and steps have different lengths");
  return bounds;
}

// torch has no negative steps: the elements in forward order, turned round.
Node& backwards(const In& in, Node& value, std::int64_t axis, std::int64_t start, std::int64_t end, std::int64_t step) {
  const SymInt& size = in.size(value, axis);
  if (size.is_symbolic()) in.refuse("a negative step along a symbolic size");
  const std::int64_t n = size.value;
  if (n > INT32_MAX) in.refuse("a negative step along a size beyond 2^31");
  start = std::clamp<std::int64_t>(start < 0 ? start + n : start, -1, n - 1);
  end = end < 0 ? std::max<std::int64_t>(end, -n - 1) + n : std::min(end, n - 1);
  const std::int64_t count = start > end ? (start - end - step - 1) / -step : 0;
  const std::int64_t first = count == 0 ? 0 : start + (count - 1) * step;
  Node& forward = in.call("aten.slice.Tensor", {value, axis, first, count == 0 ? 0 : start + 1, -step});
  return in.call("aten.flip.default", {forward, Argument::List{axis}});
}

// table[:n] has n rows: who wrote it knew that the table is long enough.
void take_size(Node& slice, std::int64_t axis, const Argument& end) {
  const TensorMeta* known = slice.type.tensor();
  const auto* size = end.node() ? std::get_if<ValueType::SymIntValue>(&end.node()->type.v) : nullptr;
  if (!known || !size) return;
  TensorMeta meta = *known;
  meta.sizes.at(static_cast<std::size_t>(axis)) = size->value;
  slice.type.v = std::move(meta);
}

void read_slice(const In& in) {
  const SliceBounds bounds = bounds_of(in);
  Node* value = &in.tensor(0);
  for (std::size_t i = 0; i < bounds.axes.size(); ++i) {
    const std::int64_t axis = in.axis(bounds.axes[i], in.rank(0));
    const std::int64_t step = bounds.steps[i];
    if (step == 0) in.refuse("a step of 0");
    if (step > 0) {
      value = &in.call("aten.slice.Tensor", {*value, axis, bounds.starts[i], bounds.ends[i], step});
      if (step == 1 && bounds.starts[i] == Argument(0)) take_size(*value, axis, bounds.ends[i]);
      continue;
    }
    if (bounds.starts[i].node() || bounds.ends[i].node() || step < -INT32_MAX)
      in.refuse("a negative step with symbolic bounds");
    value = &backwards(in, *value, axis, bounds.starts[i].to_int(), bounds.ends[i].to_int(), step);
  }
  in.result(*value);
}

void read_split(const In& in) {
  const std::int64_t axis = in.axis(in.integer("axis", 0), in.rank(0));
  auto sizes = in.attribute_or_input("split", 1);
  const auto count = static_cast<std::int64_t>(in.node.outputs.size());
  if (!sizes) {
    const SymInt& size = in.size(0, axis);
    if (size.is_symbolic()) in.refuse("it splits a symbolic size");
    const std::int64_t each = size.value / count + (size.value % count != 0);
    sizes.emplace(static_cast<std::size_t>(count), each);
    sizes->back() = size.value - each * (count - 1);
  }
  if (static_cast<std::int64_t>(sizes->size()) != count) in.refuse("its sizes do not fit the number of results");
  Node& pieces = in.call("aten.split_with_sizes.default", {in.tensor(0), list_of(*sizes), axis});
  for (std::size_t i = 0; i < sizes->size(); ++i)
    if (in.wants(i)) in.result(in.item(pieces, static_cast<std::int64_t>(i)), i);
}

// The edge of a block of pixels, whose square fits in every number.
std::int64_t block_of(const In& in) {
  const std::int64_t block = in.integer("blocksize", 1);
  if (block < 1 || block > INT16_MAX) in.refuse("a blocksize of " + std::to_string(block));
  return block;
}

Argument times(const In& in, const Argument& size, std::int64_t factor) {
  if (size.node()) return Argument(in.call("_operator.mul", {size, factor}));
  const auto product = checked_mul(size.to_int(), factor);
  if (!product) in.refuse("a size beyond 2^63");
  return Argument(*product);
}

// Channels to blocks. [N, C * b * b, H, W] -> [N, C, H * b, W * b]
void read_depth_to_space(const In& in) {
  const std::int64_t b = block_of(in);
  Node& x = in.tensor(0);
  if (in.text("mode", "DCR") == "CRD") return in.result(in.call("aten.pixel_shuffle.default", {x, b}));
  const std::vector<SymInt> sizes = in.type(x).sizes;
  if (sizes.size() != 4 || sizes[1].is_symbolic() || sizes[1].value % (b * b) != 0)
    in.refuse("an image whose channels are a multiple of the block expected");
  const std::int64_t c = sizes[1].value / (b * b);
  const Argument n = in.size_of(x, 0), h = in.size_of(x, 2), w = in.size_of(x, 3);
  Node& split = in.call("aten.reshape.default", {x, Argument::List{n, b, b, c, h, w}});
  Node& moved = in.call("aten.permute.default", {split, Argument::List{0, 3, 4, 1, 5, 2}});
  in.result(in.call("aten.reshape.default", {moved, Argument::List{n, c, times(in, h, b), times(in, w, b)}}));
}

// The inverse of DepthToSpace.
void read_space_to_depth(const In& in) {
  const std::int64_t b = block_of(in);
  Node& x = in.tensor(0);
  const std::vector<SymInt> sizes = in.type(x).sizes;
  if (sizes.size() != 4) in.refuse("an image expected");
  for (const std::size_t d : {std::size_t{1}, std::size_t{2}, std::size_t{3}})
    if (sizes[d].is_symbolic()) in.refuse("an image of symbolic sizes");
  const std::int64_t c = sizes[1].value, h = sizes[2].value / b, w = sizes[3].value / b;
  Node& split = in.call("aten.reshape.default", {x, Argument::List{in.size_of(x, 0), c, h, b, w, b}});
  const bool channels_last =
      in.text("mode", "DCR") == "DCR";  // a new channel is place in the block, old channel; else the reverse
  Node& moved = in.call("aten.permute.default",
                        {split, channels_last ? Argument::List{0, 3, 5, 1, 2, 4} : Argument::List{0, 1, 3, 5, 2, 4}});
  in.result(in.call("aten.reshape.default", {moved, Argument::List{in.size_of(x, 0), times(in, c, b * b), h, w}}));
}

constexpr ReadRow kRows[] = {
    {"Reshape", "reshape", read_reshape},
    {"Flatten", "flatten, reshape", read_flatten},
    {"Squeeze", "squeeze", read_squeeze},
    {"Unsqueeze", "unsqueeze", read_unsqueeze},
    {"Expand", "expand", read_expand},
    {"Transpose", "permute", read_transpose},
    {"Tile", "repeat", read_tile},
    {"Slice", "slice, flip", read_slice},
    {"Split", "split_with_sizes", read_split},
    {"DepthToSpace", "pixel_shuffle; reshape, permute", read_depth_to_space},
    {"SpaceToDepth", "reshape, permute", read_space_to_depth},
};

}  // namespace

ReadFamily read_view_ops() { return kRows; }

}  // namespace qdq::onnx
