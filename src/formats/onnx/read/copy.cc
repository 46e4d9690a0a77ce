// Copies, conversions, putting together, and tensors made from numbers.
#include "formats/onnx/read/cast.h"
#include "formats/onnx/read/family.h"
#include "formats/onnx/schema.h"

namespace qdq::onnx {
namespace {

// The value under another name.
void read_identity(const In& in) { in.result(in.value(0)); }

void read_dropout(const In& in) {
  if (in.has(2) && in.known_number(2, 0, "training_mode") != 0) in.refuse("dropout in training mode");
  if (in.wants(1)) in.result(in.call("aten.ones_like.default", {in.tensor(0)}, {{"dtype", DType::bool_}}), 1);
  read_identity(in);
}

void read_constant(const In& in) {
  ReadValue value;
  if (const InAttribute* tensor = in.node.find("value"); tensor && tensor->t) {
    value.constant = in.importer().read(*tensor->t);
  } else if (in.has_attribute("value_int")) {
    value.constant = Tensor::scalar(in.integer("value_int", 0));
  } else if (in.has_attribute("value_float")) {
    value.constant = Tensor::scalar(static_cast<float>(in.number("value_float", 0)));
  } else if (const auto ints = in.ints("value_ints"); ints && in.has_attribute("value_ints")) {
    value.constant = Tensor::from(std::span<const std::int64_t>(*ints), {static_cast<std::int64_t>(ints->size())});
  } else if (const InAttribute* floats = in.node.find("value_floats")) {
    value.constant =
        Tensor::from(std::span<const float>(floats->floats), {static_cast<std::int64_t>(floats->floats.size())});
  } else {
    in.refuse("a constant that is no tensor of numbers");
  }
  in.result(std::move(value));
}

DType dtype_attribute(const In& in, std::string_view name, DType otherwise) {
  if (!in.has_attribute(name)) return otherwise;
  const auto dtype = dtype_from_data_type(static_cast<std::int32_t>(in.integer(name, 0)));
  if (!dtype || plain_dtype(*dtype) != *dtype)
    in.refuse("data type " + std::to_string(in.integer(name, 0)) + " is not computed with");
  return *dtype;
}

void read_as(const In& in, DType dtype) {
  const Tensor* constant = in.constant(0);
  if (!constant || largest_float8(dtype)) return in.result(cast(in, in.tensor(0), dtype));
  ReadValue value;
  value.constant = constant->to(dtype);
  in.result(std::move(value));
}

void read_cast(const In& in) { read_as(in, dtype_attribute(in, "to", DType::float32)); }

void read_cast_like(const In& in) {
  const DType dtype = in.type(1).dtype;
  if (in.importer().stored_dtype(in.node.inputs[1]).value_or(dtype) != dtype)  // held in another dtype: 4 bits in 8
    in.refuse("the dtype of its input 1 is not computed with");
  read_as(in, dtype);
}

void read_concat(const In& in) {
  Argument::List tensors;
  for (std::size_t i = 0; i < in.num_inputs(); ++i) tensors.emplace_back(in.tensor(i));
  in.result(in.call("aten.cat.default", {tensors, in.axis(in.integer("axis", 0), in.rank(0))}));
}

void read_constant_of_shape(const In& in) {
  Tensor value = Tensor::scalar(0.0F);
  if (const InAttribute* attribute = in.node.find("value"); attribute && attribute->t)
    value = in.importer().read(*attribute->t);
  if (value.numel() != 1) in.refuse("its value is no single number");
  const Argument number = number_of(value);
  const Argument fill = value.dtype() == DType::bool_ ? Argument(number.to_int() != 0) : number;
  in.result(in.call("aten.full.default", {in.need_sizes(0), fill}, {{"dtype", value.dtype()}}));
}

void read_range(const In& in) {
  Argument::List bounds;
  DType dtype = DType::int64;
  for (std::size_t i = 0; i < 3; ++i) {
    if (const Argument::List* numbers = in.sizes(i); numbers && numbers->size() == 1) {
      bounds.push_back((*numbers)[0]);
      continue;
    }
    const Tensor* constant = in.constant(i);
    if (!constant || constant->numel() != 1) in.refuse("its bounds are computed");
    dtype = constant->dtype();
    bounds.push_back(number_of(*constant));
  }
  if (const Tensor* start = in.constant(0)) dtype = start->dtype();
  in.result(in.call("aten.arange.start_step", {bounds[0], bounds[1], bounds[2]}, {{"dtype", dtype}}));
}

void read_trilu(const In& in) {
  Argument diagonal(0);
  if (in.has(1)) diagonal = in.need_size(1, "k");
  in.result(in.call(in.integer("upper", 1) != 0 ? "aten.triu.default" : "aten.tril.default", {in.tensor(0), diagonal}));
}

}  // namespace

Node& cast(const In& in, Node& x, DType dtype) {
  const TensorMeta* type = x.type.tensor();
  if (type && type->dtype == dtype) return x;
  const bool saturates = in.integer("saturate", 1) != 0;
  if (dtype == DType::float8_e4m3fn && !saturates)
    in.refuse(
        "a float8_e4m3fn that becomes NaN instead of its largest number (saturate is 0), which torch does not have");
  if (dtype != DType::float8_e5m2 || !saturates) return in.call("aten.to.dtype", {x, dtype});
  const double largest = *largest_float8(dtype);  // torch's conversion makes infinity of more
  return in.call("aten.to.dtype", {in.call("aten.clamp.default", {x, -largest, largest}), dtype});
}

namespace {

constexpr ReadRow kRows[] = {
    {"Identity", "-", read_identity},
    {"Dropout", "-", read_dropout},
    {"Constant", "-", read_constant},
    {"Cast", "to", read_cast},
    {"CastLike", "to", read_cast_like},
    {"Concat", "cat", read_concat},
    {"ConstantOfShape", "full", read_constant_of_shape},
    {"Range", "arange", read_range},
    {"Trilu", "triu, tril", read_trilu},
};

}  // namespace

ReadFamily read_copy_ops() { return kRows; }

}  // namespace qdq::onnx
