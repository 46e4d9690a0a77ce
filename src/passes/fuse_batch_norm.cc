#include "passes/fuse_batch_norm.h"

#include <unordered_set>

#include "passes/batch_norm.h"

namespace qdq {
namespace {

bool is_conv(const Node& node) {
  const std::string& target = node.target();
  return node.kind() == NodeKind::call_function &&
         (target.starts_with("aten.conv1d.") || target.starts_with("aten.conv2d.") ||
          target.starts_with("aten.conv3d.") || is_transposed(node));
}

bool is_linear(const Node& node) { return node.is("aten.linear.default"); }

// The node whose users read the normalized values: the batch norm, or the first item of one with several results.
Node* normalized_output(Node& bn) {
  if (bn.is("aten.batch_norm.default")) return &bn;
  Node* first = nullptr;
  for (Node* user : bn.users()) {
    const bool is_first = user->is("operator.getitem") && user->arg(1).to_int() == 0;
    if (!is_first && user->num_users() > 0) return nullptr;
    if (is_first) first = user;
  }
  return first;
}

bool same_statistics(const Node& a, const Node& b) {
  return a.target() == b.target() &&
         std::equal(a.args().begin() + 1, a.args().end(), b.args().begin() + 1, b.args().end());
}

NoMatch why_not(const Node& bn, const Node& op) {
  if (op.num_users() > 1) return NoMatch("'" + op.name() + "' is read by others than the batch norm");
  Node* weight = op.input(1);
  for (const Node* user : weight->users()) {
    const std::vector<Node*> next = user->users();
    const bool normalized_alike = user->target() == op.target() && user->input(1) == weight && next.size() == 1 &&
                                  is_foldable_batch_norm(*next[0]) && same_statistics(*next[0], bn);
    if (user != &op && !normalized_alike)
      return NoMatch("its weight '" + weight->target() + "' is also used by '" + user->name() + "'");
  }
  return {};
}

class Folder {
 public:
  Folder(Program& program, const char* pass, bool (*is_op)(const Node&))
      : program_(program), pass_(pass), is_op_(is_op) {}

  int run() {
    int folded = 0;
    for (Node& node : program_.graph().nodes()) {
      if (!is_foldable_batch_norm(node) || !node.input(0) || !is_op_(*node.input(0))) continue;
      if (fold(*node.input(0), node)) ++folded;
    }
    return folded;
  }

 private:
  bool fold(Node& op, Node& bn) {
    Node* result = normalized_output(bn);
    if (!result) return refuse(bn, NoMatch("its batch statistics are read"));
    if (const TensorMeta* meta = op.input(0) ? op.input(0)->type.tensor() : nullptr;
        is_linear(op) && meta && meta->sizes.size() > 2)
      return refuse(
          bn, NoMatch("the linear's input has " + std::to_string(meta->sizes.size()) + " dimensions, expected 2"));
    Node* weight = &parameter(op, 1, "weight");
    if (!folded_.contains(weight->target())) {
      if (const NoMatch why = why_not(bn, op)) return refuse(bn, why);
      fold_tensors(op, bn, *weight);
      folded_.insert(weight->target());
    } else {
      if (!op.input(2)) set_bias(program_, op, bias_name(*weight));
    }
    result->replace_all_uses_with(op);
    for (Node* item : bn.users()) program_.graph().erase(*item);
    program_.graph().erase(bn);
    return true;
  }

  bool refuse(const Node& bn, const NoMatch& why) {
    program_.graph().note(bn, pass_, why);
    return false;
  }

  Node& parameter(const Node& op, std::size_t index, const char* what) const {
    Node* node = op.input(index);
    if (!node || node->kind() != NodeKind::get_attr)
      throw InvalidArgumentError(
          "[" + std::string(pass_) + "] the " + what + " of " + op.describe() + " is expected to be a parameter" +
          (node ? ", found " + node->describe() + "; load the program in its unlifted form" : ""));
    return *node;
  }

  static std::string bias_name(const Node& weight) { return weight.target() + "_bias"; }

  void fold_tensors(Node& op, const Node& bn, const Node& weight) {
    const bool has_bias = op.args().size() > 2 && !op.arg(2).is_none();
    const Node* old_bias = has_bias ? &parameter(op, 2, "bias") : nullptr;
    FoldedTensors folded = fold_batch_norm(program_, op, weight, old_bias, bn, pass_);
    program_.attributes.find(weight.target())->value = std::move(folded.weight);
    if (old_bias) {
      program_.attributes.find(old_bias->target())->value = std::move(folded.bias);
      return;
    }
    Attribute attribute;
    attribute.name = bias_name(weight);
    attribute.value = std::move(folded.bias);
    attribute.requires_grad = true;
    program_.attributes.add(std::move(attribute));
    set_bias(program_, op, bias_name(weight));
  }

  Program& program_;
  const char* pass_;
  bool (*is_op_)(const Node&);
  std::unordered_set<std::string> folded_;
};

}  // namespace

int fuse_conv_bn(Program& program) { return Folder(program, "fuse_conv_bn", is_conv).run(); }
int fuse_linear_bn(Program& program) { return Folder(program, "fuse_linear_bn", is_linear).run(); }

}  // namespace qdq
