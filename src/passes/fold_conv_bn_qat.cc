#include "passes/fold_conv_bn_qat.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "graph/matcher.h"
#include "passes/batch_norm.h"
#include "passes/first_reader.h"
#include "passes/qat_conv.h"
#include "passes/qdq_ops.h"

namespace qdq {
namespace {

constexpr const char* kPass = "fold_conv_bn_qat";

// The three forms differ in the bias: quantized, in float, none.
constexpr std::array<std::string_view, 3> kForms = {
    R"(graph(x, w, b, gamma, beta, mean, var) {
  %var_eps = aten.add.Tensor(%var, _)
  %std = aten.sqrt.default(%var_eps)
  %s = aten.div.Tensor(%gamma, %std)
  %weight_scale = aten.reshape.default(%s, _)
  %scaled = aten.mul.Tensor(%w, %weight_scale)
  %wq = "QUANTIZE"(%scaled, ...)
  %wdq = "DEQUANTIZE"(%wq, ...)
  %zeros = aten.zeros_like.default(%b, ...)
  %bq = "QUANTIZE"(%zeros, ...)
  %bdq = "DEQUANTIZE"(%bq, ...)
  %conv = "CONV"(%x, %wdq, %bdq, ...)
  %output_scale = aten.reshape.default(%s, _)
  %unscaled = aten.div.Tensor(%conv, %output_scale)
  %shift = aten.reshape.default(%b, _)
  %shifted = aten.add.Tensor(%unscaled, %shift)
  %bn = aten.batch_norm.default(%shifted, %gamma, %beta, %mean, %var, ...)
  return (%bn)
})",
    R"(graph(x, w, b, gamma, beta, mean, var) {
  %var_eps = aten.add.Tensor(%var, _)
  %std = aten.sqrt.default(%var_eps)
  %s = aten.div.Tensor(%gamma, %std)
  %weight_scale = aten.reshape.default(%s, _)
  %scaled = aten.mul.Tensor(%w, %weight_scale)
  %wq = "QUANTIZE"(%scaled, ...)
  %wdq = "DEQUANTIZE"(%wq, ...)
  %zeros = aten.zeros_like.default(%b, ...)
  %conv = "CONV"(%x, %wdq, %zeros, ...)
  %output_scale = aten.reshape.default(%s, _)
  %unscaled = aten.div.Tensor(%conv, %output_scale)
  %shift = aten.reshape.default(%b, _)
  %shifted = aten.add.Tensor(%unscaled, %shift)
  %bn = aten.batch_norm.default(%shifted, %gamma, %beta, %mean, %var, ...)
  return (%bn)
})",
    R"(graph(x, w, gamma, beta, mean, var) {
  %var_eps = aten.add.Tensor(%var, _)
  %std = aten.sqrt.default(%var_eps)
  %s = aten.div.Tensor(%gamma, %std)
  %weight_scale = aten.reshape.default(%s, _)
  %scaled = aten.mul.Tensor(%w, %weight_scale)
  %wq = "QUANTIZE"(%scaled, ...)
  %wdq = "DEQUANTIZE"(%wq, ...)
  %conv = "CONV"(%x, %wdq, none, ...)
  %output_scale = aten.reshape.default(%s, _)
  %unscaled = aten.div.Tensor(%conv, %output_scale)
  %bn = aten.batch_norm.default(%unscaled, %gamma, %beta, %mean, %var, ...)
  return (%bn)
})"};

std::string replaced(std::string text, std::string_view word, const std::string& with) {
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + with.size()))
    text.replace(at, word.size(), with);
  return text;
}

Pattern pattern_of(std::string_view form) {
  const auto either = [](std::string_view a, std::string_view b) { return std::string(a) + "|" + std::string(b); };
  std::string convs;
  for (const QatConv& kind : kQatConvs) convs += (convs.empty() ? "" : "|") + std::string(kind.target);
  std::string text = replaced(std::string(form), "CONV", convs);
  text = replaced(std::move(text), "DEQUANTIZE", either(kDequantizePerChannel, kDequantizePerTensor));
  text = replaced(std::move(text), "QUANTIZE", either(kQuantizePerChannel, kQuantizePerTensor));
  MatchOptions as_written;
  as_written.commutative = false;
  return Pattern(text, as_written);
}

// torchao looks for one variant after the other; the names of the new nodes count in that order.
auto turn_of(const Match& match) {
  const Node& conv = match.node("conv");
  const auto* kind = std::ranges::find(kQatConvs, conv.target(), &QatConv::target);
  const auto present = [&](const char* name) { return match.nodes.contains(name); };
  return std::tuple(kind, !match.node("wq").is(kQuantizePerChannel), !present("zeros"), !present("bq"),
                    !match.node("bn").arg(5).to_bool());
}

std::vector<Match> find_all(Graph& graph) {
  std::vector<Match> matches;
  for (const std::string_view form : kForms)
    for (Match& match : pattern_of(form).find_all(graph)) matches.push_back(std::move(match));
  std::ranges::stable_sort(matches, {}, turn_of);
  return matches;
}

