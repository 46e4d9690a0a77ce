#include "lower/int8_lowering.h"
#include "lower/kernel_list.h"
#include "ops/schema.h"
#include "ops/shapes.h"
#include "runtime/elementwise.h"

// Ops that only move values, and stay on their grid: the kernels for floats move the bytes.
namespace qdq::lower {

std::optional<Value> Int8Lowering::lower_cat(const Call& call) {
  std::vector<Tensor> parts = call.tensors("tensors");
  std::optional<OnGrid> first;
  for (Tensor& part : parts) {
    const auto value = emitter_.on_grid(part);
    if (!value) return std::nullopt;
    if (!first) first = value;
    if (!(value->grid == first->grid) || value->dtype != first->dtype || value->bytes.dim() != first->bytes.dim())
      return refuse(call, "its parts stand on different grids");
    part = value->bytes;
  }
  if (!first || first->bytes.dim() == 0) return std::nullopt;
  const std::int64_t dim = call.dim("dim", first->bytes.dim());
  Shape sizes = call.schema().infer(call).at(0).tensor()->sizes();
  const Tensor out = emitter_.allocate(DType::uint8, sizes, strides_in_order_of(parts[0], sizes));
  std::int64_t start = 0;
  for (const Tensor& part : parts) {
    emitter_.emit(runtime::copy_step(emitter_.name(), part, out.narrow(dim, start, part.size(dim))));
    start += part.size(dim);
  }
  return Value(emitter_.dequantized({out, first->grid, first->dtype}));
}

namespace {

// The byte that stands for `value` exactly, or nothing.
std::optional<double> byte_of(double value, const integer::Grid& grid) {
  const float level = integer::bound_level(value, grid);
  const float stands_for = dequantize(level, static_cast<float>(grid.scale), static_cast<float>(grid.zero_point));
  return stands_for == static_cast<float>(value) ? std::optional(static_cast<double>(level)) : std::nullopt;
}

}  // namespace

std::optional<Value> Int8Lowering::lower_movement(const Call& call) {
  const auto input = emitter_.on_grid(first_tensor(call));
  if (!input) return std::nullopt;
  std::vector<Value> args;
  for (const ArgSchema& arg : call.schema().args) args.push_back(call.arg(arg.name));
  args[0] = Value(input->bytes);
  if (call.schema().find_arg("value")) {
    const auto byte = byte_of(call.has("value") ? call.number("value") : 0.0, input->grid);
    if (!byte) return refuse(call, "what it pads with is not on the grid");
    for (std::size_t i = 0; i < args.size(); ++i)
      if (call.schema().args[i].name == "value") args[i] = Value(*byte);
  }
  const auto moved = find_kernel(call.schema().target)(Call(call.node(), call.schema(), args), emitter_);
  if (!moved) return refuse(call, "the engine has no kernel for this mode of it");
  return Value(emitter_.dequantized(OnGrid{*moved->tensor(), input->grid, input->dtype}));
}

}  // namespace qdq::lower
