#include "lower/emitter.h"

#include <algorithm>
#include <numeric>

#include "runtime/depthwise.h"
#include "runtime/int8/elementwise.h"

namespace qdq::lower {

const Tensor& Fusible::dst() const {
  return std::visit([](const auto& o) -> const Tensor& { return o.dst; }, op);
}

std::vector<runtime::PostOp>& Fusible::post_ops() {
  return std::visit([](auto& o) -> std::vector<runtime::PostOp>& { return o.post_ops; }, op);
}

std::vector<Tensor> Fusible::reads() const {
  return std::visit(
      [](const auto& o) {
        std::vector<Tensor> tensors = {o.src, o.weight, o.bias};
        for (const auto& post_op : o.post_ops) tensors.push_back(operand_of(post_op));
        std::erase_if(tensors, [](const Tensor& t) { return !t.defined(); });
        return tensors;
      },
      op);
}

Shape dense_strides(const Shape& sizes, const std::vector<std::size_t>& order) {
  Shape strides(sizes.size(), 1);
  std::int64_t next = 1;
  for (std::size_t i = order.size(); i-- > 0;) {
    strides[order[i]] = next;
    next *= std::max<std::int64_t>(sizes[order[i]], 1);
  }
  return strides;
}

Shape channels_last_strides(const Shape& sizes) {
  std::vector<std::size_t> order(sizes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (order.size() > 2) std::rotate(order.begin() + 1, order.begin() + 2, order.end());
  return dense_strides(sizes, order);
}

Shape strides_in_order_of(const Tensor& like, const Shape& sizes) {
  std::vector<std::size_t> order(sizes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  Shape strides = like.strides();
  std::int64_t inside = 0;  // how far the dimensions to the right reach
  for (std::size_t d = strides.size(); d-- > 0;) {
    if (strides[d] == 0) strides[d] = inside;  // broadcast: in no order of its own
    inside = std::max(inside, strides[d] * like.sizes()[d]);
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return strides[a] > strides[b]; });
  return dense_strides(sizes, order);
}

Tensor Emitter::allocate(DType dtype, const Shape& sizes) { return allocate(dtype, sizes, contiguous_strides(sizes)); }

Tensor Emitter::allocate(DType dtype, const Shape& sizes, const Shape& strides) {
  storages_.push_back(runtime::planned_storage(static_cast<std::size_t>(numel(sizes)) * element_size(dtype)));
  return Tensor(storages_.back(), dtype, sizes, strides);
}

Tensor Emitter::allocate_result(DType dtype, const Shape& sizes, const Tensor& like) {
  if (destination_.defined()) return destination_;
  const bool keep_order =
      like.defined() && like.sizes().size() == sizes.size() && !shared_.aliases.needs_row_major(*node_);
  return keep_order ? allocate(dtype, sizes, strides_in_order_of(like, sizes)) : allocate(dtype, sizes);
}

Tensor Emitter::allocate_channels_last(const Shape& sizes) {
  return allocate(DType::float32, sizes, channels_last_strides(sizes));
}

void Emitter::emit(runtime::Step step) {
  for (const Tensor& tensor : step.reads) materialise(tensor);
  for (const Tensor& tensor : step.writes) {
    materialise(tensor);
    dequantized_.erase(tensor.storage().get());  // no longer what its bytes say
  }
  pending_.push_back({std::move(step), nullptr});
}

namespace {

// `view`, which looks at `base`, as the same view of `other`, which has the sizes and strides of `base`.
Tensor same_view(const Tensor& view, const Tensor& base, const Tensor& other) {
  return other.as_strided(view.sizes(), view.strides(),
                          other.storage_offset() + view.storage_offset() - base.storage_offset());
}

}  // namespace

Tensor Emitter::dequantized(const Tensor& quantized, const runtime::AffineParams& params) {
  const Tensor value = allocate(DType::float32, quantized.sizes(), quantized.strides());
  dequantized_[value.storage().get()] = {value, quantized, params, name()};
  return value;
}

Tensor Emitter::dequantized(const OnGrid& value) {
  const std::int32_t shift = integer::byte_shift(value.dtype);
  return dequantized(quantized(value.bytes, value.dtype), {value.grid.scale, value.grid.zero_point - shift,
                                                           value.grid.low - shift, value.grid.high - shift});
}

Tensor Emitter::quantized(const Tensor& bytes, DType dtype) {
  if (dtype == DType::uint8) return bytes;
  const Tensor value = allocate(DType::int8, bytes.sizes(), bytes.strides());
  flipped_[value.storage().get()] = {value, bytes, name(), false, true};
  return value;
}

Tensor Emitter::bytes_of(const Tensor& quantized) {
  if (quantized.dtype() == DType::uint8) return quantized;
  Flipped& flipped = flipped_[quantized.storage().get()];
  if (!flipped.value.defined()) {
    flipped = {quantized, allocate(DType::uint8, quantized.sizes(), quantized.strides()), name(), true, false};
  }
  if (!flipped.has_bytes) {
    pending_.push_back(
        {runtime::int8::flip_step(flipped.name, runtime::int8::kernels(), flipped.value, flipped.bytes), nullptr});
    flipped.has_bytes = true;
  }
  return same_view(quantized, flipped.value, flipped.bytes);
}

std::optional<OnGrid> Emitter::on_grid(const Tensor& value) {
  const auto found = dequantized_.find(value.storage().get());
  if (found == dequantized_.end()) return std::nullopt;
  const auto& [whole, source, params, name, written] = found->second;
  const DType dtype = source.dtype();
  return OnGrid{same_view(value, whole, bytes_of(source)),
                integer::grid_of(params.scale, params.zero_point, params.quant_min, params.quant_max, dtype), dtype};
}

void Emitter::write_value(Flipped& flipped) {
  if (flipped.has_value) return;
  flipped.has_value = true;
  pending_.push_back(
      {runtime::int8::flip_step(flipped.name, runtime::int8::kernels(), flipped.bytes, flipped.value), nullptr});
}

void Emitter::materialise(const Tensor& value) {
  if (const auto found = flipped_.find(value.storage().get()); found != flipped_.end()) write_value(found->second);
  const auto found = dequantized_.find(value.storage().get());
  if (found == dequantized_.end() || found->second.written) return;
  Dequantized& dequantized = found->second;
  dequantized.written = true;
  materialise(dequantized.source);
  pending_.push_back(
      {runtime::dequantize_step(dequantized.name, dequantized.source, dequantized.value, dequantized.params), nullptr});
}

std::shared_ptr<Fusible> Emitter::emit_fusible(Fusible fusible) {
  for (const Tensor& tensor : fusible.reads()) materialise(tensor);
  auto step = std::make_shared<Fusible>(std::move(fusible));
  pending_.push_back({{}, step});
  open_[node_] = step;
  return step;
}

std::shared_ptr<Fusible> Emitter::open_step(const Node& producer) const {
  const auto found = open_.find(&producer);
  return found == open_.end() ? nullptr : found->second;
}

void Emitter::close(const Node& producer) { open_.erase(&producer); }

void Emitter::move_to_end(const Node& producer, const Node& owner) {
  const auto step = open_.at(&producer);
  const auto at = std::find_if(pending_.rbegin(), pending_.rend(), [&](const Pending& p) { return p.fusible == step; });
  std::rotate(at.base() - 1, at.base(), pending_.end());
  open_.erase(&producer);
  open_[&owner] = step;
}

bool Emitter::is_overtaken(const Fusible& step) const {
  const auto reads = step.reads();
  const auto shares_memory = [](const Tensor& a, const Tensor& b) { return a.storage() == b.storage(); };
  for (std::size_t i = pending_.size(); i-- > 0 && pending_[i].fusible.get() != &step;) {
    const auto writes = pending_[i].fusible ? std::vector<Tensor>{pending_[i].fusible->dst()} : pending_[i].step.writes;
    for (const Tensor& write : writes)
      for (const Tensor& read : reads)
        if (shares_memory(write, read)) return true;
  }
  return false;
}

bool Emitter::is_constant(const Tensor& tensor) const {
  return tensor.storage() && tensor.storage()->data() != nullptr &&
         !shared_.state_storages.contains(tensor.storage().get());
}

Tensor Emitter::contiguous(const Tensor& tensor) {
  if (tensor.is_contiguous()) return tensor;
  if (const auto value = on_grid(tensor)) {
    const Tensor bytes = allocate(DType::uint8, tensor.sizes());
    emit(runtime::copy_step(name() + ".contiguous", value->bytes, bytes));
    return dequantized({bytes, value->grid, value->dtype});
  }
  Tensor copy = allocate(tensor.dtype(), tensor.sizes());
  emit(runtime::copy_step(name() + ".contiguous", tensor, copy));
  return copy;
}

runtime::onednn::Context Emitter::context() {
  return {shared_.constants->weights, [this](const Tensor& t) { return is_constant(t); },
          [this](std::size_t bytes) { return allocate(DType::uint8, {static_cast<std::int64_t>(bytes)}); }};
}

namespace {

// A depthwise convolution that nothing is fused with. Ours is as fast as oneDNN's there, and adds in PyTorch's order: bias
// first. With a quantize behind it that matters, one value rounded the other way changes thousands further on.
bool is_plain_depthwise(const runtime::onednn::Convolution& c) {
  return !c.transposed && c.post_ops.empty() && c.src.dim() == 4 && c.groups == c.src.size(1) &&
         c.groups == c.weight.size(0) && c.groups > 1 && c.src.strides()[1] == 1 && c.dst.strides()[1] == 1 &&
         (!c.bias.defined() || c.bias.is_contiguous()) && runtime::fits_depthwise(c.weight);
}

}  // namespace

runtime::PlanSpec Emitter::finish() {
  runtime::PlanSpec spec;
  for (Pending& pending : pending_) {
    if (!pending.fusible) {
      spec.steps.push_back(std::move(pending.step));
      continue;
    }
    const Fusible& fusible = *pending.fusible;
    const auto* convolution = std::get_if<runtime::onednn::Convolution>(&fusible.op);
    if (convolution && is_plain_depthwise(*convolution))
      spec.steps.push_back(runtime::depthwise_step(
          fusible.name, {convolution->src, convolution->weight, convolution->bias, convolution->dst,
                         convolution->stride, convolution->padding_begin, convolution->dilation}));
    else if (convolution)
      spec.steps.push_back(runtime::onednn::convolution_step(fusible.name, *convolution, context()));
    else
      spec.steps.push_back(
          runtime::onednn::linear_step(fusible.name, std::get<runtime::onednn::Linear>(fusible.op), context()));
  }
  spec.planned = storages_;
  return spec;
}

}  // namespace qdq::lower
