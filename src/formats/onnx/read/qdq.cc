// Quantize and dequantize nodes of ONNX as those of PT2E: scales and zero points that are stored become arguments.
#include <charconv>

#include "formats/onnx/read/cast.h"
#include "formats/onnx/read/family.h"
#include "formats/onnx/read/grid_clamp.h"
#include "formats/onnx/read/zero_point.h"

namespace qdq::onnx {
namespace {

// The integers of a Q or DQ: what the file says, and what it remarks about the program that it was written from.
struct Quantized {
  DType dtype = DType::uint8;
  std::int64_t low = 0;
  std::int64_t high = 255;
  std::int64_t shift = 0;  // the file's zero points are higher by this
};

// Levels of a dtype that tensors do not have ("int4") are a range of its plain one.
Quantized quantized_of(const In& in, DType written) {
  Quantized q;
  q.dtype = plain_dtype(written);
  if (const auto largest = largest_float8(written)) {
    q.low = static_cast<std::int64_t>(-*largest);
    q.high = static_cast<std::int64_t>(*largest);
    return q;
  }
  if (!is_integral(q.dtype)) in.refuse("quantized values of dtype " + std::string(name(written)));
  // Of what a quantize of ours wrote as uint8; a model that was cut in front of a dequantize feeds it real uint8.
  const auto original = dtype_from_name(in.node.remark(kOriginalDtype));
  const bool has_original = in.node.op == "QuantizeLinear" || in.type(0).dtype == DType::int8;
  if (original == DType::int8 && written == DType::uint8 && has_original) {
    q.dtype = DType::int8;
    q.shift = 128;
  }
  const IntegerLimits limits = integer_limits(plain_dtype(written) == q.dtype ? written : q.dtype);
  q.low = limits.min;
  q.high = limits.max;
  const std::string_view range = in.node.remark(kQuantRange);
  const std::size_t space = range.find(' ');
  if (space == std::string_view::npos) return q;
  const auto number = [&](std::string_view text, std::int64_t otherwise) {
    std::int64_t value = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool fits = error == std::errc() && value >= limits.min && value <= limits.max;
    return fits && stop == text.data() + text.size() ? value : otherwise;
  };
  q.low = number(range.substr(0, space), q.low);
  q.high = number(range.substr(space + 1), q.high);
  return q;
}

DType written_dtype(const In& in) {
  // The file's zero point knows: we may hold the tensor in another dtype, and values of 4 bits in one of 8.
  if (in.node.op == "DequantizeLinear" && !in.has(2))
    return in.importer().stored_dtype(in.node.inputs[0]).value_or(in.type(0).dtype);
  if (in.has(2)) {
    const auto stored = in.importer().stored_dtype(in.node.inputs[2]);
    return stored ? *stored : in.type(2).dtype;
  }
  if (const auto dtype = dtype_from_data_type(static_cast<std::int32_t>(in.integer("output_dtype", 0)))) return *dtype;
  return DType::uint8;
}

bool is_quantize(const In& in) { return in.node.op == "QuantizeLinear"; }

// Dequantizes have the dtype of their scales.
Node& finished(const In& in, std::string_view name, Argument::List args) {
  const std::string target =
      std::string("quantized_decomposed.") + (is_quantize(in) ? "quantize_" : "dequantize_") + std::string(name);
  Argument::Dict out_dtype;
  if (const DType wanted = in.type(1).dtype; !is_quantize(in) && wanted != DType::float32)
    out_dtype.emplace_back("out_dtype", wanted);
  return in.call(target, std::move(args), std::move(out_dtype));
}

// Scales and zero points of one number are arguments, computed ones tensors.
Node& per_tensor(const In& in, const Quantized& q) {
  const Tensor* scale = in.constant(1);
  const Tensor* zero = in.has(2) ? in.constant(2) : nullptr;
  if (scale && (zero || !in.has(2))) {
    const std::int64_t zero_point = in.known_integer(2, 0, "zero point");
    return finished(in, "per_tensor.default",
                    {in.tensor(0), scale->to(DType::float64).item(), zero_point - q.shift, q.low, q.high, q.dtype});
  }
  Node* computed_zero = in.has(2) ? &in.call("aten.to.dtype", {in.tensor(2), DType::int64})
                                  : &in.attribute("zero_point", Tensor::full(DType::int64, {}, 0));
  if (q.shift != 0) computed_zero = &in.call("aten.sub.Scalar", {*computed_zero, q.shift});
  return finished(in, "per_tensor.tensor", {in.tensor(0), in.tensor(1), *computed_zero, q.low, q.high, q.dtype});
}

Tensor zero_points_of(const In& in, const Quantized& q, const Shape& sizes) {
  const Tensor* zero = in.has(2) ? in.constant(2) : nullptr;
  if (in.has(2) && !zero) in.refuse("zero points per channel that are computed");
  Tensor result = zero ? zero->to(DType::int64).clone() : Tensor::full(DType::int64, sizes, 0);
  if (result.numel() != numel(sizes)) in.refuse("scales and zero points have different sizes");
  for (std::int64_t i = 0; i < result.numel(); ++i) result.data<std::int64_t>()[i] -= q.shift;
  return result;
}

std::string beside(const In& in, std::size_t i, std::string_view suffix) {
  return i < in.node.inputs.size() && !in.node.inputs[i].empty() ? std::string(in.node.inputs[i])
                                                                 : std::string(in.node.inputs[0]) + std::string(suffix);
}

// x / scale, which is not rounded to whole numbers, as PT2E's quantize does.
void read_quantize_to_float8(const In& in, DType dtype) {
  const Tensor* zero = in.has(2) ? in.constant(2) : nullptr;
  if (in.has(2) && (!zero || zero->numel() != 1 || zero->to(DType::float64).item() != 0))
    in.refuse("quantization to float8 with a zero point other than 0");
  if (in.rank(1) > 0 && in.type(1).sizes != std::vector<SymInt>{1})
    in.refuse("quantization to float8 per channel when the model runs");
  in.result(cast(in, in.call("aten.div.Tensor", {in.tensor(0), in.tensor(1)}), dtype));
}

void read_linear(const In& in) {
  Node& input = in.tensor(0);
  const Quantized q = quantized_of(in, written_dtype(in));
  if (is_quantize(in) && is_floating_point(q.dtype)) return read_quantize_to_float8(in, q.dtype);
  const TensorMeta& scale_type = in.type(1);
  // A vector of one scale belongs to a channel where the tensor has one of them, else to all of it.
  const bool is_vector_of_one = scale_type.sizes.size() == 1 && scale_type.sizes[0] == SymInt(1);
  const auto rank = static_cast<std::int64_t>(in.type(input).sizes.size());
  const std::int64_t wanted = in.integer("axis", 1);
  const bool has_one_channel =
      wanted >= -rank && wanted < rank &&
      in.type(0).sizes[static_cast<std::size_t>(wanted < 0 ? wanted + rank : wanted)] == SymInt(1);
  const bool is_one = scale_type.sizes.empty() || (is_vector_of_one && !has_one_channel);
  if (is_one) {
    Node& value = per_tensor(in, q);
    Node* clamped = clamp_of_remark(in, value);
    return in.result(clamped ? *clamped : value);
  }
  const Tensor* scales = in.constant(1);
  if (!scales) in.refuse("scales per channel that are computed");
  if (in.rank(0) == 0) in.refuse("scales per channel for a tensor without dimensions");
  const std::int64_t axis = in.axis(in.integer("axis", 1), in.rank(0));
  Node& scale_node = in.tensor(1);
  Node& zero_node = in.attribute(beside(in, 2, "_zero_points"), zero_points_of(in, q, scales->sizes()));
  const std::int64_t block = in.integer("block_size", 0);
  if (block == 0)
    return in.result(
        finished(in, "per_channel.default", {in.tensor(0), scale_node, zero_node, axis, q.low, q.high, q.dtype}));
  Argument::List blocks(static_cast<std::size_t>(in.rank(0)), Argument(1));
  blocks[static_cast<std::size_t>(axis)] = block;
  in.result(in.call(is_quantize(in) ? "torchao.quantize_affine.default" : "torchao.dequantize_affine.default",
                    {in.tensor(0), blocks, scale_node, zero_node, q.dtype, q.low, q.high}));
}

struct Dynamic {
  Node* scale;
  Node* zero;
};
// scale = (max(x, 0) - min(x, 0)) / 255, as choose_qparams does; its eps is the smallest float.
Dynamic chosen(const In& in, Node& x) {
  Node& both = in.call("quantized_decomposed.choose_qparams.tensor", {x, 0, 255, 1.17549435e-38, DType::uint8});
  return {&in.item(both, 0), &in.item(both, 1)};
}

void read_dynamic_quantize(const In& in) {
  const auto [scale, zero] = chosen(in, in.tensor(0));
  if (in.wants(0))
    in.result(
        in.call("quantized_decomposed.quantize_per_tensor.tensor", {in.tensor(0), *scale, *zero, 0, 255, DType::uint8}),
        0);
  const auto scalar = [&](Node& value, DType dtype) -> Node& {
    Node& flat = in.call("aten.reshape.default", {value, Argument::List{}});
    return in.call("aten.to.dtype", {flat, dtype});
  };
  if (in.wants(1)) in.result(scalar(*scale, DType::float32), 1);
  if (in.wants(2)) in.result(scalar(*zero, DType::uint8), 2);
}

// a - zero point, in int32; a vector of zero points belongs to the rows of the left or the columns of the right matrix.
Node& centred(const In& in, std::size_t i, std::size_t zero) {
  Node& wide = in.call("aten.to.dtype", {in.tensor(i), DType::int32});
  if (!in.has(zero)) return wide;
  Node* point = &in.call("aten.to.dtype", {in.tensor(zero), DType::int32});
  if (i == 0 && in.rank(zero) == 1 && in.rank(0) >= 2) point = &in.call("aten.unsqueeze.default", {*point, -1});
  return less_zero_point(in, wide, *point);
}

void read_matmul_integer(const In& in) {
  Node& a = centred(in, 0, 2);
  in.result(in.call("aten.matmul.default", {a, centred(in, 1, 3)}));
}

constexpr ReadRow kRows[] = {
    {"QuantizeLinear", "quantize_per_tensor, quantize_per_channel, quantize_affine", read_linear},
    {"DequantizeLinear", "dequantize_per_tensor, dequantize_per_channel, dequantize_affine", read_linear},
    {"DynamicQuantizeLinear", "choose_qparams, quantize_per_tensor", read_dynamic_quantize},
    {"MatMulInteger", "to, sub, matmul", read_matmul_integer},
};

}  // namespace

ReadFamily read_qdq_ops() { return kRows; }

}  // namespace qdq::onnx
