#pragma once
#include <span>

#include "ops/call.h"

namespace qdq {

// The smallest dtype that holds both, by torch's table: integers to the wider or signed one, any float beats any
// integer, float16 with bfloat16 is float32.
DType promote_types(DType a, DType b);

// torch.result_type of tensors and numbers: dimensioned tensors decide, then 0-dim tensors, then Python numbers (int is
// int64, float is float32); a lower group counts only when its kind (bool < integer < float) is higher.
DType result_type(std::span<const Value> values);
DType result_type(std::initializer_list<Value> values);

// What a floating point function (exp, division) returns for an argument of `dtype`: integers and bool give float32.
DType float_result(DType dtype);

// Sizes after broadcasting. `call` names the node when they do not fit.
Shape broadcast(const Call& call, std::span<const std::int64_t> a, std::span<const std::int64_t> b);
// A view of `tensor` with these sizes; stride 0 where a dimension of 1 or a new one is repeated.
Tensor expand(const Call& call, const Tensor& tensor, const Shape& sizes);

}  // namespace qdq
