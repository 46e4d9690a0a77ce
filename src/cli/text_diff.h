#pragma once
#include <string>
#include <string_view>

namespace qdq::cli {

// The lines of `before` and `after` as a unified diff with three lines of context; empty when they are equal. Lines that
// occur once in each text are matched first, in the longest sequence that both have in the same order, then equal
// neighbours of those: in a graph, whose lines are unique, that is a shortest diff, in O(n log n).
std::string text_diff(std::string_view before, std::string_view after);

}  // namespace qdq::cli
