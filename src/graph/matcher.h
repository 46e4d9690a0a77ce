#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "qdq/graph.h"

namespace qdq {

struct MatchOptions {
  // Sums and products also match with their two operands swapped.
  bool commutative = true;
  // Every matched node but the anchor may be used by matched nodes only. Otherwise a rewrite would keep it alive.
  bool private_interior = true;
};

// Where a pattern was found. Names are the pattern's.
struct Match {
  Node* anchor = nullptr;                  // the node that produces the pattern's result
  std::map<std::string, Node*> nodes;      // operators and get_attr nodes of the pattern
  std::map<std::string, Argument> inputs;  // what its inputs stand for: nodes or literals

  Node& node(std::string_view name) const;             // an operator, or an input that is a node; throws InternalError
  const Argument& input(std::string_view name) const;  // throws InternalError
};

struct MatchResult {
  std::optional<Match> match;
  NoMatch reason;  // set when there is no match
  explicit operator bool() const { return match.has_value(); }
  const Match* operator->() const { return &*match; }
  const Match& operator*() const { return *match; }
};

// A small graph to be found in larger ones, written as text:
//
//     Pattern pattern("graph(x, w, b) {"
//                     "  %conv = aten.conv2d.default(%x, %w, %b, ...)"
//                     "  %y = \"aten.relu.default|aten.relu_.default\"(%conv)"
//                     "  return (%y) }");
//
// Its inputs match any node or literal, the same one wherever they occur. Literals match exactly, `_` matches anything,
// also a trailing argument that is left out, `...` at the end the remaining arguments by position and by name. A quoted
// target may list alternatives; `get_attr @_` matches any get_attr. Types and metadata do not count.
class Pattern {
 public:
  // Throws FormatError for text that does not parse, InvalidArgumentError unless one operator is returned.
  explicit Pattern(std::string_view text, MatchOptions options = {});

  // Whether the pattern's result could be `node`'s, going by its operator only: the quick test before match().
  bool may_match(const Node& node) const;
  // False where no node of `graph` can: none has the target of the pattern's result.
  bool may_match_in(const Graph& graph) const;
  // Matches backwards from `anchor`. Takes time that depends on the pattern, not on the graph. The reason names the
  // node, what was expected and what was found.
  MatchResult match(Node& anchor) const;
  // Every match, by position of the anchor; no node is an operator of two matches.
  std::vector<Match> find_all(Graph& graph) const;

 private:
  std::unique_ptr<Graph> graph_;
  Node* result_;
  MatchOptions options_;
};

}  // namespace qdq
