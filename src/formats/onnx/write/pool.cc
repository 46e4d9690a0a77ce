#include "ops/pool.h"

#include "formats/onnx/write/family.h"

namespace qdq::onnx {
namespace {

// ONNX's input has a batch, torch's may come without.
struct Batched {
  Name value;
  bool added;
};
Batched batched(const Op& op, std::size_t spatial) {
  const bool missing = op.rank("self") == static_cast<std::int64_t>(spatial) + 1;
  return {missing ? op.unsqueeze(op.in("self"), {0}) : op.in("self"), missing};
}
Name unbatched(const Op& op, const Batched& input, const Name& result) {
  return input.added ? op.squeeze(result, {0}) : result;
}

NodeAttributes window(const PoolParams& params) {
  Shape pads = params.padding;
  pads.insert(pads.end(), params.padding.begin(), params.padding.end());
  return {{"kernel_shape", params.kernel},
          {"strides", params.stride},
          {"pads", pads},
          {"ceil_mode", std::int64_t{params.ceil_mode}}};
}

// With ceil_mode torch leaves out a window that would begin behind the input, ONNX does not.
void check_ceil_mode(const Op& op, const PoolParams& params) {
  if (!params.ceil_mode) return;
  const std::vector<SymInt>& sizes = op.sizes("self");
  for (std::size_t d = 0; d < params.kernel.size(); ++d) {
    const SymInt& size = sizes[sizes.size() - params.kernel.size() + d];
    if (size.is_symbolic()) continue;
    const std::int64_t room = size.value + 2 * params.padding[d] - params.dilation[d] * (params.kernel[d] - 1) - 1;
    const std::int64_t windows = (room + params.stride[d] - 1) / params.stride[d] + 1;
    if ((windows - 1) * params.stride[d] >= size.value + params.padding[d])
      op.refuse("with ceil_mode, ONNX has a window behind the input that torch leaves out");
  }
}

Names write_max_pool(const Op& op) {
  const std::size_t spatial = pooled_dims(op.call);
  const PoolParams params = pool_params(op.call, spatial);
  check_ceil_mode(op, params);
  NodeAttributes attributes = window(params);
  attributes.emplace_back("dilations", params.dilation);
  const Batched input = batched(op, spatial);
  if (op.call.schema().returns.size() == 1)
    return {unbatched(op, input, op.emit("MaxPool", {input.value}, attributes))};
  // ONNX counts over the whole tensor, torch over each plane.
  const Names both = op.emit_many("MaxPool", {input.value}, 2, attributes);
  const Name sizes = op.emit("Shape", {op.in("self")});
  const Name last = op.emit("Slice", {sizes, op.ints({-static_cast<std::int64_t>(spatial)}), op.ints({INT64_MAX})});
  const Name plane = op.reduce("ReduceProd", last, {0}, false);
  return {unbatched(op, input, both[0]), unbatched(op, input, op.emit("Mod", {both[1], plane}))};
}

Names write_avg_pool(const Op& op) {
  const std::size_t spatial = pooled_dims(op.call);
  const PoolParams params = pool_params(op.call, spatial);
  check_ceil_mode(op, params);
  if (op.call.schema().find_arg("divisor_override") && op.has("divisor_override"))
    op.refuse("an average with divisor_override");
  NodeAttributes attributes = window(params);
  attributes.emplace_back("count_include_pad", std::int64_t{op.call.boolean("count_include_pad")});
  const Batched input = batched(op, spatial);
  return {unbatched(op, input, op.emit("AveragePool", {input.value}, attributes))};
}

// The window and stride of an adaptive pooling that divides the input evenly.
PoolParams even_windows(const Op& op, std::size_t spatial) {
  const std::vector<SymInt>& sizes = op.sizes("self");
  const Shape wanted = op.call.ints("output_size", spatial);
  PoolParams params;
  for (std::size_t d = 0; d < spatial; ++d) {
    const SymInt& size = sizes[sizes.size() - spatial + d];
    if (size.is_symbolic() || wanted[d] < 1 || size.value % wanted[d] != 0)
      op.refuse(
          "adaptive pooling of a size that is symbolic or not a multiple of the result's; ONNX pools with equal "
          "windows");
    params.kernel.push_back(size.value / wanted[d]);
  }
  params.stride = params.kernel;
  params.padding.assign(spatial, 0);
  return params;
}

Names write_adaptive_avg_pool(const Op& op) {
  const std::size_t spatial = pooled_dims(op.call);
  const Batched input = batched(op, spatial);
  const Shape wanted = op.call.ints("output_size", spatial);
  const bool is_global = wanted == Shape(spatial, 1);
  return {unbatched(op, input,
                    is_global ? op.emit("GlobalAveragePool", {input.value})
                              : op.emit("AveragePool", {input.value}, window(even_windows(op, spatial))))};
}

Names write_adaptive_max_pool(const Op& op) {
  const std::size_t spatial = pooled_dims(op.call);
  const Batched input = batched(op, spatial);
  return {unbatched(op, input, op.emit("MaxPool", {input.value}, window(even_windows(op, spatial)))), ""};
}

Names write_col2im(const Op& op) {
  op.need_opset(18, "Col2Im");
  if (op.rank("self") != 3) op.refuse("columns without a batch");
  const Shape padding = op.call.ints("padding", 2);
  return {op.emit(
      "Col2Im",
      {op.in("self"), op.size_list(*op.argument("output_size").list()), op.ints(op.call.ints("kernel_size", 2))},
      {{"dilations", op.call.ints("dilation", 2)},
       {"pads", Shape{padding[0], padding[1], padding[0], padding[1]}},
       {"strides", op.call.ints("stride", 2)}})};
}

constexpr WriteRow kRows[] = {
    {"aten.max_pool1d.default", "MaxPool", write_max_pool},
    {"aten.max_pool2d.default", "MaxPool", write_max_pool},
    {"aten.max_pool3d.default", "MaxPool", write_max_pool},
    {"aten.max_pool2d_with_indices.default", "MaxPool, Mod", write_max_pool},
    {"aten.avg_pool1d.default", "AveragePool", write_avg_pool},
    {"aten.avg_pool2d.default", "AveragePool", write_avg_pool},
    {"aten.avg_pool3d.default", "AveragePool", write_avg_pool},
    {"aten.adaptive_avg_pool1d.default", "GlobalAveragePool, AveragePool", write_adaptive_avg_pool},
    {"aten.adaptive_avg_pool2d.default", "GlobalAveragePool, AveragePool", write_adaptive_avg_pool},
    {"aten.adaptive_avg_pool3d.default", "GlobalAveragePool, AveragePool", write_adaptive_avg_pool},
    {"aten._adaptive_avg_pool2d.default", "GlobalAveragePool, AveragePool", write_adaptive_avg_pool},
    {"aten.adaptive_max_pool2d.default", "MaxPool", write_adaptive_max_pool},
    {"aten.col2im.default", "Col2Im", write_col2im},
};

}  // namespace

WriteFamily write_pool_ops() { return kRows; }

}  // namespace qdq::onnx
