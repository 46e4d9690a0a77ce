#include "graph/matcher.h"

#include <algorithm>
#include <unordered_set>

#include "qdq/graph_text.h"

namespace qdq {
namespace {

bool is_wildcard(const Argument& argument, std::string_view mark) {
  const auto* opaque = argument.get_if<Argument::Opaque>();
  return opaque && opaque->kind == mark && opaque->json.empty();
}

// fn(target) for each of the targets that `pattern`, "a" or "a|b", stands for.
template <typename Fn>
void for_each_alternative(std::string_view pattern, const Fn& fn) {
  while (true) {
    const auto bar = pattern.find('|');
    fn(pattern.substr(0, bar));
    if (bar == std::string_view::npos) return;
    pattern.remove_prefix(bar + 1);
  }
}

bool target_matches(std::string_view pattern, std::string_view target) {
  bool found = false;
  for_each_alternative(pattern, [&](std::string_view alternative) { found |= alternative == target; });
  return found;
}

bool operator_matches(const Node& pattern, const Node& node) {
  if (pattern.kind() != node.kind()) return false;
  const bool any_name = pattern.kind() != NodeKind::call_function && pattern.target() == "_";
  return any_name || target_matches(pattern.target(), node.target());
}

// Two operands, no alpha.
bool is_commutative(const Node& pattern) {
  static constexpr std::string_view kTargets[] = {"aten.add.Tensor",  "aten.add_.Tensor",     "aten.mul.Tensor",
                                                  "aten.mul_.Tensor", "aten.maximum.default", "aten.minimum.default",
                                                  "operator.add",     "operator.mul"};
  const auto known = [&](std::string_view target) { return target_matches(pattern.target(), target); };
  return pattern.args().size() == 2 && pattern.kwargs().empty() &&
         std::any_of(std::begin(kTargets), std::end(kTargets), known);
}

// One attempt at one anchor.
class Attempt {
 public:
  explicit Attempt(const MatchOptions& options) : options_(options) {}

  bool node(const Node& pattern, Node& found) {
    if (const auto known = match.nodes.find(pattern.name()); known != match.nodes.end())
      return known->second == &found || fail(found, "the pattern wants '" + known->second->name() + "' here again");
    if (!operator_matches(pattern, found)) return fail(found, "expected " + pattern.target());
    match.nodes[pattern.name()] = &found;
    if (!options_.commutative || !is_commutative(pattern) || found.args().size() != 2)
      return arguments(pattern, found, false);
    const Match before = match;
    if (arguments(pattern, found, false)) return true;
    const NoMatch first_reason = reason;
    match = before;
    if (arguments(pattern, found, true)) return true;
    reason = first_reason;
    return false;
  }

  bool interior_is_private() {
    std::unordered_set<const Node*> matched;
    for (const auto& [name, node] : match.nodes) matched.insert(node);
    for (const auto& [name, node] : match.nodes) {
      if (node == match.anchor || node->kind() == NodeKind::get_attr) continue;
      for (const Node* user : node->users())
        if (!matched.contains(user))
          return fail(*node, "is also used by '" + user->name() + "', outside of the pattern");
    }
    return true;
  }

  Match match;
  NoMatch reason;

 private:
  bool fail(const Node& where, const std::string& what) {
    reason = NoMatch(where.describe() + ": " + what);
    return false;
  }

  bool arguments(const Node& pattern, Node& found, bool swapped) {
    const Argument::List& wanted = pattern.args();
    const bool open = !wanted.empty() && is_wildcard(wanted.back(), "...");
    const std::size_t count = wanted.size() - (open ? 1 : 0);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = swapped ? count - 1 - i : i;
      if (at < found.args().size()) {
        if (!argument(wanted[i], found.args()[at], found)) return false;
      } else if (!is_wildcard(wanted[i], "_")) {
        return fail(found,
                    "expected " + std::to_string(count) + " arguments, found " + std::to_string(found.args().size()));
      }
    }
    if (!open && found.args().size() > count)
      return fail(found,
                  "expected " + std::to_string(count) + " arguments, found " + std::to_string(found.args().size()));
    for (const auto& [key, value] : pattern.kwargs()) {
      const Argument* given = found.kwarg(key);
      if (given ? !argument(value, *given, found) : !is_wildcard(value, "_"))
        return given ? false : fail(found, "expected an argument " + key);
    }
    for (const auto& [key, value] : found.kwargs())
      if (!open && !pattern.kwarg(key)) return fail(found, "has an argument " + key + ", which the pattern does not");
    return true;
  }

