#include <algorithm>

#include "ops/pieces.h"
#include "ops/shapes.h"
#include "reference/eval.h"

namespace qdq {
namespace {

std::vector<Value> eval_clone(const Call& call) { return {call.tensor("self").clone()}; }
std::vector<Value> eval_contiguous(const Call& call) { return {call.tensor("self").contiguous()}; }

// `to` returns its argument itself when nothing changes and no copy is asked for; _to_copy always copies.
std::vector<Value> eval_to(const Call& call) {
  const Tensor& self = call.tensor("self");
  const DType dtype =
      call.schema().find_arg("dtype") ? call.dtype("dtype", self.dtype()) : call.tensor("other").dtype();
  const bool copies = call.schema().find_arg("copy") && call.boolean("copy");
  return {dtype == self.dtype() && copies ? self.clone() : self.to(dtype)};
}
std::vector<Value> eval_to_copy(const Call& call) {
  const Tensor& self = call.tensor("self");
  const DType dtype = call.dtype("dtype", self.dtype());
  return {dtype == self.dtype() ? self.clone() : self.to(dtype)};
}

void refuse_training(const Call& call) {
  if (call.has("train") && call.boolean("train") && call.number("p") != 0)
    call.fail("dropout in training mode is random: export the model in evaluation mode");
}

std::vector<Value> eval_dropout(const Call& call) {
  refuse_training(call);
  return {call.tensor(call.schema().args[0].name)};  // torch returns the argument itself
}
std::vector<Value> eval_native_dropout(const Call& call) {
  refuse_training(call);
  const Tensor& input = call.tensor("input");
  return {input.clone(), Tensor::full(DType::bool_, input.sizes(), 1)};
}

std::vector<Value> eval_cat(const Call& call) {
  const std::vector<Value> inferred = call.schema().infer(call);
  const Tensor out = Tensor::empty(inferred.front().tensor()->dtype(), inferred.front().tensor()->sizes());
  const Pieces pieces = pieces_of(call);
  std::int64_t start = 0;
  for (const Tensor& tensor : pieces.tensors) {
    out.narrow(pieces.dim, start, tensor.size(pieces.dim)).copy_from(tensor);
    start += tensor.size(pieces.dim);
  }
  return {out};
}

std::vector<Value> eval_stack(const Call& call) {
  const std::vector<Tensor> tensors = call.tensors("tensors");
  const std::vector<Value> inferred = call.schema().infer(call);
  const Tensor out = Tensor::empty(inferred.front().tensor()->dtype(), inferred.front().tensor()->sizes());
  const std::int64_t d = call.dim("dim", out.dim());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    Shape sizes = tensors[i].sizes();
    sizes.insert(sizes.begin() + d, 1);
    out.narrow(d, static_cast<std::int64_t>(i), 1).copy_from(tensors[i].reshape(sizes));
  }
  return {out};
}

// A result gathered element by element: source(index) fills the input index.
template <typename Source>
Tensor gathered(const Tensor& input, const Shape& sizes, Source source) {
  const Tensor out = Tensor::empty(input.dtype(), sizes);
  const auto width = element_size(input.dtype());
  Shape from(input.sizes().size(), 0);
  for_each_index(sizes, [&](const Shape& index) {
    source(index, from);
    std::memcpy(out.raw_data() + static_cast<std::size_t>(offset_of(out, index)) * width,
                input.raw_data() + static_cast<std::size_t>(offset_of(input, from)) * width, width);
  });
  return out;
}

std::vector<Value> eval_repeat(const Call& call) {
  const Tensor& self = call.tensor("self");
  const Shape sizes = call.schema().infer(call).front().tensor()->sizes();
  const std::size_t added = sizes.size() - self.sizes().size();
  return {gathered(self, sizes, [&](const Shape& index, Shape& from) {
    for (std::size_t d = 0; d < from.size(); ++d) from[d] = index[d + added] % self.sizes()[d];
  })};
}

std::vector<Value> eval_repeat_interleave(const Call& call) {
  const std::int64_t repeats = call.integer("repeats");
  const bool flat = !call.has("dim");
  const Tensor self = flat ? call.tensor("self").reshape({-1}) : call.tensor("self");
  const auto d = flat ? 0 : static_cast<std::size_t>(call.dim("dim", self.dim()));
  return {gathered(self, call.schema().infer(call).front().tensor()->sizes(), [&](const Shape& index, Shape& from) {
    if (from.empty()) return;
    from = index;
    from[d] = index[d] / repeats;
  })};
}

// Elements move `shift` places along a dimension and come in again at its start; without dims the flat tensor is rolled.
std::vector<Value> eval_roll(const Call& call) {
  const Tensor& self = call.tensor("self");
  const Shape shifts = call.ints("shifts");
  Shape dims = call.ints("dims");
  const bool flat = dims.empty();
  const Tensor source = flat ? self.reshape({-1}) : self;
  if (flat) dims = {0};
  if (dims.size() != shifts.size()) call.fail("as many shifts as dims expected");
  const Tensor rolled = gathered(source, source.sizes(), [&](const Shape& index, Shape& from) {
    from = index;
    for (std::size_t i = 0; i < dims.size(); ++i) {
      const auto d = static_cast<std::size_t>(dims[i] < 0 ? dims[i] + source.dim() : dims[i]);
      const std::int64_t size = source.sizes().at(d);
      from[d] = ((from[d] - shifts[i]) % size + size) % size;
    }
  });
  return {rolled.reshape(self.sizes())};
}

std::vector<Value> eval_flip(const Call& call) {
  const Tensor& self = call.tensor("self");
  Shape dims = call.ints("dims").empty() ? Shape() : reduced_dims(call, "dims", self.dim());
  return {gathered(self, self.sizes(), [&](const Shape& index, Shape& from) {
    from = index;
    for (const std::int64_t d : dims)
      from[static_cast<std::size_t>(d)] = self.size(d) - 1 - from[static_cast<std::size_t>(d)];
  })};
}

std::vector<Value> eval_copy(const Call& call) {
  const Tensor& self = call.tensor("self");
  const Tensor out = Tensor::empty(self.dtype(), self.sizes());
  out.copy_from(expand(call, call.tensor("src"), self.sizes()));
  return {out};
}

std::vector<Value> eval_fill(const Call& call) {
  const Tensor& self = call.tensor("self");
  return {expand(call, operand(call, call.arg("value"), self.dtype()), self.sizes())};
}
std::vector<Value> eval_fill_copy(const Call& call) { return {eval_fill(call).front().tensor()->clone()}; }
std::vector<Value> eval_zero(const Call& call) {
  return {Tensor::empty(call.tensor("self").dtype(), call.tensor("self").sizes())};
}

// A copy of self in which the part that slice or select would give holds src.
Tensor scattered(const Call& call, std::string_view view_target) {
  const Tensor out = call.tensor("self").clone();
  const OpSchema& view = *find_schema(view_target);
  std::vector<Value> args = {out};
  for (std::size_t i = 1; i < view.args.size(); ++i) args.push_back(call.arg(view.args[i].name));
  const Value part = view.infer(Call(call.node(), view, std::move(args))).front();
  part.tensor()->copy_from(expand(call, call.tensor("src"), part.tensor()->sizes()));
  return out;
}
std::vector<Value> eval_slice_scatter(const Call& call) { return {scattered(call, "aten.slice.Tensor")}; }
std::vector<Value> eval_select_scatter(const Call& call) { return {scattered(call, "aten.select.int")}; }

// Each tensor runs along its own dimension of the grid; "xy" swaps the first two.
std::vector<Value> eval_meshgrid(const Call& call) {
  const std::vector<Tensor> tensors = call.tensors("tensors");
  const bool swaps = call.schema().find_arg("indexing") && call.string("indexing") == "xy" && tensors.size() > 1;
  const std::vector<Value> inferred = call.schema().infer(call);
  Value::List list;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const Shape& sizes = (*inferred.front().list())[i].tensor()->sizes();
    Shape own(sizes.size(), 1);
    own[swaps && i < 2 ? 1 - i : i] = tensors[i].numel();
    list.emplace_back(expand(call, tensors[i].reshape(own), sizes));
  }
  return {Value(std::move(list))};
}

