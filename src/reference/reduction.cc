#include <algorithm>
#include <cmath>
#include <limits>

#include "reference/reduce.h"

namespace qdq {

Rows rows_of(const Tensor& tensor, DType dtype, const Shape& dims, bool keepdim) {
  Shape order;
  Rows rows{{}, 1, 1, {}};
  for (std::int64_t d = 0; d < tensor.dim(); ++d) {
    if (std::find(dims.begin(), dims.end(), d) == dims.end()) {
      order.push_back(d);
      rows.count *= tensor.size(d);
      rows.result_sizes.push_back(tensor.size(d));
    } else if (keepdim) {
      rows.result_sizes.push_back(1);
    }
  }
  for (const std::int64_t d : dims) {
    order.push_back(d);
    rows.length *= tensor.size(d);
  }
  rows.values = tensor.permute(order).contiguous().to(dtype);
  return rows;
}

Rows rows_of(const Call& call, DType dtype) {
  const Tensor& self = call.tensor("self");
  const bool keepdim = call.schema().find_arg("keepdim") && call.boolean("keepdim");
  Shape dims;
  if (call.schema().find_arg("dim"))
    dims = reduced_dims(call, "dim", self.dim());
  else
    for (std::int64_t d = 0; d < self.dim(); ++d) dims.push_back(d);
  return rows_of(self, dtype, dims, keepdim);
}

namespace {

const Tensor& self_of(const Call& call) { return call.tensor("self"); }

DType sum_dtype(const Call& call) {
  const DType natural = is_floating_point(self_of(call).dtype()) ? self_of(call).dtype() : DType::int64;
  return call.dtype("dtype", natural);
}

// fn(first, length) on every row, converted to `result`. fn may return any number.
template <typename Fn>
std::vector<Value> reduced(const Call& call, DType result, Fn fn) {
  return with_compute_type(result, [&](auto type) -> std::vector<Value> {
    using T = decltype(type);
    const Rows rows = rows_of(call, dtype_of<T>());
    const auto one = [&](const T* row, std::int64_t length) { return static_cast<T>(fn(row, length)); };
    return {reduce_rows<T, T>(rows, one).to(result)};
  });
}

template <typename T>
Accumulator<T> sum_of(const T* row, std::int64_t length) {
  Accumulator<T> sum = 0;
  for (std::int64_t i = 0; i < length; ++i) sum += static_cast<Accumulator<T>>(row[i]);
  return sum;
}

// The sum of squared differences from the mean; two passes, in double.
template <typename T>
double squared_deviations(const T* row, std::int64_t length, double mean) {
  double sum = 0;
  for (std::int64_t i = 0; i < length; ++i)
    sum += (static_cast<double>(row[i]) - mean) * (static_cast<double>(row[i]) - mean);
  return sum;
}

template <typename T>
double mean_of(const T* row, std::int64_t length) {
  return static_cast<double>(sum_of(row, length)) / static_cast<double>(length);
}

std::vector<Value> eval_sum(const Call& call) {
  return reduced(call, sum_dtype(call), [](const auto* row, std::int64_t length) { return sum_of(row, length); });
}

std::vector<Value> eval_prod(const Call& call) {
  return reduced(call, sum_dtype(call), [](const auto* row, std::int64_t length) {
    Accumulator<std::decay_t<decltype(*row)>> product = 1;
    for (std::int64_t i = 0; i < length; ++i) product *= static_cast<decltype(product)>(row[i]);
    return product;
  });
}

DType mean_dtype(const Call& call) {
  const DType dtype =
      call.schema().find_arg("dtype") ? call.dtype("dtype", self_of(call).dtype()) : self_of(call).dtype();
  if (!is_floating_point(dtype)) call.fail("a floating point tensor expected, found " + std::string(name(dtype)));
  return dtype;
}

std::vector<Value> eval_mean(const Call& call) {
  return reduced(call, mean_dtype(call), [](const auto* row, std::int64_t length) { return mean_of(row, length); });
}

// Variance divides by length - correction, which is 1 when it is not given.
double correction_of(const Call& call) {
  if (call.schema().find_arg("unbiased")) return call.boolean("unbiased") ? 1 : 0;
  return call.has("correction") ? call.number("correction") : 1;
}

template <typename T>
double variance_of(const T* row, std::int64_t length, double correction) {
  return squared_deviations(row, length, mean_of(row, length)) /
         std::max(0.0, static_cast<double>(length) - correction);
}

std::vector<Value> eval_var(const Call& call) {
  const double correction = correction_of(call);
  return reduced(call, mean_dtype(call),
                 [&](const auto* row, std::int64_t length) { return variance_of(row, length, correction); });
}

std::vector<Value> eval_std(const Call& call) {
  const double correction = correction_of(call);
  return reduced(call, mean_dtype(call),
                 [&](const auto* row, std::int64_t length) { return std::sqrt(variance_of(row, length, correction)); });
}

std::vector<Value> eval_var_mean(const Call& call) { return {eval_var(call).front(), eval_mean(call).front()}; }

std::vector<Value> eval_std_mean(const Call& call) { return {eval_std(call).front(), eval_mean(call).front()}; }

// (sum |x|^p)^(1/p); 2 is the usual, 0 counts what is not zero, +-inf take the extreme.
std::vector<Value> eval_norm(const Call& call) {
  const std::string_view argument = call.schema().find_arg("ord") ? "ord" : "p";
  const double p = call.has(argument) ? call.number(argument) : 2;
  return reduced(call, mean_dtype(call), [&](const auto* row, std::int64_t length) {
    double result = p < 0 && std::isinf(p) ? p * -1 : 0;
    for (std::int64_t i = 0; i < length; ++i) {
      const double x = std::abs(static_cast<double>(row[i]));
      if (std::isinf(p))
        result = x != x ? x : p > 0 ? std::max(result, x) : std::min(result, x);
      else if (p == 0)
        result += x != 0 ? 1 : 0;
      else
        result += p == 2 ? x * x : std::pow(x, p);
    }
    return std::isinf(p) || p == 0 ? result : p == 2 ? std::sqrt(result) : std::pow(result, 1 / p);
  });
}

std::vector<Value> eval_logsumexp(const Call& call) {
  return reduced(call, mean_dtype(call), [](const auto* row, std::int64_t length) {
    double largest = -std::numeric_limits<double>::infinity();
    for (std::int64_t i = 0; i < length; ++i) largest = std::max(largest, static_cast<double>(row[i]));
    if (std::isinf(largest)) return largest;
    double sum = 0;
    for (std::int64_t i = 0; i < length; ++i) sum += std::exp(static_cast<double>(row[i]) - largest);
    return largest + std::log(sum);
  });
}

// The position of the first extreme; a NaN beats everything.
template <typename T>
std::int64_t extreme_position(const T* row, std::int64_t length, bool largest) {
  std::int64_t best = 0;
  for (std::int64_t i = 1; i < length && row[best] == row[best]; ++i)
    if (row[i] != row[i] || (largest ? row[i] > row[best] : row[i] < row[best])) best = i;
  return best;
}

void refuse_empty(const Call& call, std::int64_t length) {
  if (length == 0) call.fail("an extreme of no values");
}

std::vector<Value> extreme(const Call& call, bool largest) {
  return reduced(call, self_of(call).dtype(), [&](const auto* row, std::int64_t length) {
    refuse_empty(call, length);
    return row[extreme_position(row, length, largest)];
  });
}
std::vector<Value> eval_amax(const Call& call) { return extreme(call, true); }
std::vector<Value> eval_amin(const Call& call) { return extreme(call, false); }

std::vector<Value> eval_aminmax(const Call& call) {
  return {extreme(call, false).front(), extreme(call, true).front()};
}

Value position(const Call& call, bool largest) {
  return with_compute_type(self_of(call).dtype(), [&](auto type) -> Value {
    using T = decltype(type);
    return reduce_rows<T, std::int64_t>(rows_of(call, dtype_of<T>()), [&](const T* row, std::int64_t length) {
      refuse_empty(call, length);
      return extreme_position(row, length, largest);
    });
  });
}
std::vector<Value> eval_argmax(const Call& call) { return {position(call, true)}; }
std::vector<Value> eval_argmin(const Call& call) { return {position(call, false)}; }
std::vector<Value> eval_max_dim(const Call& call) { return {extreme(call, true).front(), position(call, true)}; }
std::vector<Value> eval_min_dim(const Call& call) { return {extreme(call, false).front(), position(call, false)}; }

std::vector<Value> truth(const Call& call, bool all) {
  const DType result = self_of(call).dtype() == DType::uint8 ? DType::uint8 : DType::bool_;
  return {reduce_rows<bool, bool>(rows_of(call, DType::bool_), [&](const bool* row, std::int64_t length) {
            return all ? std::all_of(row, row + length, [](bool x) { return x; })
                       : std::any_of(row, row + length, [](bool x) { return x; });
          }).to(result)};
}
std::vector<Value> eval_any(const Call& call) { return truth(call, false); }
std::vector<Value> eval_all(const Call& call) { return truth(call, true); }

constexpr KernelRow kRows[] = {
    {"aten.sum.default", eval_sum},
    {"aten.sum.dim_IntList", eval_sum},
    {"aten.prod.default", eval_prod},
    {"aten.prod.dim_int", eval_prod},
    {"aten.mean.default", eval_mean},
    {"aten.mean.dim", eval_mean},
    {"aten.var.correction", eval_var},
    {"aten.var.dim", eval_var},
    {"aten.std.correction", eval_std},
    {"aten.std.dim", eval_std},
    {"aten.var_mean.correction", eval_var_mean},
    {"aten.var.default", eval_var},
    {"aten.std.default", eval_std},
    {"aten.var_mean.dim", eval_var_mean},
    {"aten.std_mean.dim", eval_std_mean},
    {"aten.std_mean.correction", eval_std_mean},
    {"aten.aminmax.default", eval_aminmax},
    {"aten.any.dims", eval_any},
    {"aten.all.dims", eval_all},
    {"aten.linalg_vector_norm.default", eval_norm},
    {"aten.norm.ScalarOpt_dim", eval_norm},
    {"aten.logsumexp.default", eval_logsumexp},
    {"aten.amax.default", eval_amax},
    {"aten.amin.default", eval_amin},
    {"aten.max.default", eval_amax},
    {"aten.min.default", eval_amin},
    {"aten.max.dim", eval_max_dim},
    {"aten.min.dim", eval_min_dim},
    {"aten.argmax.default", eval_argmax},
    {"aten.argmin.default", eval_argmin},
    {"aten.any.default", eval_any},
    {"aten.any.dim", eval_any},
    {"aten.all.default", eval_all},
    {"aten.all.dim", eval_all},
};

}  // namespace

KernelFamily reduction_kernels() { return kRows; }

}  // namespace qdq
