#pragma once
#include <functional>

#include "ops/call.h"

namespace qdq {

inline constexpr std::string_view kOutDtype = "higher_order.out_dtype";

// out_dtype(operator, dtype, arguments...): the operator on its arguments converted to the dtype that they and `dtype`
// promote to, and its result converted to `dtype`. So does torch.
struct OutDtype {
  Call call;    // of the operator, on converted arguments
  DType dtype;  // of the result
};

// Throws InvalidArgumentError, naming the node, for another form and for an operator that we do not know.
OutDtype bind_out_dtype(const Node& node, const std::function<Value(const Argument&)>& value_of);

}  // namespace qdq