std::vector<Value> eval_assert_metadata(const Call& call) {
  const Tensor& tensor = call.tensor("a");
  if (call.has("dtype") && call.dtype("dtype", tensor.dtype()) != tensor.dtype())
    call.fail("the program expects dtype " + std::string(name(call.dtype("dtype", tensor.dtype()))) + " here, found " +
              std::string(name(tensor.dtype())));
  if (call.has("size") && call.ints("size") != tensor.sizes())
    call.fail("the program expects sizes " + to_string(call.ints("size")) + " here, found " +
              to_string(tensor.sizes()));
  return {};
}

constexpr KernelRow kRows[] = {
    {"aten.clone.default", eval_clone},
    {"aten.contiguous.default", eval_contiguous},
    {"aten.lift_fresh_copy.default", eval_clone},
    {"aten.to.dtype", eval_to},
    {"aten.to.dtype_layout", eval_to},
    {"aten.to.device", eval_to},
    {"aten.to.other", eval_to},
    {"aten._to_copy.default", eval_to_copy},
    {"aten.type_as.default", eval_to},
    {"aten.dropout.default", eval_dropout},
    {"aten.dropout_.default", eval_dropout},
    {"aten.feature_dropout.default", eval_dropout},
    {"aten.native_dropout.default", eval_native_dropout},
    {"aten.cat.default", eval_cat},
    {"aten.stack.default", eval_stack},
    {"aten.hstack.default", eval_cat},
    {"aten.vstack.default", eval_cat},
    {"aten.dstack.default", eval_cat},
    {"aten.repeat.default", eval_repeat},
    {"aten.tile.default", eval_repeat},
    {"aten.repeat_interleave.self_int", eval_repeat_interleave},
    {"aten.roll.default", eval_roll},
    {"aten.flip.default", eval_flip},
    {"aten.copy.default", eval_copy},
    {"aten.copy_.default", in_place<eval_copy>},
    {"aten.fill.Scalar", eval_fill_copy},
    {"aten.fill.Tensor", eval_fill_copy},
    {"aten.fill_.Tensor", in_place<eval_fill>},
    {"aten.fill_.Scalar", in_place<eval_fill>},
    {"aten.zero_.default", in_place<eval_zero>},
    {"aten.slice_scatter.default", eval_slice_scatter},
    {"aten.select_scatter.default", eval_select_scatter},
    {"aten.meshgrid.default", eval_meshgrid},
    {"aten.meshgrid.indexing", eval_meshgrid},
    {"aten._assert_tensor_metadata.default", eval_assert_metadata},
};

}  // namespace

KernelFamily copy_kernels() { return kRows; }

}  // namespace qdq
