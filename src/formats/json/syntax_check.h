#pragma once
#include <cstddef>
#include <string_view>

namespace qdq::json {

struct SyntaxProblem {
  std::size_t offset;  // of the first byte that cannot belong to a JSON text
  std::string_view what;
};

// Finds the first problem of a text that the fast parser, which knows no offsets, has refused.
SyntaxProblem find_syntax_problem(std::string_view text, std::size_t max_depth);

}  // namespace qdq::json
