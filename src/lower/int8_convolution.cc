#include <cmath>

#include "lower/batch_norm.h"
#include "lower/int8_lowering.h"
#include "lower/int8_weight.h"
#include "lower/kernel_list.h"
#include "lower/weight_only.h"
#include "ops/conv.h"
#include "ops/schema.h"
#include "ops/shapes.h"
#include "runtime/int8/convolution.h"
#include "runtime/int8/winograd.h"

namespace qdq::lower {
namespace {

using runtime::int8::Convolution;
using runtime::int8::WinogradWeights;

// How the sums of each channel become results; nothing when a value could leave the kernels' range.
std::optional<runtime::int8::ChannelRescale> rescale_of(const integer::Grid& input, const Int8Weight& weight,
                                                        const Tensor& bias, std::int64_t products,
                                                        const Int8Chain* chain) {
  constexpr double kLimit = 1 << 30;
  const bool to_bytes = chain && !chain->activation;
  runtime::int8::ChannelRescale rescale;
  double largest = 0;
  for (std::size_t c = 0; c < weight.scales.size(); ++c) {
    const double b =
        bias.defined() ? static_cast<double>(bias.data<float>()[c * static_cast<std::size_t>(bias.strides()[0])]) : 0.0;
    if (to_bytes) {
      rescale.multiplier.push_back(integer::product_multiplier(input.scale, weight.scales[c], chain->grid));
      rescale.offset.push_back(chain->residual ? integer::bias_offset(b, chain->residual_grid, chain->grid)
                                               : integer::bias_offset(b, chain->grid));
    } else {
      rescale.multiplier.push_back(static_cast<float>(input.scale * weight.scales[c]));
      rescale.offset.push_back(static_cast<float>(b));
    }
    const double sum = static_cast<double>(products) * 255 * 128;
    largest = std::max(largest, sum * std::abs(static_cast<double>(rescale.multiplier.back())) +
                                    std::abs(static_cast<double>(rescale.offset.back())));
  }
  if (!to_bytes) {
    rescale.low = -std::numeric_limits<float>::infinity();
    rescale.high = std::numeric_limits<float>::infinity();
    return !chain || largest < kLimit ? std::optional(rescale) : std::nullopt;
  }
  if (chain->residual) rescale.residual_multiplier = integer::summand_multiplier(chain->residual_grid, chain->grid);
  largest += 255 * static_cast<double>(rescale.residual_multiplier);
  if (!(largest < kLimit)) return std::nullopt;
  rescale.low = integer::low_level(chain->bounds, chain->grid);
  rescale.high = integer::high_level(chain->bounds, chain->grid);
  return rescale;
}

std::optional<runtime::int8::ActivationRescale> activation_of(const std::optional<Int8Chain>& chain) {
  if (!chain || !chain->activation) return std::nullopt;
  const integer::Grid& grid = chain->grid;
  return runtime::int8::ActivationRescale{*chain->activation, inverse_scale(grid.scale),
                                          static_cast<float>(grid.zero_point), static_cast<float>(grid.low),
                                          static_cast<float>(grid.high)};
}

}  // namespace

bool Int8Lowering::defers(const Node& node) const {
  const bool dequantizes = node.is("quantized_decomposed.dequantize_per_channel.default") ||
                           node.is("quantized_decomposed.dequantize_per_tensor.default") ||
                           node.target().starts_with("torchao.dequantize_affine");
  if (!dequantizes || !attribute_behind(node.input(0), emitter_.shared()) ||
      emitter_.shared().kept.contains(node.name()))
    return false;
  const auto users = node.users();
  return std::all_of(users.begin(), users.end(), [&](const Node* user) {
    if (user->is("aten.embedding.default") && user->input(0) == &node) return true;
    const bool multiplies = user->target().starts_with("aten.conv") || user->is("aten.linear.default");
    return user->kind() == NodeKind::call_function && multiplies && user->args().size() > 1 &&
           user->input(0) != &node && user->arg(1).node() == &node;
  });
}

namespace {

// `bytes` in the memory order of `like`, which has as many elements: the same sizes, or a matrix of its rows.
Tensor in_order_of(const Tensor& bytes, const Tensor& like, Emitter& emitter) {
  if (bytes.sizes() == like.sizes()) {
    if (bytes.strides() == like.strides()) return bytes;
    const Tensor copy = emitter.allocate(DType::uint8, like.sizes(), like.strides());
    emitter.emit(runtime::copy_step(emitter.name() + ".residual", bytes, copy));
    return copy;
  }
  const Tensor plain = emitter.contiguous(bytes);
  return plain.as_strided(like.sizes(), like.strides(), plain.storage_offset());
}

}  // namespace

Value Int8Lowering::finish(Convolution convolution, const std::optional<Int8Chain>& chain, const Shape& sizes,
                           const std::vector<runtime::int8::Phase>& phases) {
  const bool is_matrix = convolution.dst.dim() == 2;
  const auto shaped = [is_matrix, sizes](const Tensor& out) {
    return is_matrix ? out.as_strided(sizes, contiguous_strides(sizes), out.storage_offset()) : out;
  };
  const auto emit = [this, phases](const Convolution& whole) {
    if (phases.empty()) emitter_.emit(runtime::int8::convolution_step(emitter_.name(), whole));
    for (const runtime::int8::Phase& phase : phases) {
      const Convolution part = runtime::int8::part_of(whole, phase);
      if (part.dst.numel() > 0) emitter_.emit(runtime::int8::convolution_step(emitter_.name(), part));
    }
  };
  if (!chain) {
    emit(convolution);
    return Value(shaped(convolution.dst));
  }
  return postpone(*chain, sizes, [this, convolution, chain = *chain, shaped, emit]() mutable {
    if (chain.residual) {
      const auto residual = emitter_.on_grid(*value_of_(*chain.residual).tensor());
      if (!residual) throw InternalError("[run] '" + chain.residual->name() + "': a residual that is not dequantized");
      convolution.residual = in_order_of(residual->bytes, convolution.dst, emitter_);
    }
    emit(convolution);
    return chain_value(chain, shaped(convolution.dst));
  });
}

namespace {

// Each phase of a transposed convolution is a step and has weights of its own; usual strides are 2 and 4.
bool has_few_phases(const Shape& stride) {
  constexpr std::int64_t kMost = 1024;
  std::int64_t phases = 1;
  for (const std::int64_t s : stride) {
    if (s > kMost) return false;
    phases *= s;
  }
  return phases <= kMost;
}

}  // namespace

std::optional<Value> Int8Lowering::lower_convolution(const Call& call) {
  const auto input = emitter_.on_grid(call.tensor("input"));
  if (!input) return std::nullopt;
  const ConvParams params = conv_params(call);
  const Tensor& weight_value = call.tensor("weight");
  const Tensor bias = call.optional_tensor("bias");
  if (input->bytes.dim() != weight_value.dim() || weight_value.dim() > 5 || input->bytes.numel() == 0)
    return refuse(call, "the engine takes inputs [N, C, spatial...] with 1 to 3 spatial dimensions");
  const Shape sizes = conv_output_sizes(call, params, input->bytes.sizes());
  const std::int64_t channels = sizes[1];
  if (numel(sizes) == 0) return refuse(call, "its result is empty");
  if (params.transposed && !has_few_phases(params.stride)) return refuse(call, "its stride is too large");
  std::string why;
  const Shared& shared = emitter_.shared();
  const Node* dequantize = call.node().input(1);
  const auto weight = params.transposed ? transposed_int8_weight(dequantize, channels, params.groups, shared, why)
                                        : int8_weight(dequantize, channels, shared, why);
  if (!weight) return refuse(call, why);
  if (!is_usable_bias(bias, channels, emitter_)) return refuse(call, "its bias is not a constant");
  const std::int64_t products = weight->values.numel() / channels;
  if (products > integer::kMaxDepth) return refuse(call, "its sums may exceed int32");
  const bool adds = !runtime::int8::is_depthwise(channels, params.groups, input->bytes.size(1) / params.groups);
  const auto chain = find_int8_chain(call.node(), shared, {.residual = adds, .activation = true});
  const auto rescale = rescale_of(input->grid, *weight, bias, products, chain ? &*chain : nullptr);
  if (!rescale) return refuse(call, "its results are far beyond the range of their grid");

  Convolution convolution;
  convolution.src = channels_innermost(input->bytes, emitter_);
  convolution.dst = emitter_.allocate(chain ? DType::uint8 : DType::float32, sizes, channels_last_strides(sizes));
  convolution.window = {Shape(weight->values.sizes().begin() + 2, weight->values.sizes().end()), params.stride,
                        params.padding, params.dilation};
  convolution.zero_point = static_cast<std::uint8_t>(input->grid.zero_point);
  convolution.rescale = *rescale;
  convolution.activation = activation_of(chain);
  std::vector<runtime::int8::Phase> phases;
  if (params.transposed)
    phases = packed_phases(call.node(), weight->values, params.groups, convolution.window, shared);
  else if (WinogradWeights::fits(runtime::int8::kernels(), weight->values, params.groups, convolution.window, sizes))
    convolution.winograd = winograd_weights(call.node(), weight->values, shared);
  else
    convolution.weights = packed_weights(call.node(), weight->values, params.groups, shared);
  return finish(std::move(convolution), chain, sizes, phases);
}

std::optional<Value> Int8Lowering::lower_linear(const Call& call) {
  if (const DynamicValue* dynamic = dynamic_input(call.node())) return lower_dynamic_linear(call, *dynamic);
  const auto input = emitter_.on_grid(call.tensor("input"));
  if (!input) return lower_weight_only_linear(call, emitter_);
  const Tensor& weight_value = call.tensor("weight");
  const Tensor bias = call.optional_tensor("bias");
  if (weight_value.dim() != 2 || input->bytes.dim() < 1 || input->bytes.numel() == 0 || weight_value.numel() == 0)
    return refuse(call, "the engine takes inputs [..., K] and weights [O, K]");
  const std::int64_t channels = weight_value.size(0);
  const std::int64_t products = weight_value.size(1);
  std::string why;
  const auto weight = int8_weight(call.node().input(1), channels, emitter_.shared(), why);
  if (!weight) return refuse(call, why);
  if (!is_usable_bias(bias, channels, emitter_)) return refuse(call, "its bias is not a constant");
  if (products > integer::kMaxDepth) return refuse(call, "its sums may exceed int32");
  const auto chain = find_int8_chain(call.node(), emitter_.shared(), {true, true});
  const auto rescale = rescale_of(input->grid, *weight, bias, products, chain ? &*chain : nullptr);
  if (!rescale) return refuse(call, "its results are far beyond the range of their grid");

  Convolution convolution;
  const Shape rows = {input->bytes.numel() / products, products};
  const auto strides = view_strides(input->bytes.sizes(), input->bytes.strides(), rows);
  const bool usable = strides && (*strides)[1] == 1;
  const Tensor bytes = usable ? input->bytes : emitter_.contiguous(input->bytes);
  convolution.src = bytes.as_strided(rows, usable ? *strides : contiguous_strides(rows), bytes.storage_offset());
  convolution.dst = emitter_.allocate(chain ? DType::uint8 : DType::float32, {rows[0], channels});
  convolution.weights = packed_weights(call.node(), weight->values, 1, emitter_.shared());
  convolution.zero_point = static_cast<std::uint8_t>(input->grid.zero_point);
  convolution.rescale = *rescale;
  convolution.activation = activation_of(chain);
  Shape sizes = input->bytes.sizes();
  sizes.back() = channels;
  return finish(std::move(convolution), chain, sizes);
}

// One that no convolution took: a depthwise convolution of one tap, whose weights are 1 and whose scales are the norm's.
std::optional<Value> Int8Lowering::lower_batch_norm(const Call& call) {
  const auto input = emitter_.on_grid(call.tensor("input"));
  if (!input) return std::nullopt;
  if (input->bytes.dim() < 3 || input->bytes.dim() > 5 || input->bytes.numel() == 0)
    return refuse(call, "the engine takes inputs [N, C, spatial...] with 1 to 3 spatial dimensions");
  for (const char* name : {"weight", "bias", "running_mean", "running_var"})
    if (const Tensor t = call.optional_tensor(name); t.defined() && !emitter_.is_constant(t))
      return refuse(call, "its statistics can change");
  const auto affine = channel_affine_of(call);
  const Shape& sizes = input->bytes.sizes();
  const std::int64_t channels = sizes[1];
  if (!affine || affine->scale.numel() != channels) return refuse(call, "its statistics are not float32");
  const auto chain = find_int8_chain(call.node(), emitter_.shared(), {.activation = true});
  if (!chain) return refuse(call, "its result is not quantized");
  Shape ones(sizes.size(), 1);
  ones[0] = channels;
  const float* scales = affine->scale.data<float>();
  const Int8Weight weight = {Tensor::full(DType::int8, ones, 1), {scales, scales + channels}};
  const auto rescale = rescale_of(input->grid, weight, affine->shift, 1, &*chain);
  if (!rescale) return refuse(call, "its results are far beyond the range of their grid");

  Convolution convolution;
  const std::size_t spatial = sizes.size() - 2;
  convolution.src = channels_innermost(input->bytes, emitter_);
  convolution.dst = emitter_.allocate(DType::uint8, sizes, channels_last_strides(sizes));
  convolution.weights = packed_weights(call.node(), weight.values, channels, emitter_.shared());
  convolution.window = {Shape(spatial, 1), Shape(spatial, 1), Shape(spatial, 0), Shape(spatial, 1)};
  convolution.zero_point = static_cast<std::uint8_t>(input->grid.zero_point);
  convolution.rescale = *rescale;
  convolution.activation = activation_of(chain);
  return finish(std::move(convolution), chain, sizes);
}

}  // namespace qdq::lower