// Moves what stays of the form to its new place, where the quantizes read the parameters themselves.
void restore(Graph& graph, const Match& match) {
  Node& bn = match.node("bn");
  Node& end = *first_reader(bn);
  const auto place = [&](Node& node, const std::string& name) {
    graph.move_before(node, end);
    graph.rename(node, graph.unique_name(name));
  };
  const auto quantize = [&](const char* q_name, const char* dq_name, Node& parameter, const std::string& suffix) {
    Node& q = match.node(q_name);
    Node& dq = match.node(dq_name);
    q.set_arg(0, Argument(parameter));
    place(q, plain_name(q) + suffix);
    place(dq, plain_name(dq) + suffix);
  };
  Node& conv = match.node("conv");
  quantize("wq", "wdq", match.node("w"), "");
  if (match.nodes.contains("bq"))
    quantize("bq", "bdq", match.node("b"), match.node("bq").target() == match.node("wq").target() ? "_1" : "");
  else if (match.nodes.contains("zeros"))
    conv.set_arg(2, Argument(match.node("b")));
  place(conv, plain_name(conv));
  graph.unique_name(plain_name(bn));  // torchao puts the batch norm here too, before it folds it
}

class Folder {
 public:
  explicit Folder(Program& program) : program_(program), graph_(program.graph()) {}

  int run() {
    const bool any_batch_norm = has_batch_norm();
    const std::vector<Match> matches = find_all(graph_);
    for (const Match& match : matches) restore(graph_, match);
    for (const Match& match : matches) fold(match);
    if (any_batch_norm) erase_batch_counters();
    return static_cast<int>(matches.size());
  }

 private:
  void fold(const Match& match) {
    Node& conv = match.node("conv");
    Node& bn = match.node("bn");
    Node& weight = parameter(match, "w", match.node("wq"));
    Node* bias = match.inputs.contains("b") ? &parameter(match, "b", bias_reader(match)) : nullptr;
    FoldedTensors folded = fold_batch_norm(program_, conv, weight, bias, bn, kPass);
    program_.attributes.find(weight.target())->value = std::move(folded.weight);
    if (bias) {
      program_.attributes.find(bias->target())->value = std::move(folded.bias);
    } else {
      Attribute attribute;
      attribute.name = weight.target() + "_bias";
      attribute.value = std::move(folded.bias);
      attribute.requires_grad = true;
      set_bias(program_, conv, program_.attributes.add(std::move(attribute)).name);
    }
    bn.replace_all_uses_with(conv);
    conv.set_args(conv.args());  // torchao sets them last, which makes it the last reader of its input
    erase_rest(match);
  }

  static Node& bias_reader(const Match& match) {
    return match.nodes.contains("bq") ? match.node("bq") : match.node("conv");
  }

  // The parameter that `reader` reads, which no other convolution of the program may share from now on: each has a batch
  // norm of its own to fold in.
  Node& parameter(const Match& match, const char* name, Node& reader) {
    Node& node = match.node(name);
    if (node.kind() != NodeKind::get_attr)
      throw InvalidArgumentError("[" + std::string(kPass) + "] " + match.node("conv").describe() +
                                 ": a parameter expected, found " + node.describe());
    const auto is_read_outside = [&](const Node* user) {
      return user != &reader &&
             std::ranges::none_of(match.nodes, [&](const auto& each) { return each.second == user; });
    };
    if (std::ranges::none_of(node.users(), is_read_outside)) return node;
    Attribute own = *program_.attributes.find(node.target());
    own.name = program_.attributes.unused_name(own.name + "_");
    own.lifted_name.clear();
    const auto at = graph_.inserting_before(reader);
    Node& copy = program_.add_attribute(std::move(own));
    reader.replace_input_with(node, copy);
    return copy;
  }

  // What was there for training only.
  void erase_rest(const Match& match) {
    std::vector<Node*> rest;
    for (const auto& [name, node] : match.nodes)
      if (node->kind() == NodeKind::call_function && !node->erased()) rest.push_back(node);
    std::ranges::sort(rest, [](const Node* a, const Node* b) { return b->is_before(*a); });
    for (Node* node : rest)
      if (node->num_users() == 0) graph_.erase(*node);
  }

  bool has_batch_norm() const {
    for (const Node& node : graph_.nodes())
      if (is_foldable_batch_norm(node)) return true;
    return false;
  }

  void erase_batch_counters() {
    for (Node& node : graph_.nodes()) {
      const bool counts = node.is("aten.add_.Tensor") && node.input(0) && node.input(0)->kind() == NodeKind::get_attr &&
                          node.args().size() > 1 && node.arg(1) == Argument(1);
      if (counts && node.num_users() == 0 &&
          node.meta.get("nn_module_stack").find("torch.nn.modules.batchnorm.BatchNorm2d") != std::string_view::npos)
        graph_.erase(node);
    }
  }

  Program& program_;
  Graph& graph_;
};

}  // namespace

int fold_conv_bn_qat(Program& program) { return Folder(program).run(); }

}  // namespace qdq
