#include <algorithm>
#include <cmath>

#include "reference/matmul.h"

namespace qdq {
namespace {

// [..., rows, inner] x [..., inner, columns] with equal leading sizes.
template <typename T>
Tensor multiply(const Tensor& a, const Tensor& b) {
  const std::int64_t rows = a.size(-2);
  const std::int64_t inner = a.size(-1);
  const std::int64_t columns = b.size(-1);
  Shape sizes = a.sizes();
  sizes.back() = columns;
  const Tensor out = Tensor::empty(dtype_of<T>(), sizes);
  const std::int64_t matrices = rows * columns == 0 ? 0 : out.numel() / (rows * columns);
  std::vector<Accumulator<T>> sums(static_cast<std::size_t>(columns));
  for (std::int64_t m = 0; m < matrices; ++m)
    for (std::int64_t i = 0; i < rows; ++i) {
      std::fill(sums.begin(), sums.end(), 0);
      for (std::int64_t k = 0; k < inner; ++k) {
        const auto x = static_cast<Accumulator<T>>(a.data<T>()[(m * rows + i) * inner + k]);
        const T* y = b.data<T>() + (m * inner + k) * columns;
        for (std::int64_t j = 0; j < columns; ++j)
          sums[static_cast<std::size_t>(j)] += x * static_cast<Accumulator<T>>(y[j]);
      }
      T* to = out.data<T>() + (m * rows + i) * columns;
      for (std::int64_t j = 0; j < columns; ++j) to[j] = static_cast<T>(sums[static_cast<std::size_t>(j)]);
    }
  return out;
}

Shape leading(const Tensor& t) { return Shape(t.sizes().begin(), t.sizes().end() - 2); }

Tensor with_leading(const Call& call, const Tensor& t, const Shape& lead) {
  Shape sizes = lead;
  sizes.push_back(t.size(-2));
  sizes.push_back(t.size(-1));
  return expand(call, t, sizes);
}

Tensor add_bias(const Call& call, const Tensor& product, const Tensor& bias) {
  return with_compute_type(product.dtype(), [&](auto type) {
    using T = decltype(type);
    const auto add = [](T x, T y) { return static_cast<T>(x + y); };
    return map<T>(call, product.to(dtype_of<T>()), bias.to(dtype_of<T>()), add).to(product.dtype());
  });
}

std::vector<Value> eval_matmul(const Call& call) {
  const auto& args = call.schema().args;
  return {matmul(call, call.tensor(args[0].name), call.tensor(args[1].name))};
}

std::vector<Value> eval_linear(const Call& call) {
  const Tensor& weight = call.tensor("weight");
  const std::int64_t swapped[] = {1, 0};
  const Tensor product = matmul(call, call.tensor("input"), weight.dim() == 2 ? weight.permute(swapped) : weight);
  return {call.has("bias") ? add_bias(call, product, call.tensor("bias")) : product};
}

std::vector<Value> eval_outer(const Call& call) {
  const Tensor inferred = *call.schema().infer(call).front().tensor();
  return with_compute_type(inferred.dtype(), [&](auto type) -> std::vector<Value> {
    using T = decltype(type);
    const Tensor column = contiguous_as<T>(call.tensor("self")).reshape({inferred.size(0), 1});
    const auto multiply = [](T x, T y) { return static_cast<T>(x * y); };
    return {map<T>(call, column, contiguous_as<T>(call.tensor("vec2")), multiply).to(inferred.dtype())};
  });
}

// The dot product of two vectors, each divided by its norm or by eps, whichever is larger.
double cosine(const double* a, const double* b, std::int64_t length, std::int64_t stride, double eps) {
  double squares_a = 0;
  double squares_b = 0;
  double products = 0;
  for (std::int64_t i = 0; i < length; ++i) {
    const double x = a[i * stride];
    const double y = b[i * stride];
    squares_a += x * x;
    squares_b += y * y;
    products += x * y;
  }
  return products / std::max(std::sqrt(squares_a), eps) / std::max(std::sqrt(squares_b), eps);
}

std::vector<Value> eval_cosine_similarity(const Call& call) {
  const Tensor inferred = *call.schema().infer(call).front().tensor();
  const Shape sizes = broadcast(call, call.tensor("x1").sizes(), call.tensor("x2").sizes());
  const Tensor a = expand(call, call.tensor("x1").to(DType::float64), sizes).contiguous();
  const Tensor b = expand(call, call.tensor("x2").to(DType::float64), sizes).contiguous();
  const auto d = static_cast<std::size_t>(call.dim("dim", a.dim()));
  const std::int64_t length = sizes.empty() ? 1 : sizes[d];
  const std::int64_t stride = sizes.empty() ? 1 : numel(std::span(sizes).subspan(d + 1));
  const Tensor out = Tensor::empty(DType::float64, inferred.sizes());
  for (std::int64_t i = 0; i < out.numel(); ++i) {
    const std::int64_t start = i / stride * length * stride + i % stride;
    out.data<double>()[i] =
        cosine(a.data<double>() + start, b.data<double>() + start, length, stride, call.number("eps"));
  }
  return {out.to(inferred.dtype())};
}

// beta * self + alpha * (a @ b)
std::vector<Value> eval_addmm(const Call& call) {
  const auto& args = call.schema().args;
  const Tensor product = matmul(call, call.tensor(args[1].name), call.tensor(args[2].name));
  const double beta = call.number("beta");
  const double alpha = call.number("alpha");
  const Tensor self = expand(call, call.tensor("self"), product.sizes());
  return with_compute_type(product.dtype(), [&](auto type) -> std::vector<Value> {
    using T = decltype(type);
    const auto combine = [&](T x, T y) {
      const T scaled = static_cast<T>(alpha) * y;
      return beta == 0 ? scaled : static_cast<T>(static_cast<T>(beta) * x + scaled);  // beta 0 ignores NaNs of self
    };
    return {map<T>(call, self.to(dtype_of<T>()), product.to(dtype_of<T>()), combine).to(product.dtype())};
  });
}

constexpr KernelRow kRows[] = {
    {"aten.linear.default", eval_linear}, {"aten.matmul.default", eval_matmul},
    {"aten.mm.default", eval_matmul},     {"aten.bmm.default", eval_matmul},
    {"aten.mv.default", eval_matmul},     {"aten.dot.default", eval_matmul},
    {"aten.outer.default", eval_outer},   {"aten.cosine_similarity.default", eval_cosine_similarity},
    {"aten.addmm.default", eval_addmm},   {"aten.baddbmm.default", eval_addmm},
};

}  // namespace

Tensor matmul(const Call& call, const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype()) call.fail("the factors have different dtypes");
  if (a.dim() == 0 || b.dim() == 0) call.fail("a factor has no dimensions");
  Shape row = a.sizes();
  if (a.dim() == 1) row.insert(row.begin(), 1);
  Shape column = b.sizes();
  if (b.dim() == 1) column.push_back(1);
  const Tensor left = a.reshape(row);
  const Tensor right = b.reshape(column);
  if (left.size(-1) != right.size(-2))
    call.fail("sizes " + to_string(a.sizes()) + " and " + to_string(b.sizes()) + " cannot be multiplied");
  const Shape lead = broadcast(call, leading(left), leading(right));
  const Tensor product = with_compute_type(a.dtype(), [&](auto type) {
    using T = decltype(type);
    return multiply<T>(contiguous_as<T>(with_leading(call, left, lead)),
                       contiguous_as<T>(with_leading(call, right, lead)))
        .to(a.dtype());
  });
  Shape sizes = lead;
  if (a.dim() > 1) sizes.push_back(left.size(-2));
  if (b.dim() > 1) sizes.push_back(right.size(-1));
  return product.reshape(sizes);
}

KernelFamily linear_kernels() { return kRows; }

}  // namespace qdq