  bool argument(const Argument& wanted, const Argument& given, const Node& where) {
    if (is_wildcard(wanted, "_")) return true;
    if (const Node* node_wanted = wanted.node()) {
      if (node_wanted->kind() == NodeKind::placeholder) return bind(node_wanted->name(), given, where);
      if (!given.node())
        return fail(where, "expected the result of " + node_wanted->target() + ", found " + to_text(given));
      return node(*node_wanted, *given.node());
    }
    if (wanted.list() && given.list() && wanted.list()->size() == given.list()->size()) {
      for (std::size_t i = 0; i < wanted.list()->size(); ++i)
        if (!argument((*wanted.list())[i], (*given.list())[i], where)) return false;
      return true;
    }
    return wanted == given || fail(where, "expected " + to_text(wanted) + ", found " + to_text(given));
  }

  bool bind(const std::string& name, const Argument& given, const Node& where) {
    const auto [known, is_new] = match.inputs.emplace(name, given);
    return is_new || known->second == given ||
           fail(where, "expected " + to_text(known->second) + " again for " + name + ", found " + to_text(given));
  }

  const MatchOptions& options_;
};

}  // namespace

Node& Match::node(std::string_view name) const {
  const auto found = nodes.find(std::string(name));
  if (found != nodes.end()) return *found->second;
  Node* bound = input(name).node();
  if (!bound) throw InternalError("the match's '" + std::string(name) + "' is a literal, a node was asked for");
  return *bound;
}

const Argument& Match::input(std::string_view name) const {
  const auto found = inputs.find(std::string(name));
  if (found == inputs.end()) throw InternalError("the match has no input '" + std::string(name) + "'");
  return found->second;
}

Pattern::Pattern(std::string_view text, MatchOptions options)
    : graph_(parse_graph(text, "pattern")), options_(options) {
  const Node* output = graph_->output_node();
  const auto* results = output ? output->arg(0).list() : nullptr;
  result_ = results && results->size() == 1 ? results->front().node() : nullptr;
  if (!result_ || result_->kind() == NodeKind::placeholder)
    throw InvalidArgumentError("a pattern returns the result of one operator; found " + std::string(text));
}

bool Pattern::may_match(const Node& node) const { return operator_matches(*result_, node); }

bool Pattern::may_match_in(const Graph& graph) const {
  if (result_->kind() != NodeKind::call_function) return true;
  bool found = false;
  for_each_alternative(result_->target(), [&](std::string_view target) { found |= graph.may_have_target(target); });
  return found;
}

MatchResult Pattern::match(Node& anchor) const {
  Attempt attempt(options_);
  attempt.match.anchor = &anchor;
  if (!attempt.node(*result_, anchor)) return {std::nullopt, attempt.reason};
  if (options_.private_interior && !attempt.interior_is_private()) return {std::nullopt, attempt.reason};
  return {std::move(attempt.match), {}};
}

std::vector<Match> Pattern::find_all(Graph& graph) const {
  std::vector<Match> result;
  if (!may_match_in(graph)) return result;
  std::unordered_set<const Node*> taken;
  for (Node& node : graph.nodes()) {
    if (!may_match(node)) continue;
    MatchResult found = match(node);
    if (!found) continue;
    const auto overlaps = [&](const auto& entry) {
      return entry.second->kind() != NodeKind::get_attr && taken.contains(entry.second);
    };
    if (std::any_of(found->nodes.begin(), found->nodes.end(), overlaps)) continue;
    for (const auto& [name, matched] : found->nodes) taken.insert(matched);
    result.push_back(std::move(*found.match));
  }
  return result;
}

}  // namespace qdq
