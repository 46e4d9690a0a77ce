#include <cmath>

#include "ops/family.h"
#include "ops/shapes.h"

namespace qdq {
namespace {

constexpr OpTraits kRandom{.is_random = true};

// The dtype that a Python number gives: bool, int64 or the default float32.
DType dtype_of_number(const Value& value) {
  if (std::holds_alternative<bool>(value.v)) return DType::bool_;
  return std::holds_alternative<std::int64_t>(value.v) ? DType::int64 : DType::float32;
}

std::vector<Value> infer_filled(const Call& call) {
  DType natural = DType::float32;
  if (call.schema().find_arg("fill_value")) natural = dtype_of_number(call.arg("fill_value"));
  return {meta_value(call.dtype("dtype", natural), call.ints("size"))};
}

std::vector<Value> infer_like(const Call& call) {
  const Tensor& self = call.tensor("self");
  return {meta_value(call.dtype("dtype", self.dtype()), self.sizes())};
}

std::vector<Value> infer_new(const Call& call) {
  return {meta_value(call.dtype("dtype", call.tensor("self").dtype()), call.ints("size"))};
}

std::vector<Value> infer_scalar_tensor(const Call& call) {
  return {meta_value(call.dtype("dtype", DType::float32), {})};
}

// ceil((end - start) / step) numbers; int64 unless one of the three is a float.
std::vector<Value> infer_arange(const Call& call) {
  const auto number_of = [&](std::string_view name, double otherwise) {
    return call.schema().find_arg(name) ? call.number(name) : otherwise;
  };
  const double start = number_of("start", 0);
  const double step = number_of("step", 1);
  const double count = std::ceil((call.number("end") - start) / step);
  if (!(count >= 0) || count > 9e15) call.fail("start, end and step describe no range");
  DType natural = DType::int64;
  for (const char* name : {"start", "end", "step"})
    if (call.schema().find_arg(name) && std::holds_alternative<double>(call.arg(name).v)) natural = DType::float32;
  return {meta_value(call.dtype("dtype", natural), {static_cast<std::int64_t>(count)})};
}

std::vector<Value> infer_linspace(const Call& call) {
  return {meta_value(call.dtype("dtype", DType::float32), {call.integer("steps")})};
}

std::vector<Value> infer_eye(const Call& call) {
  const std::int64_t n = call.integer("n");
  return {meta_value(call.dtype("dtype", DType::float32), {n, n})};
}

std::vector<Value> infer_randperm(const Call& call) {
  return {meta_value(call.dtype("dtype", DType::int64), {call.integer("n")})};
}

constexpr OpRow kRows[] = {
    {"aten::zeros(SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, "
     "bool? pin_memory=None) -> Tensor",
     infer_filled},
    {"aten::ones(SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool?"
     " pin_memory=None) -> Tensor",
     infer_filled},
    {"aten::full(SymInt[] size, Scalar fill_value, *, ScalarType? dtype=None, Layout? layout=None, Device?"
     " device=None, bool? pin_memory=None) -> Tensor",
     infer_filled},
    {"aten::empty.memory_format(SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? "
     "device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor",
     infer_filled},
    {"aten::zeros_like(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, "
     "bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor",
     infer_like},
    {"aten::ones_like(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, "
     "bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor",
     infer_like},
    {"aten::full_like(Tensor self, Scalar fill_value, *, ScalarType? dtype=None, Layout? layout=None, "
     "Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor",
     infer_like},
    {"aten::empty_like(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, "
     "bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor",
     infer_like},
    {"aten::new_zeros(Tensor self, SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? "
     "device=None, bool? pin_memory=None) -> Tensor",
     infer_new},
    {"aten::new_ones(Tensor self, SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? "
     "device=None, bool? pin_memory=None) -> Tensor",
     infer_new},
    {"aten::new_full(Tensor self, SymInt[] size, Scalar fill_value, *, ScalarType? dtype=None, Layout? "
     "layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
     infer_new},
    {"aten::new_empty(Tensor self, SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? "
     "device=None, bool? pin_memory=None) -> Tensor",
     infer_new},
    {"aten::scalar_tensor(Scalar s, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, "
     "bool? pin_memory=None) -> Tensor",
     infer_scalar_tensor},
    {"aten::arange(Scalar end, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? "
     "pin_memory=None) -> Tensor",
     infer_arange},
    {"aten::arange.start(Scalar start, Scalar end, *, ScalarType? dtype=None, Layout? layout=None, Device?"
     " device=None, bool? pin_memory=None) -> Tensor",
     infer_arange},
    {"aten::arange.start_step(Scalar start, Scalar end, Scalar step=1, *, ScalarType? dtype=None, Layout? "
     "layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
     infer_arange},
    {"aten::linspace(Scalar start, Scalar end, int steps, *, ScalarType? dtype=None, Layout? layout=None, "
     "Device? device=None, bool? pin_memory=None) -> Tensor",
     infer_linspace},
    {"aten::eye(SymInt n, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? "
     "pin_memory=None) -> Tensor",
     infer_eye},
    {"aten::rand(SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool?"
     " pin_memory=None) -> Tensor",
     infer_filled, kRandom},
    {"aten::randn(SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, "
     "bool? pin_memory=None) -> Tensor",
     infer_filled, kRandom},
    {"aten::rand_like(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, "
     "bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor",
     infer_like, kRandom},
    {"aten::randn_like(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, "
     "bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor",
     infer_like, kRandom},
    {"aten::randint(SymInt high, SymInt[] size, *, ScalarType? dtype=4, Layout? layout=None, Device? "
     "device=None, bool? pin_memory=None) -> Tensor",
     infer_filled, kRandom},
    {"aten::randint.low(SymInt low, SymInt high, SymInt[] size, *, ScalarType? dtype=4, Layout? layout=None, "
     "Device? device=None, bool? pin_memory=None) -> Tensor",
     infer_filled, kRandom},
    {"aten::randperm(SymInt n, *, ScalarType? dtype=4, Layout? layout=None, Device? device=None, bool? "
     "pin_memory=None) -> Tensor",
     infer_randperm, kRandom},
    {"aten::bernoulli(Tensor self, *, Generator? generator=None) -> Tensor", infer_same_as_first, kRandom},
    {"aten::bernoulli.p(Tensor self, float p, *, Generator? generator=None) -> Tensor", infer_same_as_first, kRandom},
    {"aten::normal.Tensor_float(Tensor mean, float std=1., *, Generator? generator=None) -> Tensor",
     infer_same_as_first, kRandom},
    {"aten::multinomial(Tensor self, SymInt num_samples, bool replacement=False, *, Generator? "
     "generator=None) -> Tensor",
     nullptr, kRandom},
    {"aten::uniform_(Tensor(a!) self, float from=0., float to=1., *, Generator? generator=None) -> Tensor(a!)",
     infer_first_itself, kRandom},
    {"aten::normal_(Tensor(a!) self, float mean=0., float std=1., *, Generator? generator=None) -> Tensor(a!)",
     infer_first_itself, kRandom},
    {"aten::bernoulli_.float(Tensor(a!) self, float p=0.5, *, Generator? generator=None) -> Tensor(a!)",
     infer_first_itself, kRandom},
};

}  // namespace

OpFamily creation_ops() { return kRows; }

}  // namespace qdq
