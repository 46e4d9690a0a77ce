// Ops whose results share the storage of their first argument. Their infer functions make the view itself, of real and
// of meta tensors, so they are also how these ops run.
#include <algorithm>
#include <limits>
#include <numeric>

#include "ops/family.h"
#include "ops/promotion.h"
#include "ops/shapes.h"

namespace qdq {
namespace {

constexpr OpTraits kView{.is_view = true, .shares_qparams = true};

std::size_t at(std::int64_t d) { return static_cast<std::size_t>(d); }

Tensor view_as_sizes(const Call& call, const Tensor& self, const Shape& wanted) {
  const Shape sizes = complete_sizes(call, wanted, self.numel());
  const auto strides = view_strides(self.sizes(), self.strides(), sizes);
  if (!strides)
    call.fail("sizes " + to_string(self.sizes()) + " with strides " + to_string(self.strides()) +
              " cannot be viewed as " + to_string(sizes) + " without a copy");
  return self.as_strided(sizes, *strides, self.storage_offset());
}

// A view when the memory order allows it, else a copy.
Tensor reshape_to(const Call& call, const Tensor& self, const Shape& wanted) {
  const Shape sizes = complete_sizes(call, wanted, self.numel());
  if (const auto strides = view_strides(self.sizes(), self.strides(), sizes))
    return self.as_strided(sizes, *strides, self.storage_offset());
  return self.is_meta() ? Tensor::meta(self.dtype(), sizes) : self.clone().reshape(sizes);
}

std::vector<Value> infer_view(const Call& call) {
  return {view_as_sizes(call, call.tensor("self"), call.ints("size"))};
}
std::vector<Value> infer_view_as(const Call& call) {
  return {view_as_sizes(call, call.tensor("self"), call.tensor("other").sizes())};
}
std::vector<Value> infer_reshape(const Call& call) {
  return {reshape_to(call, call.tensor("self"), call.ints("shape"))};
}

std::vector<Value> infer_flatten(const Call& call) {
  const Tensor& self = call.tensor("self");
  if (self.dim() == 0) return {reshape_to(call, self, {1})};
  const std::int64_t first = call.dim("start_dim", self.dim());
  const std::int64_t last = call.dim("end_dim", self.dim());
  if (first > last) call.fail("start_dim comes after end_dim");
  Shape sizes(self.sizes().begin(), self.sizes().begin() + first);
  sizes.push_back(numel(std::span(self.sizes()).subspan(at(first), at(last - first + 1))));
  sizes.insert(sizes.end(), self.sizes().begin() + last + 1, self.sizes().end());
  return {reshape_to(call, self, sizes)};
}

std::vector<Value> infer_unflatten(const Call& call) {
  const Tensor& self = call.tensor("self");
  const std::int64_t d = call.dim("dim", self.dim());
  const Shape parts = complete_sizes(call, call.ints("sizes"), self.size(d));
  Shape sizes = self.sizes();
  sizes.erase(sizes.begin() + d);
  sizes.insert(sizes.begin() + d, parts.begin(), parts.end());
  return {view_as_sizes(call, self, sizes)};
}

// The same bytes read as another dtype of the same width.
std::vector<Value> infer_view_dtype(const Call& call) {
  const Tensor& self = call.tensor("self");
  const DType dtype = call.dtype("dtype", self.dtype());
  if (element_size(dtype) != element_size(self.dtype()))
    call.fail("a view as a dtype of another width is not supported");
  if (self.is_meta()) return {Tensor::meta(dtype, self.sizes(), self.strides())};
  return {Tensor(self.storage(), dtype, self.sizes(), self.strides(), self.storage_offset())};
}

std::vector<Value> infer_unsqueeze(const Call& call) {
  const Tensor& self = call.tensor("self");
  const std::int64_t d = call.dim("dim", self.dim() + 1);
  Shape sizes = self.sizes();
  Shape strides = self.strides();
  strides.insert(strides.begin() + d, d < self.dim() ? sizes[at(d)] * strides[at(d)] : 1);
  sizes.insert(sizes.begin() + d, 1);
  return {self.as_strided(std::move(sizes), std::move(strides), self.storage_offset())};
}

// Drops the dimensions of size 1 among those named; all without a "dim" argument.
std::vector<Value> infer_squeeze(const Call& call) {
  const Tensor& self = call.tensor("self");
  const bool all = call.schema().find_arg("dim") == nullptr;
  const Shape named = all || call.ints("dim").empty() ? Shape() : reduced_dims(call, "dim", self.dim());
  Shape sizes;
  Shape strides;
  for (std::int64_t d = 0; d < self.dim(); ++d) {
    const bool asked = all || std::find(named.begin(), named.end(), d) != named.end();
    if (asked && self.size(d) == 1) continue;
    sizes.push_back(self.sizes()[at(d)]);
    strides.push_back(self.strides()[at(d)]);
  }
  return {self.as_strided(std::move(sizes), std::move(strides), self.storage_offset())};
}

// -1 keeps the size of an existing dimension.
std::vector<Value> infer_expand(const Call& call) {
  const Tensor& self = call.tensor("self");
  Shape sizes = call.schema().find_arg("other") ? call.tensor("other").sizes() : call.ints("size");
  for (std::size_t i = 0; i < sizes.size() && i < self.sizes().size(); ++i) {
    std::int64_t& size = sizes[sizes.size() - 1 - i];
    if (size == -1) size = self.sizes()[self.sizes().size() - 1 - i];
  }
  return {expand(call, self, sizes)};
}

Tensor swap(const Tensor& self, std::int64_t a, std::int64_t b) {
  Shape order(self.sizes().size());
  std::iota(order.begin(), order.end(), 0);
  if (!order.empty()) std::swap(order[at(a)], order[at(b)]);
  return self.permute(order);
}

std::vector<Value> infer_transpose(const Call& call) {  // transpose(dim0, dim1), swapaxes(axis0, axis1)
  const Tensor& self = call.tensor("self");
  return {
      swap(self, call.dim(call.schema().args[1].name, self.dim()), call.dim(call.schema().args[2].name, self.dim()))};
}

std::vector<Value> infer_t(const Call& call) {
  const Tensor& self = call.tensor("self");
  if (self.dim() > 2) call.fail("t() of a tensor with more than 2 dimensions");
  return {self.dim() == 2 ? swap(self, 0, 1) : self};
}

std::vector<Value> infer_mT(const Call& call) {
  const Tensor& self = call.tensor("self");
  if (self.dim() < 2) call.fail("mT of a tensor with fewer than 2 dimensions");
  return {swap(self, self.dim() - 2, self.dim() - 1)};
}

std::vector<Value> infer_numpy_T(const Call& call) {
  const Tensor& self = call.tensor("self");
  Shape order(self.sizes().size());
  std::iota(order.rbegin(), order.rend(), 0);
  return {self.permute(order)};
}

std::vector<Value> infer_permute(const Call& call) {
  const Shape dims = call.ints("dims");
  return {call.tensor("self").permute(dims)};
}

std::vector<Value> infer_movedim(const Call& call) {
  const Tensor& self = call.tensor("self");
  const auto normalized = [&](std::string_view name) {
    Shape dims = call.ints(name);
    for (std::int64_t& d : dims) {
      if (d < -self.dim() || d >= self.dim()) call.fail("dimension " + std::to_string(d) + " out of range");
      if (d < 0) d += self.dim();
    }
    return dims;
  };
  const Shape source = normalized("source");
  const Shape destination = normalized("destination");
  if (source.size() != destination.size()) call.fail("as many sources as destinations expected");
  Shape order(self.sizes().size(), -1);
  for (std::size_t i = 0; i < source.size(); ++i) order[at(destination[i])] = source[i];
  std::int64_t next = 0;
  for (std::int64_t& d : order) {
    while (std::find(source.begin(), source.end(), next) != source.end()) ++next;
    if (d == -1) d = next++;
  }
  return {self.permute(order)};
}

std::vector<Value> infer_slice(const Call& call) {
  const Tensor& self = call.tensor("self");
  if (self.dim() == 0) call.fail("slice of a 0-dim tensor");
  const std::int64_t d = call.dim("dim", self.dim());
  const std::int64_t size = self.size(d);
  const std::int64_t step = call.integer("step");
  if (step < 1) call.fail("step must be positive");
  const auto bound = [&](std::string_view name, std::int64_t otherwise) {
    const std::int64_t value = call.has(name) ? call.integer(name) : otherwise;
    return std::clamp<std::int64_t>(value < 0 ? value + size : value, 0, size);
  };
  const std::int64_t start = bound("start", 0);
  const std::int64_t end = std::max(start, bound("end", std::numeric_limits<std::int64_t>::max()));
  Shape sizes = self.sizes();
  Shape strides = self.strides();
  const std::int64_t offset = self.storage_offset() + start * strides[at(d)];
  sizes[at(d)] = (end - start + step - 1) / step;
  strides[at(d)] *= step;
  return {self.as_strided(std::move(sizes), std::move(strides), offset)};
}

std::vector<Value> infer_select(const Call& call) {
  const Tensor& self = call.tensor("self");
  if (self.dim() == 0) call.fail("select of a 0-dim tensor");
  const std::int64_t d = call.dim("dim", self.dim());
  const std::int64_t index = call.integer("index");
  if (index < -self.size(d) || index >= self.size(d))
    call.fail("index " + std::to_string(index) + " of a dimension of size " + std::to_string(self.size(d)));
  Shape sizes = self.sizes();
  Shape strides = self.strides();
  const std::int64_t offset = self.storage_offset() + (index < 0 ? index + self.size(d) : index) * strides[at(d)];
  sizes.erase(sizes.begin() + d);
  strides.erase(strides.begin() + d);
  return {self.as_strided(std::move(sizes), std::move(strides), offset)};
}

std::vector<Value> infer_narrow(const Call& call) {
  const Tensor& self = call.tensor("self");
  const std::int64_t d = call.dim("dim", self.dim());
  const std::int64_t start = call.integer("start");
  return {self.narrow(d, start < 0 ? start + self.size(d) : start, call.integer("length"))};
}

Value pieces(const Tensor& self, std::int64_t d, std::span<const std::int64_t> lengths) {
  Value::List list;
  std::int64_t start = 0;
  for (const std::int64_t length : lengths) {
    list.emplace_back(self.narrow(d, start, length));
    start += length;
  }
  return list;
}

// Pieces of `length`, the last one shorter if need be.
Value equal_pieces(const Call& call, const Tensor& self, std::int64_t d, std::int64_t length) {
  if (length < 0 || (length == 0 && self.size(d) > 0)) call.fail("the split size must be positive");
  Shape lengths;
  for (std::int64_t start = 0; start < self.size(d); start += length)
    lengths.push_back(std::min(length, self.size(d) - start));
  if (lengths.empty()) lengths.push_back(0);
  return pieces(self, d, lengths);
}

std::vector<Value> infer_split(const Call& call) {
  const Tensor& self = call.tensor("self");
  return {equal_pieces(call, self, call.dim("dim", self.dim()), call.integer("split_size"))};
}

std::vector<Value> infer_chunk(const Call& call) {
  const Tensor& self = call.tensor("self");
  const std::int64_t d = call.dim("dim", self.dim());
  const std::int64_t chunks = call.integer("chunks");
  if (chunks < 1) call.fail("the number of chunks must be positive");
  if (self.size(d) == 0) return {pieces(self, d, Shape(at(chunks), 0))};
  return {equal_pieces(call, self, d, (self.size(d) + chunks - 1) / chunks)};
}

std::vector<Value> infer_split_with_sizes(const Call& call) {
  const Tensor& self = call.tensor("self");
  const std::int64_t d = call.dim("dim", self.dim());
  const Shape lengths = call.ints(call.schema().args[1].name);
  if (std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0}) != self.size(d))
    call.fail("split sizes " + to_string(lengths) + " do not add up to " + std::to_string(self.size(d)));
  return {pieces(self, d, lengths)};
}

