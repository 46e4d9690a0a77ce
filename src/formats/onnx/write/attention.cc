#include <cmath>

#include "formats/onnx/write/family.h"

namespace qdq::onnx {
namespace {

// Adds a mask to the scores: numbers are added, booleans say what is seen.
Name masked(const Op& op, const Name& scores, const Name& mask, DType mask_dtype) {
  const DType dtype = op.dtype("query");
  if (mask_dtype != DType::bool_) return op.emit("Add", {scores, mask});
  return op.emit("Where", {mask, scores, op.number(-INFINITY, dtype)});
}

// softmax(query @ key^T * scale + mask) @ value
Names write_attention(const Op& op) {
  const Argument& enable_gqa = op.call.schema().find_arg("enable_gqa") ? op.argument("enable_gqa") : Argument(false);
  if (enable_gqa.to_bool()) op.refuse("attention with grouped heads (enable_gqa)");
  if (op.call.number("dropout_p") != 0) op.refuse("attention with dropout is random");
  const DType dtype = op.dtype("query");
  const std::int64_t rank = op.rank("key");
  const SymInt& width = op.sizes("query").back();
  if (width.is_symbolic()) op.refuse("the width of a head is symbolic");
  const double scale = op.has("scale") ? op.call.number("scale") : 1 / std::sqrt(static_cast<double>(width.value));
  Shape order;
  for (std::int64_t d = 0; d < rank - 2; ++d) order.push_back(d);
  order.insert(order.end(), {rank - 1, rank - 2});
  // The scale goes half to the query and half to the key, as torch does it: less can overflow.
  const Name half = op.number(std::sqrt(scale), dtype);
  const Name query = op.emit("Mul", {op.in("query"), half});
  const Name key = op.emit("Mul", {op.transpose(op.in("key"), order), half});
  Name scores = op.emit("MatMul", {query, key});
  if (op.call.boolean("is_causal")) {
    // Query i sees the keys up to i.
    const auto places = [&](std::string_view which, std::int64_t unsqueezed) {
      const Name sizes = op.emit("Shape", {op.in(which)});
      const Name length = op.emit("Gather", {sizes, op.number(static_cast<double>(op.rank(which) - 2), DType::int64)},
                                  {{"axis", std::int64_t{0}}});
      const Name range = op.emit("Range", {op.number(0, DType::int64), length, op.number(1, DType::int64)});
      return op.unsqueeze(range, {unsqueezed});
    };
    const Name seen = op.emit("Not", {op.emit("Greater", {places("key", 0), places("query", 1)})});
    scores = masked(op, scores, seen, DType::bool_);
  }
  if (op.has("attn_mask")) scores = masked(op, scores, op.in("attn_mask"), op.dtype("attn_mask"));
  const Name weights = op.emit("Softmax", {scores}, {{"axis", std::int64_t{-1}}});
  Names results{op.emit("MatMul", {weights, op.in("value")})};
  if (op.call.schema().returns.size() > 1) results.emplace_back();  // logsumexp, for training
  return results;
}

constexpr WriteRow kRows[] = {
    {"aten.scaled_dot_product_attention.default", "Mul, Transpose, MatMul, Add or Where, Softmax, MatMul",
     write_attention},
    {"aten._scaled_dot_product_flash_attention_for_cpu.default",
     "Mul, Transpose, MatMul, Add or Where, Softmax, MatMul", write_attention},
};

}  // namespace

WriteFamily write_attention_ops() { return kRows; }

}  // namespace qdq::onnx
