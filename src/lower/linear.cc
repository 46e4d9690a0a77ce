#include "lower/kernel_list.h"
#include "ops/schema.h"
#include "ops/shapes.h"
#include "runtime/elementwise.h"
#include "runtime/onednn/attention.h"

namespace qdq::lower {
namespace {

// `tensor` as a matrix [M, K] with the elements of a row adjacent; copied when its strides do not allow that.
Tensor as_rows(const Tensor& tensor, std::int64_t k, Emitter& emitter) {
  const Shape wanted = {k == 0 ? 0 : tensor.numel() / k, k};
  const auto strides = view_strides(tensor.sizes(), tensor.strides(), wanted);
  const bool usable = strides && ((*strides)[1] == 1 || k == 1) && ((*strides)[0] >= k || wanted[0] == 1);
  if (!usable) {
    const Tensor plain = emitter.allocate(tensor.dtype(), tensor.sizes());
    emitter.emit(runtime::copy_step(emitter.name() + ".input", tensor, plain));
    return plain.as_strided(wanted, contiguous_strides(wanted), plain.storage_offset());
  }
  return tensor.as_strided(wanted, {std::max(k, (*strides)[0]), 1}, tensor.storage_offset());
}

// input [..., K] times weight [N, K] transposed.
std::optional<Value> emit_linear(const Tensor& input, const Tensor& weight, const Tensor& bias, Emitter& emitter) {
  const bool supported = is_float(input) && is_float(weight) && weight.dim() == 2 && input.dim() >= 1 &&
                         input.numel() > 0 && weight.numel() > 0 && input.size(-1) == weight.size(1) &&
                         (!bias.defined() || (is_float(bias) && bias.dim() == 1 && bias.size(0) == weight.size(0)));
  if (!supported) return std::nullopt;
  Shape sizes = input.sizes();
  sizes.back() = weight.size(0);
  const Tensor result = emitter.allocate(DType::float32, sizes);
  runtime::onednn::Linear linear;
  linear.src = as_rows(input, weight.size(1), emitter);
  linear.weight = weight;
  linear.bias = bias;
  const Shape matrix = {linear.src.size(0), weight.size(0)};
  linear.dst = result.as_strided(matrix, contiguous_strides(matrix), 0);
  emitter.emit_fusible({emitter.name(), std::move(linear)});
  return Value(result);
}

std::optional<Value> lower_linear(const Call& call, Emitter& emitter) {
  return emit_linear(call.tensor("input"), call.tensor("weight"), call.optional_tensor("bias"), emitter);
}

std::optional<Value> lower_addmm(const Call& call, Emitter& emitter) {
  const Tensor& bias = call.tensor("self");
  const Tensor& b = call.tensor("mat2");
  const bool plain = call.number("alpha") == 1.0 && call.number("beta") == 1.0 && bias.dim() == 1 && b.dim() == 2;
  if (!plain) return std::nullopt;
  return emit_linear(call.tensor("mat1"), b.permute(std::array<std::int64_t, 2>{1, 0}), bias, emitter);
}

// A matrix that gemm takes: rows or columns contiguous, no overlap.
bool is_gemm_operand(const Tensor& t) {
  const std::int64_t row = t.strides()[t.strides().size() - 2];
  const std::int64_t column = t.strides().back();
  return (column == 1 && row >= t.size(-1)) || (row == 1 && column >= t.size(-2));
}

std::optional<Value> lower_matmul(const Call& call, Emitter& emitter) {
  Tensor a = call.tensor("self");
  Tensor b = call.tensor(call.schema().find_arg("other") ? "other" : "mat2");
  if (!is_float(a) || !is_float(b) || a.dim() < 2 || b.dim() < 2 || a.size(-1) != b.size(-2)) return std::nullopt;
  if (a.numel() == 0 || b.numel() == 0) return std::nullopt;
  if (b.dim() == 2 && emitter.is_constant(b))
    return emit_linear(a, b.permute(std::array<std::int64_t, 2>{1, 0}), {}, emitter);
  Shape sizes;  // batch dimensions, broadcast
  const std::size_t rank = static_cast<std::size_t>(std::max(a.dim(), b.dim()));
  for (std::size_t d = 0; d + 2 < rank; ++d) {
    const auto extent = [&](const Tensor& t) {
      const std::size_t missing = rank - t.sizes().size();
      return d < missing ? std::int64_t{1} : t.sizes()[d - missing];
    };
    sizes.push_back(extent(a) == 1 ? extent(b) : extent(a));
  }
  const auto expand = [&](const Tensor& t) {
    Shape wanted = sizes;
    wanted.push_back(t.size(-2));
    wanted.push_back(t.size(-1));
    return runtime::broadcast_to(t, wanted);
  };
  if (!is_gemm_operand(a)) a = emitter.contiguous(a);
  if (!is_gemm_operand(b)) b = emitter.contiguous(b);
  if (!is_gemm_operand(a) || !is_gemm_operand(b)) return std::nullopt;
  a = expand(a);
  b = expand(b);
  sizes.push_back(a.size(-2));
  sizes.push_back(b.size(-1));
  const Tensor out = emitter.allocate(DType::float32, sizes);
  emitter.emit(runtime::onednn::batched_matmul_step(emitter.name(), a, b, out, 1.0f));
  return Value(out);
}

constexpr KernelRow kRows[] = {
    {"aten.linear.default", lower_linear}, {"aten.addmm.default", lower_addmm}, {"aten.matmul.default", lower_matmul},
    {"aten.mm.default", lower_matmul},     {"aten.bmm.default", lower_matmul},
};

}  // namespace

KernelFamily linear_kernels() { return kRows; }

}  // namespace qdq::lower