std::vector<Value> infer_unbind(const Call& call) {
  const Tensor& self = call.tensor("self");
  if (self.dim() == 0) call.fail("unbind of a 0-dim tensor");
  const std::int64_t d = call.dim("dim", self.dim());
  Shape sizes = self.sizes();
  Shape strides = self.strides();
  const std::int64_t step = strides[at(d)];
  sizes.erase(sizes.begin() + d);
  strides.erase(strides.begin() + d);
  Value::List list;
  for (std::int64_t i = 0; i < self.size(d); ++i)
    list.emplace_back(self.as_strided(sizes, strides, self.storage_offset() + i * step));
  return {Value(std::move(list))};
}

std::vector<Value> infer_as_strided(const Call& call) {
  const Tensor& self = call.tensor("self");
  const std::int64_t offset = call.has("storage_offset") ? call.integer("storage_offset") : self.storage_offset();
  return {self.as_strided(call.ints("size"), call.ints("stride"), offset)};
}

std::vector<Value> infer_unfold(const Call& call) {
  const Tensor& self = call.tensor("self");
  const std::int64_t d = call.dim("dimension", self.dim());
  const std::int64_t size = call.integer("size");
  const std::int64_t step = call.integer("step");
  if (self.dim() == 0 || size < 0 || size > self.size(d) || step < 1) call.fail("no window of that size fits");
  Shape sizes = self.sizes();
  Shape strides = self.strides();
  sizes.push_back(size);
  strides.push_back(strides[at(d)]);
  sizes[at(d)] = (sizes[at(d)] - size) / step + 1;
  strides[at(d)] *= step;
  return {self.as_strided(std::move(sizes), std::move(strides), self.storage_offset())};
}

