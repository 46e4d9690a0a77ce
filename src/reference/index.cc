#include "ops/index.h"

#include <algorithm>

#include "reference/eval.h"

namespace qdq {
namespace {

void copy_element(const Tensor& to, std::int64_t to_offset, const Tensor& from, std::int64_t from_offset) {
  const auto width = static_cast<std::int64_t>(element_size(to.dtype()));
  std::memcpy(to.raw_data() + to_offset * width, from.raw_data() + from_offset * width,
              static_cast<std::size_t>(width));
}

// An index as a position in a dimension of `size`; negative ones count from the end.
std::int64_t checked_index(const Call& call, std::int64_t index, std::int64_t size) {
  if (index < -size || index >= size)
    call.fail("index " + std::to_string(index) + " is out of range for a dimension of size " + std::to_string(size));
  return index < 0 ? index + size : index;
}

// The same for ops that do not count from the end.
std::int64_t checked_position(const Call& call, std::int64_t index, std::int64_t size) {
  if (index < 0) call.fail("index " + std::to_string(index) + " is negative");
  return checked_index(call, index, size);
}

std::vector<Value> eval_embedding(const Call& call) {
  const Tensor weight = call.tensor("weight").contiguous();
  const Tensor indices = contiguous_as<std::int64_t>(call.tensor("indices"));
  if (weight.dim() != 2) call.fail("the weight must have 2 dimensions");
  Shape sizes = indices.sizes();
  sizes.push_back(weight.size(1));
  const Tensor out = Tensor::empty(weight.dtype(), sizes);
  const std::size_t row = static_cast<std::size_t>(weight.size(1)) * element_size(weight.dtype());
  for (std::int64_t i = 0; i < indices.numel(); ++i) {
    const std::int64_t at = checked_position(call, indices.data<std::int64_t>()[i], weight.size(0));
    std::memcpy(out.raw_data() + static_cast<std::size_t>(i) * row,
                weight.raw_data() + static_cast<std::size_t>(at) * row, row);
  }
  return {out};
}

// Calls fn(result index, offset in self) for each element that `self[indices]` names.
template <typename Fn>
void for_each_indexed(const Call& call, const IndexPlan& plan, const Tensor& self, Fn fn) {
  const std::size_t index_rank = plan.index_sizes.size();
  for_each_index(plan.result_sizes, [&](const Shape& position) {
    const Shape at(position.begin() + static_cast<std::ptrdiff_t>(plan.result_dim),
                   position.begin() + static_cast<std::ptrdiff_t>(plan.result_dim + index_rank));
    std::int64_t offset = 0;
    std::size_t used = 0;   // indices taken
    std::size_t plain = 0;  // dimensions that keep their place
    for (std::int64_t d = 0; d < self.dim(); ++d) {
      std::int64_t i = 0;
      if (used < plan.dims.size() && plan.dims[used] == d) {
        const Tensor& index = plan.indices[used++];
        i = checked_index(call, index.data<std::int64_t>()[offset_of(index, at)], self.size(d));
      } else {
        i = position[plain < plan.result_dim ? plain : plain + index_rank];
        ++plain;
      }
      offset += i * self.strides()[static_cast<std::size_t>(d)];
    }
    fn(position, offset);
  });
}

std::vector<Value> eval_index(const Call& call) {
  const Tensor& self = call.tensor("self");
  const IndexPlan plan = plan_index(call);
  const Tensor out = Tensor::empty(self.dtype(), plan.result_sizes);
  for_each_indexed(call, plan, self, [&](const Shape& position, std::int64_t offset) {
    copy_element(out, offset_of(out, position), self, offset);
  });
  return {out};
}

std::vector<Value> eval_index_put(const Call& call) {
  const Tensor out = call.tensor("self").clone();
  const IndexPlan plan = plan_index(call);
  const Tensor values = expand(call, call.tensor("values").to(out.dtype()), plan.result_sizes);
  if (!call.boolean("accumulate")) {
    for_each_indexed(call, plan, out, [&](const Shape& position, std::int64_t offset) {
      copy_element(out, offset, values, offset_of(values, position));
    });
    return {out};
  }
  return with_compute_type(out.dtype(), [&](auto type) -> std::vector<Value> {
    using T = decltype(type);
    const Tensor sums = out.to(dtype_of<T>());
    const Tensor added = values.to(dtype_of<T>());
    for_each_indexed(call, plan, sums, [&](const Shape& position, std::int64_t offset) {
      sums.data<T>()[offset] += added.data<T>()[offset_of(added, position)];
    });
    return {sums.to(out.dtype())};
  });
}

std::vector<Value> eval_index_select(const Call& call) {
  const Tensor& self = call.tensor("self");
  const Tensor index = contiguous_as<std::int64_t>(call.tensor("index"));
  if (self.dim() == 0) return {self.clone()};
  const std::int64_t d = call.dim("dim", self.dim());
  Shape sizes = self.sizes();
  sizes[static_cast<std::size_t>(d)] = index.numel();
  const Tensor out = Tensor::empty(self.dtype(), sizes);
  for (std::int64_t i = 0; i < index.numel(); ++i) {
    const std::int64_t from = checked_position(call, index.data<std::int64_t>()[i], self.size(d));
    out.narrow(d, i, 1).copy_from(self.narrow(d, from, 1));
  }
  return {out};
}

// A tensor without dimensions as one of size 1, over the same elements.
Tensor at_least_1d(const Tensor& tensor) {
  return tensor.dim() == 0 ? tensor.as_strided({1}, {1}, tensor.storage_offset()) : tensor;
}

// An index must not be larger than `other` in any dimension but `except`.
void check_fits(const Call& call, const Tensor& index, const Tensor& other, const std::string& name,
                std::int64_t except) {
  if (index.dim() != other.dim()) call.fail("index and " + name + " must have equally many dimensions");
  for (std::int64_t d = 0; d < index.dim(); ++d)
    if (d != except && index.size(d) > other.size(d))
      call.fail("the index is larger than " + name + " in dimension " + std::to_string(d));
}

// Calls fn(index, position): `position` is the index with its entry in dimension `d` replaced by the index tensor's value.
// All tensors have a dimension.
template <typename Fn>
void for_each_along(const Call& call, const Tensor& index, const Tensor& target, Fn fn) {
  const std::int64_t d = call.dim("dim", target.dim());
  if (index.numel() == 0) return;
  check_fits(call, index, target, "self", d);
  const Tensor wide = index.to(DType::int64);
  for_each_index(index.sizes(), [&](const Shape& at) {
    Shape position = at;
    position[static_cast<std::size_t>(d)] =
        checked_position(call, wide.data<std::int64_t>()[offset_of(wide, at)], target.size(d));
    fn(at, position);
  });
}

std::vector<Value> eval_gather(const Call& call) {
  const Tensor self = at_least_1d(call.tensor("self"));
  const Tensor index = at_least_1d(call.tensor("index"));
  const Tensor out = Tensor::empty(self.dtype(), call.tensor("index").sizes());
  const Tensor to = at_least_1d(out);
  for_each_along(call, index, self, [&](const Shape& at, const Shape& position) {
    copy_element(to, offset_of(to, at), self, offset_of(self, position));
  });
  return {out};
}

std::vector<Value> eval_scatter(const Call& call) {
  const Tensor out = call.tensor("self").clone();
  const Tensor to = at_least_1d(out);
  const Tensor index = at_least_1d(call.tensor("index"));
  const bool from_tensor = call.schema().find_arg("src") != nullptr;
  const Tensor source = from_tensor ? at_least_1d(call.tensor("src"))
                                    : expand(call, operand(call, call.arg("value"), out.dtype()), index.sizes());
  if (source.dtype() != out.dtype()) call.fail("src must have self's dtype");
  if (index.numel() > 0) check_fits(call, index, source, "src", -1);
  for_each_along(call, index, to, [&](const Shape& at, const Shape& position) {
    copy_element(to, offset_of(to, position), source, offset_of(source, at));
  });
  return {out};
}

// Keeps what lies on one side of the diagonal of the last two dimensions; the rest becomes zero.
Tensor triangle(const Call& call, bool upper) {
  const Tensor& self = call.tensor("self");
  if (self.dim() < 2) call.fail("a tensor with at least 2 dimensions expected");
  const std::int64_t diagonal = call.integer("diagonal");
  const Tensor out = Tensor::empty(self.dtype(), self.sizes());
  for_each_index(self.sizes(), [&](const Shape& index) {
    const std::int64_t ahead = index[index.size() - 1] - index[index.size() - 2];
    if (upper ? ahead >= diagonal : ahead <= diagonal)
      copy_element(out, offset_of(out, index), self, offset_of(self, index));
  });
  return out;
}
std::vector<Value> eval_triu(const Call& call) { return {triangle(call, true)}; }
std::vector<Value> eval_tril(const Call& call) { return {triangle(call, false)}; }

// Diagonal `k` of `matrix`, `length` elements of it: above the main one for k > 0.
Tensor diagonal(const Tensor& matrix, std::int64_t k, std::int64_t length) {
  const std::int64_t first = k >= 0 ? k * matrix.strides()[1] : -k * matrix.strides()[0];
  return matrix.as_strided({length}, {matrix.strides()[0] + matrix.strides()[1]}, matrix.storage_offset() + first);
}

std::vector<Value> eval_diag(const Call& call) {
  const Tensor& self = call.tensor("self");
  const std::int64_t k = call.integer("diagonal");
  const Tensor out = Tensor::empty(self.dtype(), call.schema().infer(call).front().tensor()->sizes());
  if (self.numel() == 0 || out.numel() == 0) return {out};
  if (self.dim() == 1)
    diagonal(out, k, self.size(0)).copy_from(self);
  else
    out.copy_from(diagonal(self, k, out.size(0)));
  return {out};
}

constexpr KernelRow kRows[] = {
    {"aten.embedding.default", eval_embedding},
    {"aten.index.Tensor", eval_index},
    {"aten.index_put.default", eval_index_put},
    {"aten.index_put_.default", in_place<eval_index_put>},
    {"aten.index_select.default", eval_index_select},
    {"aten.gather.default", eval_gather},
    {"aten.scatter.src", eval_scatter},
    {"aten.scatter.value", eval_scatter},
    {"aten.scatter_.src", in_place<eval_scatter>},
    {"aten.scatter_.value", in_place<eval_scatter>},
    {"aten.diag.default", eval_diag},
    {"aten.triu.default", eval_triu},
    {"aten.tril.default", eval_tril},
};

}  // namespace

KernelFamily index_kernels() { return kRows; }

}  // namespace qdq
