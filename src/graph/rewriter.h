#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "graph/matcher.h"

namespace qdq {

// What takes the place of a match, written as text. Its inputs name inputs or operators of the pattern (whose values
// they then stand for), or values that the caller computes for each match:
//
//     Replacement replacement("graph(x, lo, hi) { %y = aten.clamp.default(%x, %lo, %hi) return (%y) }");
class Replacement {
 public:
  using Values = std::map<std::string, Argument>;

  // Throws FormatError for text that does not parse, InvalidArgumentError unless it returns one node.
  explicit Replacement(std::string_view text);

  // Inserts the replacement after the anchor, lets the anchor's users read its result, and erases the nodes of the match
  // that nobody uses any more. New nodes get the anchor's metadata, the result also its type where the text has none.
  // Returns the node of the result. Throws InternalError when an input has no value.
  Node& apply(const Match& match, const Values& values = {}) const;

 private:
  std::unique_ptr<Graph> graph_;
  Node* result_;
};

// Says why a match must stay as it is, or computes the values for its replacement.
using Guard = std::function<NoMatch(const Match& match, Replacement::Values& values)>;

// Replaces every match that `guard` lets through, in the order of the graph, and returns how many. Where the anchor's
// operator fits but the rest does not, or the guard refuses, the reason is noted for `pass`.
int replace_all(Graph& graph, std::string_view pass, const Pattern& pattern, const Replacement& replacement,
                const Guard& guard = nullptr);

}  // namespace qdq
