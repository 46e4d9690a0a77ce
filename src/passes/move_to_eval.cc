#include "passes/move_to_eval.h"

#include <algorithm>
#include <array>

#include "qdq/export_utils.h"
#include "qdq/program.h"

namespace qdq {
namespace {

struct Flag {
  std::string_view target;
  std::size_t position;
  std::string_view name;
};

constexpr std::array<Flag, 12> kFlags = {{
    {"aten.dropout.default", 2, "train"},
    {"aten.dropout_.default", 2, "train"},
    {"aten.feature_dropout.default", 2, "train"},
    {"aten.feature_dropout_.default", 2, "train"},
    {"aten.alpha_dropout.default", 2, "train"},
    {"aten.alpha_dropout_.default", 2, "train"},
    {"aten.feature_alpha_dropout.default", 2, "train"},
    {"aten.feature_alpha_dropout_.default", 2, "train"},
    {"aten.native_dropout.default", 2, "train"},
    {"aten.batch_norm.default", 5, "training"},
    {"aten.native_batch_norm.default", 5, "training"},
    {"aten._native_batch_norm_legit.default", 5, "training"},
}};

// Where the flag of `node` is; null for an op that has none.
const Flag* flag_of(const Node& node) {
  const auto* found =
      std::find_if(kFlags.begin(), kFlags.end(), [&](const Flag& flag) { return node.is(flag.target); });
  return found == kFlags.end() ? nullptr : found;
}

const Argument* value_of(const Node& node, const Flag& flag) {
  return flag.position < node.args().size() ? &node.arg(flag.position) : node.kwarg(flag.name);
}

void set(Node& node, const Flag& flag, bool train) {
  if (flag.position < node.args().size()) {
    node.set_arg(flag.position, Argument(train));
    return;
  }
  Argument::Dict kwargs = node.kwargs();
  for (auto& [name, value] : kwargs)
    if (name == flag.name) value = Argument(train);
  node.set_kwargs(std::move(kwargs));
}

// Why `node`, which is no op with a flag, keeps the mode that it has although it depends on one.
NoMatch why_fixed(const Node& node, bool train) {
  if (train && node.is("aten._native_batch_norm_legit_no_training.default"))
    return NoMatch("this batch norm always uses the running statistics");
  if (!train && (node.is("aten._native_batch_norm_legit.no_stats") ||
                 node.is("aten._native_batch_norm_legit_functional.default")))
    return NoMatch("this batch norm always uses the statistics of the batch");
  if (!train && node.is("aten.scaled_dot_product_attention.default")) {
    const Argument* p = node.args().size() > 4 ? &node.arg(4) : node.kwarg("dropout_p");
    if (p && *p != Argument(0.0) && *p != Argument(0)) return NoMatch("attention drops values in every mode");
  }
  return {};
}

int move_to(Graph& graph, bool train) {
  const std::string_view pass = train ? "move_to_train" : "move_to_eval";
  int flipped = 0;
  walk_subgraphs(graph, [&](Graph& current) {
    for (Node& node : current.nodes()) {
      const Flag* flag = flag_of(node);
      const Argument* value = flag ? value_of(node, *flag) : nullptr;
      if (!flag) {
        if (const NoMatch why = why_fixed(node, train)) current.note(node, pass, why);
      } else if (!value || !value->get_if<bool>()) {
        current.note(node, pass, NoMatch("its training flag is not a literal"));
      } else if (*value != Argument(train)) {
        set(node, *flag, train);
        ++flipped;
      }
    }
  });
  return flipped;
}

}  // namespace

int move_to_eval(Graph& graph) { return move_to(graph, false); }
int move_to_train(Graph& graph) { return move_to(graph, true); }

int move_exported_model_to_eval(Program& program) { return move_to_eval(program.graph()); }
int move_exported_model_to_train(Program& program) { return move_to_train(program.graph()); }

}  // namespace qdq
