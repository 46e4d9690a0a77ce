#include "lower/int8_lowering.h"

#include <algorithm>
#include <array>

#include "lower/kernel_list.h"
#include "lower/reference_step.h"
#include "lower/weight_only.h"
#include "ops/pool.h"
#include "ops/schema.h"
#include "ops/shapes.h"
#include "runtime/elementwise.h"
#include "runtime/int8/elementwise.h"
#include "runtime/int8/pooling.h"

namespace qdq::lower {
namespace {

using runtime::int8::Window;

constexpr std::array kUnary = {
    "aten.relu.default",       "aten.relu6.default",     "aten.hardtanh.default",    "aten.clamp.default",
    "aten.leaky_relu.default", "aten.hardswish.default", "aten.hardsigmoid.default", "aten.sigmoid.default",
    "aten.silu.default",       "aten.tanh.default",      "aten.gelu.default",        "aten.elu.default",
};

// The bytes for all 256 bytes of the input: dequantized, the function applied, clamped and quantized, in float as the graph says.
runtime::int8::Table table_of(const integer::Grid& from, const integer::Grid& to, DType dtype,
                              const std::function<Tensor(const Tensor&)>& function) {
  const Tensor values = Tensor::empty(DType::float32, {256});
  for (int i = 0; i < 256; ++i)
    values.data<float>()[i] =
        dequantize(static_cast<float>(i), static_cast<float>(from.scale), static_cast<float>(from.zero_point));
  const Tensor results = function(values).contiguous();
  runtime::int8::Table table;
  for (std::size_t i = 0; i < 256; ++i) {
    const float level =
        quantize_to_float(results.data<float>()[i], inverse_scale(to.scale), static_cast<float>(to.zero_point),
                          static_cast<float>(to.low), static_cast<float>(to.high));
    table[i] =
        static_cast<std::uint8_t>(std::isnan(level) ? integer::byte_shift(dtype) : static_cast<std::int32_t>(level));
  }
  return table;
}

Tensor clamped(const Tensor& values, const integer::Bounds& bounds) {
  const Tensor result = values.clone();
  for (std::int64_t i = 0; i < result.numel(); ++i)
    result.data<float>()[i] =
        clamp_keeping_nan(result.data<float>()[i], static_cast<float>(bounds.low), static_cast<float>(bounds.high));
  return result;
}

Tensor allocate_bytes_channels_last(const Shape& sizes, Emitter& emitter) {
  return emitter.allocate(DType::uint8, sizes, channels_last_strides(sizes));
}

}  // namespace

Tensor channels_innermost(const Tensor& bytes, Emitter& emitter) {
  if (bytes.size(1) == 1 || bytes.strides()[1] == 1) return bytes;
  const Tensor copy = emitter.allocate(DType::uint8, bytes.sizes(), channels_last_strides(bytes.sizes()));
  const std::string name = emitter.name() + ".input";
  if (bytes.is_contiguous() && bytes.numel() > 0)
    emitter.emit(runtime::int8::interleave_step(name, runtime::int8::kernels(), bytes, copy));
  else
    emitter.emit(runtime::copy_step(name, bytes, copy));
  return copy;
}

std::nullopt_t Int8Lowering::refuse(const Call& call, const std::string& reason) {
  emitter_.notes().push_back({call.node().name(), "int8", reason});
  return std::nullopt;
}

Value Int8Lowering::postpone(const Int8Chain& chain, const Shape& sizes, Emit emit) {
  absorbed_.insert(chain.between.begin(), chain.between.end());
  postponed_[chain.quantize] = std::move(emit);
  return Value(emitter_.allocate(DType::float32, sizes));
}

Value Int8Lowering::chain_value(const Int8Chain& chain, Tensor bytes) {
  for (const Node* move : chain.moves) {
    const OpSchema& schema = *find_schema(move->target());
    const Call call =
        bind(*move, schema, [&](const Node& node) { return &node == move->input(0) ? Value(bytes) : value_of_(node); });
    const LowerFn kernel = find_kernel(move->target());
    const auto moved = kernel ? kernel(call, emitter_) : std::nullopt;
    bytes = *(moved ? *moved : schema.infer(call).at(0)).tensor();
  }
  return Value(emitter_.quantized(bytes, chain.dtype));
}

namespace {

// Sums and products of a tensor with a number are functions of one value.
bool has_number(const Call& call) {
  constexpr std::array kBinary = {
      "aten.add.Tensor", "aten.add.Scalar", "aten.sub.Tensor", "aten.sub.Scalar", "aten.rsub.Scalar",
      "aten.mul.Tensor", "aten.mul.Scalar", "aten.div.Tensor", "aten.div.Scalar",
  };
  if (std::find(kBinary.begin(), kBinary.end(), call.schema().target) == kBinary.end()) return false;
  const Value& other = call.arg("other");
  if (!call.arg("self").tensor()) return false;
  return std::holds_alternative<std::int64_t>(other.v) || std::holds_alternative<double>(other.v);
}

// Its value is another view of its input's, or that itself.
bool only_passes(const Call& call) {
  return is_move(call.node()) || call.schema().traits.is_view ||
         (call.schema().target == "aten.dropout.default" && !call.boolean("train"));
}

bool reads_grid(const Call& call, const Emitter& emitter) {
  return std::any_of(call.schema().args.begin(), call.schema().args.end(), [&](const ArgSchema& arg) {
    const Tensor* tensor = call.arg(arg.name).tensor();
    return tensor && tensor->defined() && emitter.is_on_grid(*tensor);
  });
}

}  // namespace

// Whether a dequantized value of 16 bits or more is among its operands.
bool Int8Lowering::reads_wide_values(const Call& call) const {
  const std::vector<Node*> inputs = call.node().inputs();
  return std::any_of(inputs.begin(), inputs.end(), [&](const Node* input) {
    if (!input->target().starts_with("quantized_decomposed.dequantize") || !input->input(0)) return false;
    const Tensor* levels = value_of_(*input->input(0)).tensor();
    return levels && levels->defined() && element_size(levels->dtype()) > 1;
  });
}

std::optional<Value> Int8Lowering::lower(const Call& call) {
  const std::size_t notes = emitter_.notes().size();
  std::optional<Value> value = lower_known(call);
  const bool computes = !call.schema().target.starts_with("quantized_decomposed.") && !only_passes(call);
  if (value || !computes) return value;
  if (reads_wide_values(call) && !call.node().meta.find(kRunInFloat)) {
    emitter_.notes().resize(notes);
    return refuse(call, "it reads a value of 16 bits, the engine takes 8");
  }
  if (emitter_.notes().size() == notes && reads_grid(call, emitter_)) refuse(call, "the engine has no kernel for it");
  return std::nullopt;
}

std::optional<Value> Int8Lowering::lower_known(const Call& call) {
  const std::string& target = call.schema().target;
  if (absorbed_.contains(&call.node())) return Value(first_tensor(call));
  if (skipped_.contains(&call.node())) return Value();
  if (const std::string* why = call.node().meta.find(kRunInFloat)) return refuse(call, *why);
  if (target.starts_with("quantized_decomposed.choose_qparams"))
    return target.ends_with(".tensor") && begin_dynamic(call) ? std::optional(Value()) : std::nullopt;
  if (target == "quantized_decomposed.quantize_per_tensor.tensor") return lower_dynamic_quantize(call);
  if (target == "quantized_decomposed.dequantize_per_tensor.tensor") return lower_dynamic_dequantize(call);
  if (target == "quantized_decomposed.quantize_per_tensor.default") return lower_quantize(call);
  if (target == "quantized_decomposed.dequantize_per_tensor.default") return lower_dequantize(call);
  if (target.starts_with("aten.conv")) return lower_convolution(call);
  if (target == "aten.batch_norm.default") return lower_batch_norm(call);
  if (target == "aten.linear.default") return lower_linear(call);
  if (target == "aten.embedding.default") return lower_quantized_embedding(call, emitter_);
  if (target == "aten.matmul.default" || target == "aten.bmm.default" || target == "aten.mm.default")
    return lower_matmul(call);
  if (target == "aten.scaled_dot_product_attention.default") return lower_scaled_dot_product_attention(call);
  const bool is_binary = target == "aten.add.Tensor" || target == "aten.add_.Tensor" || target == "aten.mul.Tensor" ||
                         target == "aten.mul_.Tensor";
  if (is_binary && !has_number(call)) return lower_binary(call);
  if (target.starts_with("aten.max_pool")) return lower_max_pool(call);
  if (target.starts_with("aten.avg_pool") || target.starts_with("aten.adaptive_avg_pool") || target == "aten.mean.dim")
    return lower_average(call);
  if (target == "aten.cat.default") return lower_cat(call);
  if (target == "aten.pad.default" || target == "aten.constant_pad_nd.default" ||
      target == "aten.upsample_nearest2d.vec")
    return lower_movement(call);
  if (target == "aten.layer_norm.default") return lower_layer_norm(call);
  if (target == "aten.softmax.int" || target == "aten._softmax.default") return lower_softmax(call);
  if (has_number(call) || std::find(kUnary.begin(), kUnary.end(), target) != kUnary.end()) return lower_unary(call);
  return std::nullopt;
}

namespace {

// `bytes`, copied if they are a part of a larger value (a head of attention).
Tensor without_gaps(const Tensor& bytes, Emitter& emitter) {
  if (bytes.is_dense()) return bytes;
  const Tensor copy = emitter.allocate(DType::uint8, bytes.sizes(), strides_in_order_of(bytes, bytes.sizes()));
  emitter.emit(runtime::copy_step(emitter.name() + ".part", bytes, copy));
  return copy;
}

}  // namespace

std::optional<Value> Int8Lowering::lower_quantize(const Call& call) {
  if (const auto postponed = postponed_.find(&call.node()); postponed != postponed_.end()) return postponed->second();
  const auto to = literal_grid(call.node(), call.schema().target);
  const auto value = emitter_.on_grid(call.tensor("input"));
  if (!to || !value || emitter_.shared().aliases.is_mutated(call.node())) return std::nullopt;
  const Tensor bytes = without_gaps(value->bytes, emitter_);
  if (value->grid == to->grid && value->dtype == to->dtype) return Value(emitter_.quantized(bytes, value->dtype));
  const Tensor out = emitter_.allocate(DType::uint8, bytes.sizes(), strides_in_order_of(bytes, bytes.sizes()));
  emitter_.emit(
      runtime::int8::table_step(emitter_.name(), runtime::int8::kernels(), bytes, out,
                                table_of(value->grid, to->grid, to->dtype, [](const Tensor& x) { return x; })));
  return Value(emitter_.quantized(out, to->dtype));
}

// The float value is written when a step reads it: readers on bytes do not.
std::optional<Value> Int8Lowering::lower_dequantize(const Call& call) {
  const Tensor& input = call.tensor("input");
  const AliasAnalysis& aliases = emitter_.shared().aliases;
  const auto grid = literal_grid(call.node(), call.schema().target);
  const Node* source = call.node().input(0);
  const bool changes =
      (aliases.is_mutated(call.node()) && !is_only_updated(call.node())) || (source && aliases.is_mutated(*source));
  if (!grid || grid->dtype != plain_dtype(input.dtype()) || !input.is_dense() || changes ||
      emitter_.is_constant(input) || call.dtype("out_dtype", DType::float32) != DType::float32)
    return std::nullopt;
  return Value(emitter_.dequantized(input, *affine_params_of(call, emitter_)));
}

// The largest byte stands for the largest value: nothing is rounded.
std::optional<Value> Int8Lowering::lower_max_pool(const Call& call) {
  const auto value = emitter_.on_grid(call.tensor("self"));
  const std::size_t spatial = pooled_dims(call);
  if (!value || value->bytes.sizes().size() != spatial + 2 || call.schema().returns.size() != 1) return std::nullopt;
  const PoolParams params = pool_params(call, spatial);
  const Shape sizes = call.schema().infer(call).at(0).tensor()->sizes();
  if (numel(sizes) == 0) return std::nullopt;
  const Tensor out = allocate_bytes_channels_last(sizes, emitter_);
  emitter_.emit(
      runtime::int8::max_pooling_step(emitter_.name(), runtime::int8::kernels(),
                                      {channels_innermost(value->bytes, emitter_), out,
                                       Window{params.kernel, params.stride, params.padding, params.dilation}}));
  return Value(emitter_.dequantized({out, value->grid, value->dtype}));
}

namespace {

// The window of an average that has one divisor, and the sizes [N, C, spatial...] of its results; nothing for others.
std::optional<std::pair<Window, Shape>> average_window(const Call& call, const Shape& input) {
  const std::string& target = call.schema().target;
  if (target == "aten.mean.dim") {
    const Shape dims = reduced_dims(call, "dim", static_cast<std::int64_t>(input.size()));
    Shape spatial;
    for (std::size_t d = 2; d < input.size(); ++d) spatial.push_back(static_cast<std::int64_t>(d));
    if (input.size() < 3 || input.size() > 5 || dims != spatial) return std::nullopt;
    const Shape kernel(input.begin() + 2, input.end());
    Shape sizes(input.size(), 1);
    std::copy_n(input.begin(), 2, sizes.begin());
    return std::pair(Window{kernel, kernel, Shape(kernel.size(), 0), Shape(kernel.size(), 1)}, sizes);
  }
  const std::size_t spatial = pooled_dims(call);
  if (input.size() != spatial + 2) return std::nullopt;
  const Shape sizes = call.schema().infer(call).at(0).tensor()->sizes();
  if (target.starts_with("aten.avg_pool")) {
    const PoolParams params = pool_params(call, spatial);
    const bool has_divisor = call.schema().find_arg("divisor_override") && call.has("divisor_override");
    const bool pads = std::any_of(params.padding.begin(), params.padding.end(), [](std::int64_t p) { return p != 0; });
    if (has_divisor || params.ceil_mode || (pads && !call.boolean("count_include_pad"))) return std::nullopt;
    return std::pair(Window{params.kernel, params.stride, params.padding, params.dilation}, sizes);
  }
  Shape kernel;
  for (std::size_t d = 2; d < sizes.size(); ++d) {
    if (sizes[d] == 0 || input[d] % sizes[d] != 0) return std::nullopt;
    kernel.push_back(input[d] / sizes[d]);
  }
  return std::pair(Window{kernel, kernel, Shape(spatial, 0), Shape(spatial, 1)}, sizes);
}

}  // namespace

namespace {

// A mean over neighbouring dimensions in front of others, such as the positions of [batch, positions, width], as an average over
// `bytes` seen as [N, C, reduced] with the others as channels; nothing for other means.
std::optional<Tensor> as_channels_behind(const Call& call, const Tensor& bytes) {
  const Shape dims = reduced_dims(call, "dim", bytes.dim());
  if (dims.empty() || dims.back() == bytes.dim() - 1 || !bytes.is_contiguous()) return std::nullopt;
  for (std::size_t i = 1; i < dims.size(); ++i)
    if (dims[i] != dims[i - 1] + 1) return std::nullopt;
  const Shape& sizes = bytes.sizes();
  const auto at = [&](std::int64_t d) { return sizes.begin() + static_cast<std::ptrdiff_t>(d); };
  const std::int64_t reduced = numel(Shape(at(dims.front()), at(dims.back() + 1)));
  const std::int64_t channels = numel(Shape(at(dims.back() + 1), sizes.end()));
  const std::int64_t batch = numel(Shape(sizes.begin(), at(dims.front())));
  return bytes.as_strided({batch, channels, reduced}, {reduced * channels, 1, channels}, bytes.storage_offset());
}

}  // namespace

std::optional<Value> Int8Lowering::lower_average(const Call& call) {
  const auto value = emitter_.on_grid(call.tensor("self"));
  if (!value) return std::nullopt;
  const auto chain = find_int8_chain(call.node(), emitter_.shared());
  if (!chain) return refuse(call, "its result is not quantized");
  if (value->bytes.numel() == 0) return refuse(call, "it is empty");
  Tensor bytes = value->bytes;
  auto window = average_window(call, bytes.sizes());
  const auto channels = call.schema().target == "aten.mean.dim" ? as_channels_behind(call, bytes) : std::nullopt;
  if (!window && channels) {
    bytes = *channels;
    window = std::pair(Window{{bytes.size(2)}, {bytes.size(2)}, {0}, {1}}, Shape{bytes.size(0), bytes.size(1), 1});
  }
  if (!window) return refuse(call, "its windows differ in size");
  const std::int64_t taps = numel(window->first.kernel);
  if (taps > integer::kMaxDepth) return refuse(call, "its sums may exceed int32");
  const Shape result = call.schema().infer(call).at(0).tensor()->sizes();
  return postpone(*chain, result, [this, bytes, grid = value->grid, chain = *chain, window = *window, taps, result] {
    const Tensor out = allocate_bytes_channels_last(window.second, emitter_);
    emitter_.emit(runtime::int8::average_pooling_step(
        emitter_.name(), runtime::int8::kernels(), {channels_innermost(bytes, emitter_), out, window.first},
        {grid.zero_point, integer::average_multiplier(grid, taps, chain.grid),
         static_cast<float>(chain.grid.zero_point), integer::low_level(chain.bounds, chain.grid),
         integer::high_level(chain.bounds, chain.grid)}));
    // A mean's result has one element for each channel, whatever its dimensions are.
    const Tensor shaped =
        result == out.sizes() ? out : out.as_strided(result, contiguous_strides(result), out.storage_offset());
    return chain_value(chain, shaped);
  });
}

std::optional<Value> Int8Lowering::lower_unary(const Call& call) {
  const auto value = emitter_.on_grid(first_tensor(call));
  if (!value || !value->bytes.is_dense()) return std::nullopt;
  const auto chain = find_int8_chain(call.node(), emitter_.shared());
  if (!chain) return refuse(call, "its result is not quantized");
  std::vector<Value> args;
  for (const ArgSchema& arg : call.schema().args) args.push_back(call.arg(arg.name));
  const auto function = [&](const Tensor& values) {
    args[0] = Value(values);
    return clamped(*evaluate_now(Call(call.node(), call.schema(), args)).tensor(), chain->bounds);
  };
  const auto table = table_of(value->grid, chain->grid, chain->dtype, function);
  return postpone(*chain, value->bytes.sizes(), [this, bytes = value->bytes, chain = *chain, table] {
    const Tensor out = emitter_.allocate(DType::uint8, bytes.sizes(), bytes.strides());
    emitter_.emit(runtime::int8::table_step(emitter_.name(), runtime::int8::kernels(), bytes, out, table));
    return chain_value(chain, out);
  });
}

}  // namespace qdq::lower