std::vector<Value> infer_diagonal(const Call& call) {
  const Tensor& self = call.tensor("self");
  const std::int64_t rows = call.dim("dim1", self.dim());
  const std::int64_t columns = call.dim("dim2", self.dim());
  if (self.dim() < 2 || rows == columns) call.fail("a diagonal needs two different dimensions");
  const std::int64_t shift = call.integer("offset");
  const std::int64_t length = shift >= 0 ? std::min(self.size(rows), self.size(columns) - shift)
                                         : std::min(self.size(rows) + shift, self.size(columns));
  const Shape& steps = self.strides();
  const std::int64_t start = length <= 0 ? 0 : shift >= 0 ? shift * steps[at(columns)] : -shift * steps[at(rows)];
  Shape sizes;
  Shape strides;
  for (std::int64_t d = 0; d < self.dim(); ++d)
    if (d != rows && d != columns) {
      sizes.push_back(self.size(d));
      strides.push_back(steps[at(d)]);
    }
  sizes.push_back(std::max<std::int64_t>(length, 0));
  strides.push_back(steps[at(rows)] + steps[at(columns)]);
  return {self.as_strided(std::move(sizes), std::move(strides), self.storage_offset() + start)};
}

std::vector<Value> infer_alias(const Call& call) { return {call.tensor("self")}; }

