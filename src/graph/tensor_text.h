#pragma once
#include <cstdint>
#include <string>

#include "graph/text_lexer.h"
#include "qdq/graph_text.h"
#include "qdq/tensor.h"

namespace qdq::text {

// The values of a tensor in the text form, row-major whatever its strides: "[1.0, 2.5]", "full(0.5)" when all elements
// have the same bits, "base64 \"AACAPw==\"" (little-endian) when the values are many or have no exact decimal. Empty when
// `data` does not ask for them.
std::string values_to_text(const Tensor& tensor, TextOptions::Data data);

// Reads the above into a contiguous tensor. `budget`, in bytes, is what all tensors of the text may take; it shrinks.
Tensor parse_values(Lexer& lexer, DType dtype, const Shape& sizes, std::int64_t& budget);

// `tensor` in memory of its own with these strides. Throws FormatError through `lexer` at `token` when a stride is
// negative or the memory exceeds `budget`.
Tensor with_strides(const Lexer& lexer, const Token& token, const Tensor& tensor, const Shape& strides,
                    std::int64_t& budget);

}  // namespace qdq::text
