#include "passes/reference_representation_rewrite.h"

#include <array>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "graph/rewriter.h"
#include "passes/first_reader.h"
#include "passes/infer_types.h"

namespace qdq {
namespace {

// What is replaced, and by what. Names of inputs: s scale, z zero point, l and h bounds; x, w, y(out) as their prefix.
struct Rewrite {
  std::string_view name;
  std::string_view pattern;
  std::string_view replacement;
  bool needs_bias = false;  // the input "b" is a node
};

constexpr std::array<Rewrite, 12> kRewrites = {{
    {"dynamic linear",
     R"(graph(x, xl, xh, eps, w, ws, wz, wl, wh, b) {
  %qparams = quantized_decomposed.choose_qparams.tensor(%x, %xl, %xh, %eps, i8)
  %s = operator.getitem(%qparams, 0)
  %z = operator.getitem(%qparams, 1)
  %q = quantized_decomposed.quantize_per_tensor.tensor(%x, %s, %z, %xl, %xh, i8)
  %dq = quantized_decomposed.dequantize_per_tensor.tensor(%q, %s, %z, %xl, %xh, i8)
  %dw = quantized_decomposed.dequantize_per_tensor.default(%w, %ws, %wz, %wl, %wh, i8)
  %y = aten.linear.default(%dq, %dw, %b)
  return (%y)
})",
     R"(graph(x, xl, xh, eps, w, ws, wz, wl, wh, b) {
  %choose_qparams = quantized_decomposed.choose_qparams.tensor(%x, %xl, %xh, %eps, i8)
  %getitem = operator.getitem(%choose_qparams, 0)
  %getitem_1 = operator.getitem(%choose_qparams, 1)
  %div = aten.div.Tensor(%x, %getitem)
  %round_1 = aten.round.default(%div)
  %to = aten.to.dtype(%round_1, i32)
  %add = aten.add.Tensor(%to, %getitem_1)
  %clamp = aten.clamp.default(%add, %xl, %xh)
  %to_1 = aten.to.dtype(%clamp, i8)
  %clamp_1 = aten.clamp(%w, %wl, %wh)
  %to_2 = aten.to.dtype(%to_1, i16)
  %to_3 = aten.to.dtype(%clamp_1, i16)
  %sub = aten.sub.Tensor(%to_2, %getitem_1)
  %sub_1 = aten.sub.Tensor(%to_3, %wz)
  %out_dtype = higher_order.out_dtype(op aten.linear.default, i32, %sub, %sub_1, none)
  %mul = aten.mul.Tensor(%getitem, %ws)
  %out_dtype_1 = higher_order.out_dtype(op aten.div.Tensor, i32, %b, %mul)
  %add_1 = aten.add.Tensor(%out_dtype, %out_dtype_1)
  %mul_1 = aten.mul.Tensor(%getitem, %ws)
  %mul_2 = aten.mul.Tensor(%add_1, %mul_1)
  %to_4 = aten.to.dtype(%mul_2, f32)
  return (%to_4)
})",
     true},
    {"int4 linear",
     R"(graph(x, xblock, eps, w, wblock, ws, wz, b) {
  %qparams = "torchao.choose_qparams_affine.default|torchao.choose_qparams_affine"(%x, _, %xblock, i8, _, _, %eps, ...)
  %s = operator.getitem(%qparams, 0)
  %z = operator.getitem(%qparams, 1)
  %q = "torchao.quantize_affine.default|torchao.quantize_affine"(%x, %xblock, %s, %z, i8, ...)
  %dq = "torchao.dequantize_affine.default|torchao.dequantize_affine"(%q, %xblock, %s, %z, i8, ...)
  %dw = "torchao.dequantize_affine.default|torchao.dequantize_affine"(%w, %wblock, %ws, %wz, i8, -8, 7, ...)
  %y = aten.linear.default(%dq, %dw, %b)
  return (%y)
})",
     R"(graph(x, op_eps, w, wblock, ws, wz, b) {
  %reference_dqlinear_int4 = torchao.reference_dqlinear_int4.default(%x, %op_eps, %w, %ws, %wz, %b, %wblock)
  return (%reference_dqlinear_int4)
})"},
    {"int4 linear without bias",
     R"(graph(x, xblock, eps, w, wblock, ws, wz) {
  %qparams = "torchao.choose_qparams_affine.default|torchao.choose_qparams_affine"(%x, _, %xblock, i8, _, _, %eps, ...)
  %s = operator.getitem(%qparams, 0)
  %z = operator.getitem(%qparams, 1)
  %q = "torchao.quantize_affine.default|torchao.quantize_affine"(%x, %xblock, %s, %z, i8, ...)
  %dq = "torchao.dequantize_affine.default|torchao.dequantize_affine"(%q, %xblock, %s, %z, i8, ...)
  %dw = "torchao.dequantize_affine.default|torchao.dequantize_affine"(%w, %wblock, %ws, %wz, i8, -8, 7, ...)
  %y = aten.linear.default(%dq, %dw)
  return (%y)
})",
     R"(graph(x, op_eps, w, wblock, ws, wz) {
  %reference_dqlinear_int4 = torchao.reference_dqlinear_int4.default(%x, %op_eps, %w, %ws, %wz, none, %wblock)
  return (%reference_dqlinear_int4)
})"},
    {"linear",
     R"(graph(x, xs, xz, xl, xh, w, ws, wz, wl, wh, b, ys, yz, yl, yh) {
  %dx = quantized_decomposed.dequantize_per_tensor.default(%x, %xs, %xz, %xl, %xh, i8)
  %dw = quantized_decomposed.dequantize_per_tensor.default(%w, %ws, %wz, %wl, %wh, i8)
  %linear = aten.linear.default(%dx, %dw, %b)
  %y = quantized_decomposed.quantize_per_tensor.default(%linear, %ys, %yz, %yl, %yh, i8)
  return (%y)
})",
     R"(graph(x, xs, xz, xl, xh, w, ws, wz, wl, wh, b, ys, yz, yl, yh) {
  %clamp = aten.clamp(%x, %xl, %xh)
  %clamp_1 = aten.clamp(%w, %wl, %wh)
  %to = aten.to.dtype(%clamp, i16)
  %to_1 = aten.to.dtype(%clamp_1, i16)
  %sub = aten.sub.Tensor(%to, %xz)
  %sub_1 = aten.sub.Tensor(%to_1, %wz)
  %out_dtype = higher_order.out_dtype(op aten.linear.default, i32, %sub, %sub_1, none)
  %mul = aten.mul.Tensor(%xs, %ws)
  %out_dtype_1 = higher_order.out_dtype(op aten.div.Tensor, i32, %b, %mul)
  %add = aten.add.Tensor(%out_dtype, %out_dtype_1)
  %mul_1 = aten.mul.Tensor(%xs, %ws)
  %div = aten.div.Tensor(%mul_1, %ys)
  %out_dtype_2 = higher_order.out_dtype(op aten.mul.Tensor, i32, %add, %div)
  %add_1 = aten.add.Tensor(%out_dtype_2, %yz)
  %clamp_2 = aten.clamp(%add_1, %yl, %yh)
  %to_2 = aten.to.dtype(%clamp_2, i8)
  return (%to_2)
})",
     true},
    {"convolution",
     R"(graph(x, xs, xz, xl, xh, w, ws, wz, wl, wh, b, stride, padding, dilation, output_padding, groups, ys, yz, yl, yh) {
  %dx = quantized_decomposed.dequantize_per_tensor.default(%x, %xs, %xz, %xl, %xh, i8)
  %dw = quantized_decomposed.dequantize_per_tensor.default(%w, %ws, %wz, %wl, %wh, i8)
  %conv = aten.convolution.default(%dx, %dw, %b, %stride, %padding, %dilation, false, %output_padding, %groups)
  %y = quantized_decomposed.quantize_per_tensor.default(%conv, %ys, %yz, %yl, %yh, i8)
  return (%y)
})",
     R"(graph(x, xs, xz, xl, xh, w, ws, wz, wl, wh, b, stride, padding, dilation, output_padding, groups, ys, yz, yl, yh) {
  %clamp = aten.clamp(%x, %xl, %xh)
  %clamp_1 = aten.clamp(%w, %wl, %wh)
  %to = aten.to.dtype(%clamp, i16)
  %to_1 = aten.to.dtype(%clamp_1, i16)
  %sub = aten.sub.Tensor(%to, %xz)
  %sub_1 = aten.sub.Tensor(%to_1, %wz)
  %out_dtype = higher_order.out_dtype(op aten.convolution.default, i32, %sub, %sub_1, none, %stride, %padding, %dilation, false, %output_padding, %groups)
  %mul = aten.mul.Tensor(%xs, %ws)
  %out_dtype_1 = higher_order.out_dtype(op aten.div.Tensor, i32, %b, %mul)
  %unsqueeze = aten.unsqueeze.default(%out_dtype_1, -1)
  %unsqueeze_1 = aten.unsqueeze.default(%unsqueeze, -1)
  %add = aten.add.Tensor(%out_dtype, %unsqueeze_1)
  %mul_1 = aten.mul.Tensor(%xs, %ws)
  %div = aten.div.Tensor(%mul_1, %ys)
  %out_dtype_2 = higher_order.out_dtype(op aten.mul.Tensor, i32, %add, %div)
  %add_1 = aten.add.Tensor(%out_dtype_2, %yz)
  %clamp_2 = aten.clamp(%add_1, %yl, %yh)
  %to_2 = aten.to.dtype(%clamp_2, i8)
  return (%to_2)
})",
     true},
    {"add and relu",
     R"(graph(a, as, az, b, bs, bz, ys, yz, l, h) {
  %da = quantized_decomposed.dequantize_per_tensor.default(%a, %as, %az, %l, %h, i8)
  %db = quantized_decomposed.dequantize_per_tensor.default(%b, %bs, %bz, %l, %h, i8)
  %add = aten.add.Tensor(%da, %db)
  %relu = aten.relu.default(%add)
  %y = quantized_decomposed.quantize_per_tensor.default(%relu, %ys, %yz, %l, %h, i8)
  return (%y)
})",
     R"(graph(a, as, az, b, bs, bz, ys, yz, l, h) {
  %to = aten.to.dtype(%a, i32)
  %to_1 = aten.to.dtype(%b, i32)
  %sub = aten.sub.Tensor(%to, %az)
  %div = aten.div.Tensor(%as, %ys)
  %out_dtype = higher_order.out_dtype(op aten.mul.Tensor, i32, %sub, %div)
  %sub_1 = aten.sub.Tensor(%to_1, %bz)
  %div_1 = aten.div.Tensor(%bs, %ys)
  %out_dtype_1 = higher_order.out_dtype(op aten.mul.Tensor, i32, %sub_1, %div_1)
  %add_1 = aten.add.Tensor(%out_dtype, %out_dtype_1)
  %add_2 = aten.add.Tensor(%add_1, %yz)
  %clamp = aten.clamp(%add_2, %yz, %h)
  %to_2 = aten.to.dtype(%clamp, i8)
  return (%to_2)
})"},
    {"add",
     R"(graph(a, as, az, b, bs, bz, ys, yz, l, h) {
  %da = quantized_decomposed.dequantize_per_tensor.default(%a, %as, %az, %l, %h, i8)
  %db = quantized_decomposed.dequantize_per_tensor.default(%b, %bs, %bz, %l, %h, i8)
  %add = aten.add.Tensor(%da, %db)
  %y = quantized_decomposed.quantize_per_tensor.default(%add, %ys, %yz, %l, %h, i8)
  return (%y)
})",
     R"(graph(a, as, az, b, bs, bz, ys, yz, l, h) {
  %to = aten.to.dtype(%a, i32)
  %to_1 = aten.to.dtype(%b, i32)
  %div = aten.div.Tensor(%as, %ys)
  %sub = aten.sub.Tensor(%to, %az)
  %mul = aten.mul.Tensor(%div, %sub)
  %round_1 = aten.round.default(%mul)
  %to_2 = aten.to.dtype(%round_1, i32)
  %div_1 = aten.div.Tensor(%bs, %ys)
  %sub_1 = aten.sub.Tensor(%to_1, %bz)
  %mul_1 = aten.mul.Tensor(%div_1, %sub_1)
  %round_2 = aten.round.default(%mul_1)
  %to_3 = aten.to.dtype(%round_2, i32)
  %add_1 = aten.add.Tensor(%to_2, %to_3)
  %add_2 = aten.add.Tensor(%add_1, %yz)
  %clamp = aten.clamp.default(%add_2, -128, 127)
  %to_4 = aten.to.dtype(%clamp, i8)
  return (%to_4)
})"},
    {"max pool",
     R"(graph(x, xs, xz, xl, xh, kernel, stride, padding, dilation, ceil_mode, ys, yz, yl, yh) {
  %dx = quantized_decomposed.dequantize_per_tensor.default(%x, %xs, %xz, %xl, %xh, i8)
  %pool = aten.max_pool2d_with_indices.default(%dx, %kernel, %stride, %padding, %dilation, %ceil_mode)
  %values = operator.getitem(%pool, 0)
  %y = quantized_decomposed.quantize_per_tensor.default(%values, %ys, %yz, %yl, %yh, i8)
  return (%y)
})",
     R"(graph(x, xs, xz, xl, xh, kernel, stride, padding, dilation, ceil_mode, ys, yz, yl, yh) {
  %clamp = aten.clamp(%x, %xl, %xh)
  %to = aten.to.dtype(%clamp, i32)
  %sub = aten.sub.Tensor(%to, %xz)
  %max_pool2d_with_indices = aten.max_pool2d_with_indices.default(%sub, %kernel, %stride, %padding, %dilation, %ceil_mode)
  %getitem = operator.getitem(%max_pool2d_with_indices, 0)
  %div = aten.div.Tensor(%xs, %ys)
  %mul = aten.mul.Tensor(%getitem, %div)
  %add = aten.add.Tensor(%mul, %yz)
  %clamp_1 = aten.clamp(%add, %yl, %yh)
  %to_1 = aten.to.dtype(%clamp_1, i8)
  return (%to_1)
})"},
    {"quantize per tensor",
     R"(graph(x, s, z, l, h) {
  %y = "quantized_decomposed.quantize_per_tensor.default|quantized_decomposed.quantize_per_tensor.tensor"(%x, %s, %z, %l, %h, i8)
  return (%y)
})",
     R"(graph(x, s, z, l, h) {
  %div = aten.div.Tensor(%x, %s)
  %round_1 = aten.round.default(%div)
  %to = aten.to.dtype(%round_1, i32)
  %add = aten.add.Tensor(%to, %z)
  %clamp = aten.clamp(%add, %l, %h)
  %to_1 = aten.to.dtype(%clamp, i8)
  return (%to_1)
})"},
    {"dequantize per tensor",
     R"(graph(x, s, z, l, h) {
  %y = "quantized_decomposed.dequantize_per_tensor.default|quantized_decomposed.dequantize_per_tensor.tensor"(%x, %s, %z, %l, %h, i8)
  return (%y)
})",
     R"(graph(x, s, z, l, h) {
  %clamp = aten.clamp(%x, %l, %h)
  %to = aten.to.dtype(%clamp, f32)
  %sub = aten.sub.Tensor(%to, %z)
  %mul = aten.mul.Tensor(%sub, %s)
  %to_1 = aten.to.dtype(%mul, f32)
  return (%to_1)
})"},
    {"quantize per channel",
     R"(graph(x, s, z, axis, l, h) {
  %y = quantized_decomposed.quantize_per_channel.default(%x, %s, %z, %axis, %l, %h, i8)
  return (%y)
})",
     R"(graph(x, s, z, axis, l, h) {
  %transpose = aten.transpose.int(%x, %axis, -1)
  %div = aten.div.Tensor(%transpose, %s)
  %round_1 = aten.round.default(%div)
  %to = aten.to.dtype(%round_1, i32)
  %add = aten.add.Tensor(%to, %z)
  %clamp = aten.clamp.default(%add, %l, %h)
  %transpose_1 = aten.transpose.int(%clamp, %axis, -1)
  %to_1 = aten.to.dtype(%transpose_1, i8)
  return (%to_1)
})"},
    {"dequantize per channel",
     R"(graph(x, s, z, axis, l, h) {
  %y = quantized_decomposed.dequantize_per_channel.default(%x, %s, %z, %axis, %l, %h, i8)
  return (%y)
})",
     R"(graph(x, s, z, axis, l, h) {
  %clamp = aten.clamp.default(%x, %l, %h)
  %transpose = aten.transpose.int(%clamp, %axis, -1)
  %to = aten.to.dtype(%transpose, i32)
  %sub = aten.sub.Tensor(%to, %z)
  %to_1 = aten.to.dtype(%sub, f32)
  %mul = aten.mul.Tensor(%to_1, %s)
  %transpose_1 = aten.transpose.int(%mul, %axis, -1)
  return (%transpose_1)
})"},
}};

constexpr float kFloatEps = std::numeric_limits<float>::epsilon();

}  // namespace

int reference_representation_rewrite(Graph& graph) {
  MatchOptions as_written;
  as_written.commutative = false;
  int replaced = 0;
  for (const Rewrite& rewrite : kRewrites) {
    const Pattern pattern(rewrite.pattern, as_written);
    const Replacement replacement(rewrite.replacement);
    const auto guard = [&](const Match& match, Replacement::Values& values) {
      if (match.inputs.contains("eps"))  // the op wants a number where choose_qparams_affine has a default
        values["op_eps"] = match.input("eps").is_none() ? Argument(double{kFloatEps}) : match.input("eps");
      if (rewrite.needs_bias && !match.input("b").node()) return NoMatch(std::string(rewrite.name) + " without bias");
      if (Node* reader = first_reader(*match.anchor)) graph.move_before(*match.anchor, *reader);
      return NoMatch();
    };
    replaced += replace_all(graph, "reference_representation_rewrite", pattern, replacement, guard);
  }
  infer_types(graph);
  return replaced;
}

}  // namespace qdq