// transpose_ and its like change the sizes of the tensor that they are given, and torch reads that tensor with its new
// sizes from there on. Here the old value keeps its sizes, so nothing may read it later, nor the op in place that
// returned it.
template <std::vector<Value> (*infer)(const Call&)>
std::vector<Value> infer_in_place(const Call& call) {
  std::vector<const Node*> names;
  for (const Node* changed = call.node().input(0); changed;) {
    names.push_back(changed);
    const OpSchema* schema = changed->kind() == NodeKind::call_function ? find_schema(changed->target()) : nullptr;
    const bool returns_argument = schema && !schema->args.empty() && schema->args[0].is_written;
    changed = returns_argument ? changed->input(0) : nullptr;
  }
  bool later = false;
  for (const Node& node : call.node().graph().nodes()) {
    if (later)
      for (const Node* input : node.inputs())
        if (std::find(names.begin(), names.end(), input) != names.end())
          call.fail("'" + node.name() + "' reads '" + input->name() + "' after its sizes were changed in place");
    later = later || &node == &call.node();
  }
  return infer(call);
}

constexpr OpRow kRows[] = {
    {"aten::view(Tensor(a) self, SymInt[] size) -> Tensor(a)", infer_view, kView},
    {"aten::_unsafe_view(Tensor self, SymInt[] size) -> Tensor", infer_view, kView},
    {"aten::view.dtype(Tensor(a) self, ScalarType dtype) -> Tensor(a)", infer_view_dtype, {.is_view = true}},
    {"aten::view_as(Tensor(a) self, Tensor other) -> Tensor(a)", infer_view_as, kView},
    {"aten::reshape(Tensor(a) self, SymInt[] shape) -> Tensor(a)", infer_reshape, kView},
    {"aten::flatten.using_ints(Tensor(a) self, int start_dim=0, int end_dim=-1) -> Tensor(a)", infer_flatten, kView},
    {"aten::unflatten.int(Tensor(a) self, int dim, SymInt[] sizes) -> Tensor(a)", infer_unflatten, kView},
    {"aten::unsqueeze(Tensor(a) self, int dim) -> Tensor(a)", infer_unsqueeze, kView},
    {"aten::squeeze(Tensor(a) self) -> Tensor(a)", infer_squeeze, kView},
    {"aten::squeeze.dim(Tensor(a) self, int dim) -> Tensor(a)", infer_squeeze, kView},
    {"aten::squeeze.dims(Tensor(a) self, int[] dim) -> Tensor(a)", infer_squeeze, kView},
    {"aten::expand(Tensor(a) self, SymInt[] size, *, bool implicit=False) -> Tensor(a)", infer_expand, kView},
    {"aten::expand_as(Tensor(a) self, Tensor other) -> Tensor(a)", infer_expand, kView},
    {"aten::broadcast_to(Tensor(a) self, SymInt[] size) -> Tensor(a)", infer_expand, kView},
    {"aten::transpose.int(Tensor(a) self, int dim0, int dim1) -> Tensor(a)", infer_transpose, kView},
    {"aten::swapaxes(Tensor(a) self, int axis0, int axis1) -> Tensor(a)", infer_transpose, kView},
    {"aten::permute(Tensor(a) self, int[] dims) -> Tensor(a)", infer_permute, kView},
    {"aten::t(Tensor(a) self) -> Tensor(a)", infer_t, kView},
    {"aten::mT(Tensor(a) self) -> Tensor(a)", infer_mT, kView},
    {"aten::numpy_T(Tensor(a) self) -> Tensor(a)", infer_numpy_T, kView},
    {"aten::movedim.int(Tensor(a) self, int source, int destination) -> Tensor(a)", infer_movedim, kView},
    {"aten::movedim.intlist(Tensor(a) self, int[] source, int[] destination) -> Tensor(a)", infer_movedim, kView},
    {"aten::slice.Tensor(Tensor(a) self, int dim=0, SymInt? start=None, SymInt? end=None, SymInt step=1) "
     "-> Tensor(a)",
     infer_slice, kView},
    {"aten::select.int(Tensor(a) self, int dim, SymInt index) -> Tensor(a)", infer_select, kView},
    {"aten::narrow(Tensor(a) self, int dim, SymInt start, SymInt length) -> Tensor(a)", infer_narrow, kView},
    {"aten::split.Tensor(Tensor(a) self, SymInt split_size, int dim=0) -> Tensor(a)[]", infer_split, kView},
    {"aten::split.sizes(Tensor(a) self, SymInt[] split_size, int dim=0) -> Tensor(a)[]", infer_split_with_sizes, kView},
    {"aten::split_with_sizes(Tensor(a) self, SymInt[] split_sizes, int dim=0) -> Tensor(a)[]", infer_split_with_sizes,
     kView},
    {"aten::chunk(Tensor(a) self, int chunks, int dim=0) -> Tensor(a)[]", infer_chunk, kView},
    {"aten::unbind.int(Tensor(a) self, int dim=0) -> Tensor(a)[]", infer_unbind, kView},
    {"aten::as_strided(Tensor(a) self, SymInt[] size, SymInt[] stride, SymInt? storage_offset=None) -> "
     "Tensor(a)",
     infer_as_strided, kView},
    {"aten::unfold(Tensor(a) self, int dimension, int size, int step) -> Tensor(a)", infer_unfold, kView},
    {"aten::diagonal(Tensor(a) self, int offset=0, int dim1=0, int dim2=1) -> Tensor(a)", infer_diagonal, kView},
    {"aten::alias(Tensor(a) self) -> Tensor(a)", infer_alias, kView},
    {"aten::detach(Tensor(a) self) -> Tensor(a)", infer_alias, kView},
    {"aten::lift_fresh(Tensor(a) self) -> Tensor(a)", infer_alias, kView},
    {"aten::transpose_(Tensor(a!) self, int dim0, int dim1) -> Tensor(a!)", infer_in_place<infer_transpose>, kView},
    {"aten::unsqueeze_(Tensor(a!) self, int dim) -> Tensor(a!)", infer_in_place<infer_unsqueeze>, kView},
    {"aten::squeeze_(Tensor(a!) self) -> Tensor(a!)", infer_in_place<infer_squeeze>, kView},
    {"aten::squeeze_.dim(Tensor(a!) self, int dim) -> Tensor(a!)", infer_in_place<infer_squeeze>, kView},
    {"aten::t_(Tensor(a!) self) -> Tensor(a!)", infer_in_place<infer_t>, kView},
    {"aten::detach_(Tensor(a!) self) -> Tensor(a!)", infer_alias, kView},
};

}  // namespace

OpFamily view_ops() { return kRows; }

}  // namespace qdq
