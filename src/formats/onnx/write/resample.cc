// Padding and resizing.
#include <cmath>

#include "formats/onnx/write/family.h"

namespace qdq::onnx {
namespace {

// torch: [last before, last after, the one before the last ...]; ONNX: all before, all after.
Name pads_of(const Op& op, std::string_view name) {
  const Argument::List* pads = op.argument(name).list();
  if (!pads) op.refuse("its padding is no list");
  const std::size_t count = pads->size() / 2;
  const auto rank = static_cast<std::size_t>(op.rank("self"));
  if (count > rank) op.refuse("more padding than dimensions");
  Argument::List all(2 * rank, Argument(0));
  for (std::size_t i = 0; i < count; ++i) {
    all[rank - 1 - i] = (*pads)[2 * i];
    all[2 * rank - 1 - i] = (*pads)[2 * i + 1];
  }
  return op.size_list(all);
}

Names padded(const Op& op, std::string_view name, const std::string& mode, double value) {
  if (mode == "constant")
    return {op.emit("Pad", {op.in("self"), pads_of(op, name), op.number(value, op.dtype("self"))}, {{"mode", mode}})};
  return {op.emit("Pad", {op.in("self"), pads_of(op, name)}, {{"mode", mode}})};
}

Names write_pad(const Op& op) {
  const std::string& mode = op.call.string("mode");
  if (mode == "circular") {
    op.need_opset(19, "circular padding");
    return padded(op, "pad", "wrap", 0);
  }
  return padded(op, "pad", mode == "replicate" ? "edge" : mode, op.has("value") ? op.call.number("value") : 0);
}
Names write_constant_pad(const Op& op) { return padded(op, "pad", "constant", op.call.number("value")); }
Names write_reflection_pad(const Op& op) { return padded(op, "padding", "reflect", 0); }
Names write_replication_pad(const Op& op) { return padded(op, "padding", "edge", 0); }

Name resized(const Op& op, NodeAttributes attributes) {
  const Name input = op.in("input");
  const auto spatial = op.rank("input") - 2;
  if (op.has("scale_factors")) {
    std::vector<float> scales(2, 1.0F);
    for (const Argument& factor : *op.argument("scale_factors").list())
      scales.push_back(static_cast<float>(factor.to_double()));
    const Name factors =
        op.emitter().constant(Tensor::from(std::span<const float>(scales), {static_cast<std::int64_t>(scales.size())}));
    return op.emit("Resize", {input, "", factors}, std::move(attributes));
  }
  const Argument::List& wanted = *op.argument("output_size").list();
  if (static_cast<std::int64_t>(wanted.size()) != spatial) op.refuse("its output_size has another rank");
  const Name leading = op.emit("Slice", {op.emit("Shape", {input}), op.ints({0}), op.ints({2})});
  const Name sizes = op.emit("Concat", {leading, op.size_list(wanted)}, {{"axis", std::int64_t{0}}});
  return op.emit("Resize", {input, "", "", sizes}, std::move(attributes));
}

Names write_nearest(const Op& op) {
  return {resized(op, {{"mode", std::string("nearest")},
                       {"coordinate_transformation_mode", std::string("asymmetric")},
                       {"nearest_mode", std::string("floor")}})};
}
Names write_nearest_exact(const Op& op) {
  if (op.has("scale_factors"))
    for (const Argument& factor : *op.argument("scale_factors").list())
      if (factor.to_double() != std::floor(factor.to_double()))
        op.refuse("nearest-exact by a factor that is no whole number, which ONNX rounds in another way");
  return {resized(op, {{"mode", std::string("nearest")},
                       {"coordinate_transformation_mode", std::string("half_pixel")},
                       {"nearest_mode", std::string("round_prefer_ceil")}})};
}

std::string coordinates(const Op& op) { return op.call.boolean("align_corners") ? "align_corners" : "half_pixel"; }

Names write_linear_upsample(const Op& op) {
  return {resized(op, {{"mode", std::string("linear")}, {"coordinate_transformation_mode", coordinates(op)}})};
}
Names write_cubic(const Op& op) {
  return {resized(
      op,
      {{"mode", std::string("cubic")}, {"coordinate_transformation_mode", coordinates(op)}, {"cubic_coeff_a", -0.75}})};
}

Names write_pixel_shuffle(const Op& op) {
  if (op.rank("self") != 4) op.refuse("an image without a batch");
  return {op.emit("DepthToSpace", {op.in("self")},
                  {{"blocksize", op.call.integer("upscale_factor")}, {"mode", std::string("CRD")}})};
}

constexpr WriteRow kRows[] = {
    {"aten.pad.default", "Pad", write_pad},
    {"aten.constant_pad_nd.default", "Pad", write_constant_pad},
    {"aten.reflection_pad1d.default", "Pad", write_reflection_pad},
    {"aten.reflection_pad2d.default", "Pad", write_reflection_pad},
    {"aten.replication_pad1d.default", "Pad", write_replication_pad},
    {"aten.replication_pad2d.default", "Pad", write_replication_pad},
    {"aten.upsample_nearest1d.vec", "Resize", write_nearest},
    {"aten.upsample_nearest2d.vec", "Resize", write_nearest},
    {"aten.upsample_nearest3d.vec", "Resize", write_nearest},
    {"aten._upsample_nearest_exact1d.vec", "Resize", write_nearest_exact},
    {"aten._upsample_nearest_exact2d.vec", "Resize", write_nearest_exact},
    {"aten._upsample_nearest_exact3d.vec", "Resize", write_nearest_exact},
    {"aten.upsample_linear1d.vec", "Resize", write_linear_upsample},
    {"aten.upsample_bilinear2d.vec", "Resize", write_linear_upsample},
    {"aten.upsample_trilinear3d.vec", "Resize", write_linear_upsample},
    {"aten.upsample_bicubic2d.vec", "Resize", write_cubic},
    {"aten.pixel_shuffle.default", "DepthToSpace", write_pixel_shuffle},
};

}  // namespace

WriteFamily write_resample_ops() { return kRows; }

}  // namespace qdq::onnx
