#include "lower/kernel_list.h"
#include "ops/schema.h"
#include "ops/shapes.h"
#include "runtime/elementwise.h"
#include "runtime/rows.h"

namespace qdq::lower {
namespace {

// The result's sizes, found on row-major stand-ins: a planned value in another order of dimensions cannot always be viewed.
Shape inferred_sizes(const Call& call) {
  std::vector<Value> args;
  for (const ArgSchema& arg : call.schema().args) {
    const Value& value = call.arg(arg.name);
    args.push_back(value.tensor() ? Value(Tensor::meta(value.tensor()->dtype(), value.tensor()->sizes())) : value);
  }
  return call.schema().infer(Call(call.node(), call.schema(), std::move(args))).at(0).tensor()->sizes();
}

std::optional<Value> lower_reshape(const Call& call, Emitter& emitter) {
  const Tensor& input = call.tensor("self");
  const Shape sizes = inferred_sizes(call);
  if (const auto strides = view_strides(input.sizes(), input.strides(), sizes))
    return Value(input.as_strided(sizes, *strides, input.storage_offset()));
  const Tensor plain = emitter.contiguous(input);
  return Value(plain.as_strided(sizes, contiguous_strides(sizes), plain.storage_offset()));
}

// Nothing writes to the value or to what it is made from: a copy is not needed.
bool may_share(const Call& call, Emitter& emitter) {
  const Node* source = call.node().input(0);
  const AliasAnalysis& aliases = emitter.shared().aliases;
  return source && !aliases.is_mutated(*source) && !aliases.is_mutated(call.node());
}

std::optional<Value> lower_clone(const Call& call, Emitter& emitter) {
  const Tensor& input = first_tensor(call);
  if (may_share(call, emitter)) return Value(input);
  const Tensor out = emitter.allocate_result(input.dtype(), input.sizes(), input);
  emitter.emit(runtime::copy_step(emitter.name(), input, out));
  return Value(out);
}

// contiguous() is a promise about strides; only writes through later views could tell.
std::optional<Value> lower_contiguous(const Call& call, Emitter& emitter) {
  const Tensor& input = call.tensor("self");
  if (may_share(call, emitter)) return Value(input);
  return Value(emitter.contiguous(input));
}

std::optional<Value> lower_dropout(const Call& call, Emitter&) {
  if (call.boolean("train") && call.number("p") != 0.0) return std::nullopt;
  return Value(call.tensor("input"));
}

// Casts: to another dtype they convert, to the same they do nothing.
std::optional<Value> lower_cast(const Call& call, Emitter& emitter) {
  const Tensor& input = call.tensor("self");
  const DType wanted = call.dtype("dtype", input.dtype());
  const bool always_copies = call.schema().target == "aten._to_copy.default";
  if (wanted == input.dtype() && (!always_copies || may_share(call, emitter))) return Value(input);
  if (is_complex(wanted) || is_complex(input.dtype())) return std::nullopt;
  const Tensor out = emitter.allocate_result(wanted, input.sizes(), input);
  emitter.emit(runtime::copy_step(emitter.name(), input, out));
  return Value(out);
}

std::optional<Value> emit_cat(const std::vector<Tensor>& parts, std::int64_t dim, Emitter& emitter) {
  Shape sizes = parts.at(0).sizes();
  std::int64_t total = 0;
  for (const Tensor& part : parts) total += part.sizes()[static_cast<std::size_t>(dim)];
  sizes[static_cast<std::size_t>(dim)] = total;
  const Tensor out = emitter.allocate_result(parts[0].dtype(), sizes, parts[0]);
  std::int64_t start = 0;
  for (const Tensor& part : parts) {
    const std::int64_t length = part.sizes()[static_cast<std::size_t>(dim)];
    emitter.emit(runtime::copy_step(emitter.name(), part, out.narrow(dim, start, length)));
    start += length;
  }
  return Value(out);
}

std::optional<Value> lower_cat(const Call& call, Emitter& emitter) {
  std::vector<Tensor> parts = call.tensors("tensors");
  std::erase_if(
      parts, [](const Tensor& t) { return t.dim() == 1 && t.size(0) == 0; });  // torch skips these, whatever the rank
  if (parts.empty()) return std::nullopt;
  for (const Tensor& part : parts)
    if (part.dtype() != parts[0].dtype() || part.dim() != parts[0].dim() || part.dim() == 0) return std::nullopt;
  return emit_cat(parts, call.dim("dim", parts[0].dim()), emitter);
}

std::optional<Value> lower_stack(const Call& call, Emitter& emitter) {
  std::vector<Tensor> parts = call.tensors("tensors");
  const std::int64_t dim = call.dim("dim", parts.at(0).dim() + 1);
  for (Tensor& part : parts) {
    if (part.dtype() != parts[0].dtype()) return std::nullopt;
    Shape sizes = part.sizes();
    Shape strides = part.strides();
    sizes.insert(sizes.begin() + dim, 1);
    strides.insert(strides.begin() + dim, 0);
    part = part.as_strided(std::move(sizes), std::move(strides), part.storage_offset());
  }
  return emit_cat(parts, dim, emitter);
}

std::optional<Value> emit_pad(const Call& call, const Shape& pad, double value, Emitter& emitter) {
  const Tensor& input = call.tensor("self");
  Shape sizes = input.sizes();
  for (std::size_t i = 0; i < pad.size() / 2; ++i) {
    if (pad[2 * i] < 0 || pad[2 * i + 1] < 0 || i >= sizes.size()) return std::nullopt;
    sizes[sizes.size() - 1 - i] += pad[2 * i] + pad[2 * i + 1];
  }
  const Tensor out = emitter.allocate_result(input.dtype(), sizes, input);
  emitter.emit(runtime::fill_step(emitter.name(), out, value));
  Tensor inside = out;
  for (std::size_t i = 0; i < pad.size() / 2; ++i) {
    const std::size_t d = sizes.size() - 1 - i;
    inside = inside.narrow(static_cast<std::int64_t>(d), pad[2 * i], input.sizes()[d]);
  }
  emitter.emit(runtime::copy_step(emitter.name(), input, inside));
  return Value(out);
}

std::optional<Value> lower_pad(const Call& call, Emitter& emitter) {
  if (call.string("mode") != "constant") return std::nullopt;
  return emit_pad(call, call.ints("pad"), call.has("value") ? call.number("value") : 0.0, emitter);
}

std::optional<Value> lower_constant_pad(const Call& call, Emitter& emitter) {
  return emit_pad(call, call.ints("pad"), call.number("value"), emitter);
}

std::optional<Value> lower_embedding(const Call& call, Emitter& emitter) {
  const Tensor& table = call.tensor("weight");
  const Tensor& index = call.tensor("indices");
  const bool indexable = index.dtype() == DType::int64 || index.dtype() == DType::int32;
  if (!is_float(table) || table.dim() != 2 || table.strides()[1] != 1 || !indexable) return std::nullopt;
  Shape sizes = index.sizes();
  sizes.push_back(table.size(1));
  const Tensor out = emitter.allocate(DType::float32, sizes);
  emitter.emit(runtime::embedding_step(emitter.name(), table, index, out));
  return Value(out);
}

// Enlarging by powers of two repeats elements: a copy from a view with strides of 0. (For other factors torch's rounding of
// float positions decides.)
std::optional<Value> lower_upsample_nearest(const Call& call, Emitter& emitter) {
  const Tensor& input = call.tensor("input");
  const Shape sizes = inferred_sizes(call);
  if (input.dim() != 4 || numel(sizes) == 0) return std::nullopt;
  const std::int64_t rows = sizes[2] / input.size(2);
  const std::int64_t columns = sizes[3] / input.size(3);
  const auto is_power_of_two = [](std::int64_t x) { return x > 0 && (x & (x - 1)) == 0; };
  const bool exact = rows * input.size(2) == sizes[2] && columns * input.size(3) == sizes[3];
  if (!exact || !is_power_of_two(rows) || !is_power_of_two(columns)) return std::nullopt;
  const Tensor out = emitter.allocate_result(input.dtype(), sizes, input);
  const Shape split = {sizes[0], sizes[1], input.size(2), rows, input.size(3), columns};
  const Shape& from = input.strides();
  const Shape& to = out.strides();
  emitter.emit(runtime::copy_step(
      emitter.name(), input.as_strided(split, {from[0], from[1], from[2], 0, from[3], 0}, input.storage_offset()),
      out.as_strided(split, {to[0], to[1], to[2] * rows, to[2], to[3] * columns, to[3]}, 0)));
  return Value(out);
}

constexpr KernelRow kRows[] = {
    {"aten.view.default", lower_reshape},
    {"aten.reshape.default", lower_reshape},
    {"aten._unsafe_view.default", lower_reshape},
    {"aten.flatten.using_ints", lower_reshape},
    {"aten.unflatten.int", lower_reshape},
    {"aten.clone.default", lower_clone},
    {"aten.contiguous.default", lower_contiguous},
    {"aten.dropout.default", lower_dropout},
    {"aten.to.dtype", lower_cast},
    {"aten._to_copy.default", lower_cast},
    {"aten.cat.default", lower_cat},
    {"aten.stack.default", lower_stack},
    {"aten.pad.default", lower_pad},
    {"aten.constant_pad_nd.default", lower_constant_pad},
    {"aten.embedding.default", lower_embedding},
    {"aten.upsample_nearest2d.vec", lower_upsample_nearest},
};

}  // namespace

KernelFamily movement_kernels() { return kRows; }

}  // namespace qdq::lower
