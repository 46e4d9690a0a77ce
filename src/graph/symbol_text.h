#pragma once
#include <optional>
#include <string>
#include <vector>

#include "graph/text_lexer.h"
#include "qdq/value_type.h"

namespace qdq::text {

// Sizes in the text form. A symbol prints as its name, an expression in infix form, the hint after a colon:
//
//     Symbol('s77', positive=True, integer=True), hint 2                       s77:2
//     Add(Mul(Integer(2), Symbol('s77', positive=True, integer=True)), Integer(-1))   2*s77 + -1
//     Max(Integer(1), Symbol('u0', integer=True))                              Max(1, u0)
//
// Names that begin with u and a number stand for unbacked symbols, which sympy knows to be integers only. Expression
// texts that would not come back letter for letter print raw, in backticks.
std::string to_text(const SymInt& size);
SymInt parse_symint(Lexer& lexer);

// The strides that a type has when its text names none: those of a contiguous tensor, in the spelling of torch.export
// ("Mul(Integer(8), Symbol('s27', ...))"). Empty when a size but the first is no product of numbers and symbols.
std::vector<SymInt> default_strides(const std::vector<SymInt>& sizes);

}  // namespace qdq::text
