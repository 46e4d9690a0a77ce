// Quantize, dequantize and the choice of qparams.
//
//     %q = quantize_per_tensor(%x, 0.1, 3, 0, 255, u8)      QuantizeLinear(x, 0.1, 3)
//     %d = dequantize_per_channel(%w, %s, %z, 0, -127, 127, i8)      DequantizeLinear(w, s, z), axis 0
//
// ONNX quantizes to the whole range of a dtype. A narrower one is a Clip of the integers, so that the QuantizeLinear
// still stands beside the op that it belongs to.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "formats/onnx/schema.h"
#include "formats/onnx/write/family.h"
#include "formats/onnx/write/grid_clamp.h"
#include "graph/text_names.h"
#include "tensor/quant_math.h"

namespace qdq::onnx {
namespace {

constexpr double kUint8Shift = 128;

// How a tensor's scales belong to its elements.
struct Granularity {
  std::optional<std::int64_t> axis;  // of a scale per channel, or along which blocks lie
  std::int64_t block = 0;            // elements in a block; 0: not blocked
};

// The quantized side of a Q or DQ.
struct Quantized {
  DType dtype = DType::int8;    // in the program
  DType written = DType::int8;  // in the file
  double low = 0;
  double high = 0;
  bool narrow = false;  // [low, high] is not all of `written`
  double shift = 0;     // added to levels and zero point
};

bool is_quantize(const Node& node) { return node.target().find(".quantize_") != std::string::npos; }
bool is_dequantize(const Node& node) { return node.target().find(".dequantize_") != std::string::npos; }

// Only dequantizes look at the integers, so that they may be others with the same meaning.
bool is_only_dequantized(const Node& quantize) {
  const auto users = quantize.users();
  return std::all_of(users.begin(), users.end(), [](const Node* user) { return is_dequantize(*user); });
}

// The node whose result is dequantized, or that is itself a quantize.
const Node& quantize_of(const Op& op) {
  if (is_quantize(op.node)) return op.node;
  const Node* input = op.argument("input").node();
  return input ? *input : op.node;
}

// Activations in int8 become uint8 with a zero point higher by 128: the same numbers, and what kernels on x86 multiply.
bool becomes_uint8(const Op& op, DType dtype) {
  if (op.emitter().options().keep_int8 || dtype != DType::int8) return false;
  const Node& quantize = quantize_of(op);
  return is_quantize(quantize) && is_only_dequantized(quantize);
}

double bound(const Op& op, std::string_view name, double otherwise) {
  const Argument& given = op.argument(name);
  if (const Tensor* value = op.attribute(name)) return value->item();
  if (given.node()) op.refuse("argument '" + std::string(name) + "' is computed");
  return given.is_none() ? otherwise : given.to_double();
}

Quantized quantized_of(const Op& op, DType dtype) {
  Quantized q;
  q.dtype = plain_dtype(dtype);
  q.written = q.dtype;
  if (const auto largest = largest_float8(q.dtype)) {
    op.need_opset(19, "quantization to float8");
    q.low = bound(op, "quant_min", -*largest);
    q.high = bound(op, "quant_max", *largest);
    return q;
  }
  if (!is_integral(q.dtype)) op.refuse("quantization to " + std::string(name(dtype)));
  const IntegerLimits limits = integer_limits(q.dtype);
  q.low = bound(op, "quant_min", static_cast<double>(limits.min));
  q.high = bound(op, "quant_max", static_cast<double>(limits.max));
  if (becomes_uint8(op, q.dtype)) {
    q.written = DType::uint8;
    q.shift = kUint8Shift;
  }
  const bool narrow = q.low > static_cast<double>(limits.min) || q.high < static_cast<double>(limits.max);
  // Stored weights whose levels fit 4 bits take 4 bits.
  const Tensor* stored = is_dequantize(op.node) ? op.attribute("input") : nullptr;
  if (stored && op.opset() >= 21 && q.dtype == DType::int8 && q.low >= -8 && q.high <= 7) q.written = DType::int4;
  if (stored && op.opset() >= 21 && q.dtype == DType::uint8 && q.low >= 0 && q.high <= 15) q.written = DType::uint4;
  q.narrow = narrow;
  if (q.written == DType::int16 || q.written == DType::uint16) op.need_opset(21, "quantization to 16 bits");
  return q;
}

Name levels(const Op& op, double value, const Quantized& q) {
  const Tensor number = Tensor::full(plain_dtype(q.written), {}, value);
  if (number.dtype() == q.written) return op.emitter().constant(number);
  return op.emitter().initializer("constant", q.written, {}, [number] { return number; });
}

// Scales as float32; stored ones are converted when the file is written, so that they stay constants.
Name scales(const Op& op, std::string_view name) {
  const Tensor* stored = op.attribute(name);
  if (!stored || stored->dtype() == DType::float32) return op.in_as(name, DType::float32);
  return op.emitter().initializer(op.argument(name).node()->target() + "_float32", DType::float32, stored->sizes(),
                                  [value = *stored] { return value.to(DType::float32); });
}

// A vector or matrix of zero points in the written dtype.
Name zero_points(const Op& op, const Argument& given, const Name& value, const Quantized& q) {
  const Tensor* stored = nullptr;
  if (const Node* producer = given.node(); producer && producer->kind() == NodeKind::get_attr)
    stored = &op.emitter().program().tensor_of(*producer);
  if (!stored) {
    if (q.shift != 0)
      return op.cast(op.emit("Add", {op.cast(value, DType::int32), op.number(q.shift, DType::int32)}), q.written);
    return op.cast(value, q.written);
  }
  Tensor moved = stored->contiguous().to(DType::float64).clone();
  for (std::int64_t i = 0; i < moved.numel(); ++i) moved.data<double>()[i] += q.shift;
  const DType plain = plain_dtype(q.written);
  return op.emitter().initializer(given.node()->target() + "_" + std::string(name(q.written)), q.written,
                                  stored->sizes(), [moved, plain] { return moved.to(plain); });
}

void note_range(const Op& op, const Quantized& q) {
  if (q.narrow)
    op.emitter().note(kQuantRange, std::to_string(static_cast<std::int64_t>(q.low)) + " " +
                                       std::to_string(static_cast<std::int64_t>(q.high)));
  if (q.written != q.dtype) op.emitter().note(kOriginalDtype, std::string(name(q.dtype)));
}

NodeAttributes attributes_of(const Granularity& granularity) {
  NodeAttributes attributes;
  if (granularity.axis) attributes.emplace_back("axis", *granularity.axis);
  if (granularity.block > 0) attributes.emplace_back("block_size", granularity.block);
  return attributes;
}

// QuantizeLinear has no 32-bit results, and to float8 it does not round to whole numbers, as PT2E does: the formula.
Name quantize_by_formula(const Op& op, const Name& x, const Name& scale, const Name& zero, const Quantized& q) {
  const Name rounded = op.emit("Round", {op.emit("Div", {x, scale})});
  const Name shifted = zero.empty() ? rounded : op.emit("Add", {rounded, op.cast(zero, DType::float32)});
  // The largest float32 below 2^31.
  const double high = std::min(q.high, 2147483520.0);
  return op.cast(op.emit("Clip", {shifted, op.number(q.low, DType::float32), op.number(high, DType::float32)}),
                 q.dtype);
}

// The integers between which a clamp on the grid of `op` leaves them, in the program's dtype.
struct ClampedLevels {
  double low;
  double high;
};
ClampedLevels clamped_levels(const Op& op, const ClampBounds& bounds, const Quantized& q) {
  const float inverse = inverse_scale(op.argument("scale").to_double());
  const auto zero_point = static_cast<float>(op.argument("zero_point").to_double());
  const auto level = [&](double bound) -> double {
    return quantize_to_float(static_cast<float>(bound), inverse, zero_point, static_cast<float>(q.low),
                             static_cast<float>(q.high));
  };
  return {level(bounds.low), level(bounds.high)};
}

bool is_on_integers(const GridClamp& clamp, const Quantized& q) {
  return q.dtype != DType::int32 && is_integral(q.dtype) &&
         is_only_dequantized(*clamp.before) == is_only_dequantized(*clamp.quantize);
}

// The range of the quantize itself clamps no less: there is nothing to write but a remark on it.
bool is_implied(const Op& op, const GridClamp& clamp, const Quantized& q) {
  if (clamp.before->num_users() != 1 || clamp_in_front_of(*clamp.before)) return false;
  const ClampedLevels found = clamped_levels(op, clamp.bounds, q);
  return found.low == q.low && found.high == q.high;
}

// A clamp on the grid of its input becomes a Clip of the integers, so that runtimes keep the op in front in integers:
//
//     quantize   dequantize   hardtanh(0, 6)   quantize      QuantizeLinear   Clip(level of 0, level of 6)
//
// A remark has the bounds, from which a reader makes the clamp again.
std::optional<Name> written_clamp(const Op& op, const Quantized& q) {
  const auto clamp = clamp_in_front_of(op.node);
  if (!clamp || !is_on_integers(*clamp, q)) return std::nullopt;
  const Name before = op.emitter().names_of(*clamp->before).at(0);
  if (is_implied(op, *clamp, q)) return before;
  const ClampedLevels found = clamped_levels(op, clamp->bounds, q);
  const Name result =
      op.emit("Clip", {before, levels(op, found.low + q.shift, q), levels(op, found.high + q.shift, q)});
  op.emitter().note(kClamp, text::bounds(clamp->bounds.low, clamp->bounds.high));
  return result;
}

void note_implied_clamp(const Op& op, const Quantized& q) {
  const auto clamp = clamp_behind(op.node);
  if (clamp && is_on_integers(*clamp, q) && is_implied(op, *clamp, q))
    op.emitter().note(kClamp, text::bounds(clamp->bounds.low, clamp->bounds.high));
}

Names quantize(const Op& op, const Name& scale, const Name& zero, const Quantized& q, const Granularity& granularity) {
  if (granularity.block > 0) op.need_opset(21, "quantization in blocks");
  const Name input = op.in_as("input", DType::float32);
  if (q.dtype == DType::int32 || is_floating_point(q.dtype)) {
    if (granularity.axis)
      op.refuse("quantization to " + std::string(name(q.dtype)) + " per channel when the model runs");
    return {quantize_by_formula(op, input, scale, zero, q)};
  }
  if (const auto result = written_clamp(op, q)) return {*result};
  Name result = op.emit("QuantizeLinear", {input, scale, zero}, attributes_of(granularity));
  note_range(op, q);
  note_implied_clamp(op, q);
  if (q.narrow) result = op.emit("Clip", {result, levels(op, q.low + q.shift, q), levels(op, q.high + q.shift, q)});
  return {result};
}

// Stored weights in the written dtype.
Name stored_levels(const Op& op, const Quantized& q) {
  const Tensor* stored = op.attribute("input");
  if (!stored || q.written == stored->dtype()) return op.in("input");
  const Tensor value = *stored;
  return op.emitter().initializer(op.argument("input").node()->target() + "_" + std::string(name(q.written)), q.written,
                                  value.sizes(), [value] { return value; });
}

Names dequantize(const Op& op, const Name& scale, const Name& zero, const Quantized& q,
                 const Granularity& granularity) {
  if (granularity.block > 0) op.need_opset(21, "dequantization in blocks");
  const Name result = op.emit("DequantizeLinear", {stored_levels(op, q), scale, zero}, attributes_of(granularity));
  note_range(op, q);
  const DType wanted = op.result().dtype;
  return {wanted == DType::float32 ? result : op.cast(result, wanted)};
}

Names write(const Op& op, const Name& scale, const Name& zero, const Quantized& q, const Granularity& granularity) {
  return is_quantize(op.node) ? quantize(op, scale, zero, q, granularity) : dequantize(op, scale, zero, q, granularity);
}

// A scale as float32, 0-dim where there is one for the whole tensor.
Name scalar(const Op& op, std::string_view argument, const Name& value) {
  return op.call.arg(argument).tensor() && op.rank(argument) > 0 ? op.reshape(value, {}) : value;
}

Names write_per_tensor(const Op& op) {
  const Quantized q = quantized_of(op, op.call.dtype("dtype", DType::int8));
  const Name scale = scalar(op, "scale", scales(op, "scale"));
  const Argument& zero = op.argument("zero_point");
  if (zero.node())
    return write(op, scale, scalar(op, "zero_point", zero_points(op, zero, op.in("zero_point"), q)), q, {});
  return write(op, scale, levels(op, zero.to_double() + q.shift, q), q, {});
}

Name optional_zero_points(const Op& op, std::string_view name, const Quantized& q) {
  if (op.has(name)) return zero_points(op, op.argument(name), op.in(name), q);
  if (q.shift != 0) return op.emit("Expand", {levels(op, q.shift, q), op.emit("Shape", {op.in("scales")})});
  return "";
}

Names write_per_channel(const Op& op) {
  const Quantized q = quantized_of(op, op.call.dtype("dtype", DType::int8));
  const Granularity granularity{op.call.dim("axis", op.rank("input")), 0};
  return write(op, scales(op, "scales"), optional_zero_points(op, "zero_points", q), q, granularity);
}

// Groups of elements along the last dimension.
Names write_per_channel_group(const Op& op) {
  const Quantized q = quantized_of(op, op.call.dtype("dtype", DType::int8));
  const Granularity granularity{op.rank("input") - 1, op.call.integer("group_size")};
  return write(op, scales(op, "scales"), optional_zero_points(op, "zero_points", q), q, granularity);
}

// A scale for each row of the last dimension: a block of the size of the row.
Names write_per_token(const Op& op) {
  const Quantized q = quantized_of(op, op.call.dtype("dtype", DType::int8));
  const SymInt& width = op.sizes("input").back();
  if (width.is_symbolic()) op.refuse("the width of a row is symbolic");
  const Granularity granularity{op.rank("input") - 1, width.value};
  return write(op, scales(op, "scales"), optional_zero_points(op, "zero_points", q), q, granularity);
}

// What block sizes say in ONNX's terms: all of a tensor, one index of a dimension, or blocks along one dimension.
Granularity granularity_of(const Op& op) {
  const Shape block = op.call.ints("block_size");
  const std::vector<SymInt>& sizes = op.sizes("input");
  if (block.size() != sizes.size()) op.refuse("block_size must have one number per dimension");
  std::vector<std::int64_t> whole, single, split;
  for (std::size_t d = 0; d < block.size(); ++d) {
    const auto dim = static_cast<std::int64_t>(d);
    if (!sizes[d].is_symbolic() && block[d] == sizes[d].value)
      whole.push_back(dim);
    else if (block[d] == 1)
      single.push_back(dim);
    else
      split.push_back(dim);
  }
  const auto all_of_one = [&](std::int64_t d) { return sizes[static_cast<std::size_t>(d)] == SymInt(1); };
  if (split.empty() && single.empty()) return {};
  if (split.empty() && single.size() == 1) return {single[0], 0};
  std::erase_if(whole, all_of_one);
  if (split.size() == 1 && whole.empty()) return {split[0], block[static_cast<std::size_t>(split[0])]};
  if (split.empty() && whole.size() == 1) return {whole[0], block[static_cast<std::size_t>(whole[0])]};
  op.refuse("blocks that are larger than 1 in more than one dimension");
}

Names write_affine(const Op& op) {
  const char* dtype = is_quantize(op.node) ? "output_dtype" : "input_dtype";
  const Quantized q = quantized_of(op, op.call.dtype(dtype, DType::int8));
  const Granularity granularity = granularity_of(op);
  const auto shaped = [&](const Name& value) {
    if (value.empty()) return value;
    if (!granularity.axis) return op.reshape(value, {});
    if (granularity.block == 0) return op.reshape(value, {-1});
    Shape sizes;  // one number for each block
    const Shape block = op.call.ints("block_size");
    for (std::size_t d = 0; d < block.size(); ++d) {
      const SymInt& size = op.sizes("input")[d];
      sizes.push_back(size.is_symbolic() ? -1 : size.value / block[d]);
    }
    if (std::count(sizes.begin(), sizes.end(), -1) > 1) op.refuse("blocks of a tensor with several symbolic sizes");
    return op.reshape(value, sizes);
  };
  const auto as_stored = [&](std::string_view name, const Name& value) {
    const std::size_t rank = granularity.block > 0 ? op.sizes("input").size() : granularity.axis ? 1 : 0;
    return op.sizes(name).size() == rank ? value : shaped(value);
  };
  const Name scale = as_stored("scale", scales(op, "scale"));
  const bool has_zero = op.has("zero_point") && op.call.tensor("zero_point").numel() > 0;
  const Name zero =
      has_zero ? as_stored("zero_point", zero_points(op, op.argument("zero_point"), op.in("zero_point"), q)) : "";
  return write(op, scale, zero, q, granularity);
}

// A range that holds 0, as scale and zero point for levels from `low` to `high`.
struct Range {
  Name low;
  Name high;
};
struct Levels {
  double low;
  double high;
  double eps;
};

Name float_number(const Op& op, double value) { return op.number(value, DType::float32); }

Name at_least_eps(const Op& op, const Name& scale, const Levels& levels) {
  return op.emit("Max", {scale, float_number(op, levels.eps)});
}

Name symmetric_scale(const Op& op, const Range& range, const Levels& levels) {
  const Name size = op.emit("Max", {op.emit("Neg", {range.low}), range.high});
  return at_least_eps(op, op.emit("Div", {size, float_number(op, (levels.high - levels.low) / 2)}), levels);
}
Name asymmetric_scale(const Op& op, const Range& range, const Levels& levels) {
  const Name width = op.emit("Sub", {range.high, range.low});
  return at_least_eps(op, op.emit("Div", {width, float_number(op, levels.high - levels.low)}), levels);
}
// Levels.low - round(low / scale), between the levels; still floats.
Name zero_point_of(const Op& op, const Range& range, const Name& scale, const Levels& levels) {
  const Name offset = op.emit("Round", {op.emit("Div", {range.low, scale})});
  const Name zero = op.emit("Sub", {float_number(op, levels.low), offset});
  return op.emit("Clip", {zero, float_number(op, levels.low), float_number(op, levels.high)});
}

Range range_of(const Op& op, const Name& input, const Shape& dims) {
  return {op.emit("Min", {op.reduce("ReduceMin", input, dims, true), float_number(op, 0)}),
          op.emit("Max", {op.reduce("ReduceMax", input, dims, true), float_number(op, 0)})};
}

// Scale float64[1] and zero point int64[1] of the whole tensor.
Names write_choose_qparams(const Op& op) {
  const Name input = op.in_as("input", DType::float32);
  const Levels levels{op.call.number("quant_min"), op.call.number("quant_max"), op.call.number("eps")};
  const DType dtype = plain_dtype(op.call.dtype("dtype", DType::int8));
  const bool symmetric = op.node.target().find("symmetric") != std::string::npos;
  if (!symmetric && dtype == DType::uint8 && levels.low == 0 && levels.high == 255) {
    const Names dynamic = op.emit_many("DynamicQuantizeLinear", {input}, 3);
    return {op.cast(op.reshape(dynamic[1], {1}), DType::float64), op.cast(op.reshape(dynamic[2], {1}), DType::int64)};
  }
  const Range range = range_of(op, op.reshape(input, {-1}), {0});
  const Name scale = symmetric ? symmetric_scale(op, range, levels) : asymmetric_scale(op, range, levels);
  const Name zero = symmetric ? op.emitter().constant(Tensor::full(DType::int64, {1}, dtype == DType::uint8 ? 128 : 0))
                              : op.cast(zero_point_of(op, range, scale, levels), DType::int64);
  return {op.cast(scale, DType::float64), zero};
}

// One scale and zero point per row of the last dimension, for int8 from -128 to 127.
Names write_choose_per_token(const Op& op) {
  if (op.dtype("input") != DType::float32) op.refuse("a choice of qparams for " + std::string(name(op.dtype("input"))));
  const Name input = op.in("input");
  const Shape last = {op.rank("input") - 1};
  if (op.node.target().find("asymmetric") == std::string::npos)
    op.refuse("its symmetric form returns zero points that are floats");
  const Levels levels{-128, 127, 1.1920928955078125e-07};
  const Range range = range_of(op, input, last);
  const Name scale = asymmetric_scale(op, range, levels);
  // The end of the range whose rounding loses less decides.
  const auto quotient = [&](const Name& end) { return op.emit("Div", {end, scale}); };
  const Name low = quotient(range.low), high = quotient(range.high);
  const Name low_error = op.emit("Add", {float_number(op, levels.low), low});
  const Name high_error = op.emit("Add", {float_number(op, levels.high), high});
  const Name by_low = op.emit("Greater", {op.emit("Add", {low_error, high_error}), float_number(op, 0)});
  const Name zero = op.emit("Where", {by_low, op.emit("Sub", {float_number(op, levels.low), low}),
                                      op.emit("Sub", {float_number(op, levels.high), high})});
  const Name rounded =
      op.emit("Round", {op.emit("Clip", {zero, float_number(op, levels.low), float_number(op, levels.high)})});
  return {op.cast(scale, DType::float64), op.cast(rounded, DType::int64)};
}

Names write_choose_affine(const Op& op) {
  const Name input = op.in_as("input", DType::float32);
  const Shape block = op.call.ints("block_size");
  Shape dims;
  for (std::size_t d = 0; d < block.size(); ++d) {
    const SymInt& size = op.sizes("input")[d];
    if (block[d] == 1) continue;
    if (size.is_symbolic() || size.value != block[d]) op.refuse("blocks that are part of a dimension");
    dims.push_back(static_cast<std::int64_t>(d));
  }
  const DType target = plain_dtype(op.call.dtype("target_dtype", DType::int8));
  if (!is_integral(target)) op.refuse("a choice of qparams for " + std::string(name(target)));
  const IntegerLimits limits = integer_limits(target);
  const Levels levels{op.has("quant_min") ? op.call.number("quant_min") : static_cast<double>(limits.min),
                      op.has("quant_max") ? op.call.number("quant_max") : static_cast<double>(limits.max),
                      op.has("eps") ? op.call.number("eps") : 1.17549435e-38};
  const std::string& mapping = op.call.string("mapping_type");
  const Range range = range_of(op, input, dims);
  Name scale, zero;
  if (mapping == "ASYMMETRIC") {
    scale = asymmetric_scale(op, range, levels);
    zero = zero_point_of(op, range, scale, levels);
  } else if (mapping == "SYMMETRIC") {
    scale = symmetric_scale(op, range, levels);
    zero = op.emit("Expand",
                   {float_number(op, std::trunc((levels.high + levels.low + 1) / 2)), op.emit("Shape", {scale})});
  } else {
    op.refuse("mapping type " + mapping);
  }
  if (!op.call.boolean("keepdim")) {
    scale = op.squeeze(scale, dims);
    zero = op.squeeze(zero, dims);
  }
  return {op.cast(scale, op.result(0).dtype), op.cast(zero, op.result(1).dtype)};
}

Names write_convert_element_type(const Op& op) { return {op.in_as("input", op.result().dtype)}; }

// Quantize and dequantize in one: of QAT programs that were not converted.
Names write_fake_quantize(const Op& op) {
  const Argument& scale = op.argument("scale");
  if (scale.node()) op.refuse("a fake quantize whose scale is computed; convert the program first");
  if (op.dtype("self") != DType::float32) op.refuse("a fake quantize of " + std::string(name(op.dtype("self"))));
  const DType dtype = op.call.number("quant_min") < 0 ? DType::int8 : DType::uint8;
  const IntegerLimits limits = integer_limits(dtype);
  const double low = op.call.number("quant_min"), high = op.call.number("quant_max");
  if (low < static_cast<double>(limits.min) || high > static_cast<double>(limits.max))
    op.refuse("a fake quantize of more than 8 bits");
  Quantized q{dtype, dtype, low, high, low > static_cast<double>(limits.min) || high < static_cast<double>(limits.max),
              0};
  const Name step = op.number(scale.to_double(), DType::float32);
  const Name zero = levels(op, op.call.number("zero_point"), q);
  Name value = op.emit("QuantizeLinear", {op.in("self"), step, zero});
  if (q.narrow) value = op.emit("Clip", {value, levels(op, low, q), levels(op, high, q)});
  return {op.emit("DequantizeLinear", {value, step, zero})};
}

constexpr WriteRow kRows[] = {
    {"quantized_decomposed.quantize_per_tensor.default", "QuantizeLinear", write_per_tensor},
    {"quantized_decomposed.quantize_per_tensor.tensor", "QuantizeLinear", write_per_tensor},
    {"quantized_decomposed.quantize_per_tensor.tensor2", "QuantizeLinear", write_per_tensor},
    {"quantized_decomposed.quantize_per_channel.default", "QuantizeLinear, axis", write_per_channel},
    {"quantized_decomposed.quantize_per_channel_group.default", "QuantizeLinear, block_size", write_per_channel_group},
    {"quantized_decomposed.quantize_per_token.default", "QuantizeLinear, block_size", write_per_token},
    {"quantized_decomposed.dequantize_per_tensor.default", "DequantizeLinear", write_per_tensor},
    {"quantized_decomposed.dequantize_per_tensor.tensor", "DequantizeLinear", write_per_tensor},
    {"quantized_decomposed.dequantize_per_tensor.tensor2", "DequantizeLinear", write_per_tensor},
    {"quantized_decomposed.dequantize_per_channel.default", "DequantizeLinear, axis", write_per_channel},
    {"quantized_decomposed.dequantize_per_channel_group.default", "DequantizeLinear, block_size",
     write_per_channel_group},
    {"quantized_decomposed.dequantize_per_token.default", "DequantizeLinear, block_size", write_per_token},
    {"torchao.quantize_affine.default", "QuantizeLinear", write_affine},
    {"torchao.dequantize_affine.default", "DequantizeLinear", write_affine},
    {"quantized_decomposed.choose_qparams.tensor",
     "DynamicQuantizeLinear; ReduceMin, ReduceMax, Sub, Div, Round for other levels than 0 to 255",
     write_choose_qparams},
    {"quantized_decomposed.choose_qparams_symmetric.tensor", "ReduceMin, ReduceMax, Div", write_choose_qparams},
    {"quantized_decomposed.choose_qparams_per_token_asymmetric.default", "ReduceMin, ReduceMax, Sub, Div, Round",
     write_choose_per_token},
    {"quantized_decomposed._choose_qparams_per_token_asymmetric_impl.default", "ReduceMin, ReduceMax, Sub, Div, Round",
     write_choose_per_token},
    {"torchao.choose_qparams_affine.default", "ReduceMin, ReduceMax, Sub, Div, Round", write_choose_affine},
    {"quantized_decomposed.convert_element_type.no_fuse", "Cast", write_convert_element_type},
    {"aten.fake_quantize_per_tensor_affine.default", "QuantizeLinear, DequantizeLinear", write_fake_quantize},
};

}  // namespace

WriteFamily write_qdq_ops() { return kRows; }

}  // namespace qdq::onnx
