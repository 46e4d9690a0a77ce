#include "annotate/inductor_recipes.h"

#include <algorithm>

#include "annotate/patterns.h"

namespace qdq {
namespace {

// What an addition adds to `op`; null for a number, and for op + op, which is no addition of two values.
Node* addend_of(const Node& add, const Node& op) {
  Node* first = add.input(0);
  Node* second = add.input(1);
  if (first == second) return nullptr;
  return first == &op ? second : first;
}

bool same_sizes(const Node& a, const Node& b) {
  const TensorMeta* left = a.type.tensor();
  const TensorMeta* right = b.type.tensor();
  return left && right && left->sizes == right->sizes;
}

bool is_quantized(const Node& node) { return node.annotation && node.annotation->is_output_of_quantized_pattern; }

}  // namespace

void RecipeRunner::run(const std::optional<QuantizationConfig>& config, const PatternFilter& filter,
                       const std::string& setting) {
  config_ = &config;
  filter_ = &filter;
  setting_ = &setting;
  for (const WeightedRecipe& recipe : backend_.recipes)
    if (!recipe.has_batch_norm || !config || config->is_qat) run_recipe(recipe);
  annotate_products();
  propagate();
}

bool RecipeRunner::claim(Node& op, std::span<Node* const> pattern) {
  if (is_annotated(pattern) || !(*filter_)(op, pattern)) return false;
  if (*config_) return true;
  for (Node* node : pattern) leave_in_float(*node, "excluded by " + *setting_);
  return false;
}

void RecipeRunner::run_recipe(const WeightedRecipe& recipe) {
  for (Node& node : graph_.nodes())
    if (recipe.op(node) && node.input(0) && node.input(1)) match(recipe, node);
}

void RecipeRunner::match(const WeightedRecipe& recipe, Node& op) {
  Node* bn = nullptr;
  if (recipe.has_batch_norm) {
    if (op.num_users() != 1) return;
    bn = op.users().front();
    if (!is_batch_norm(*bn) || bn->input(0) != &op) return;
  }
  Node& last = bn ? *bn : op;
  Node* add = nullptr;
  if (recipe.addend != Addend::none) {
    if (last.num_users() != 1) return;
    add = last.users().front();
    if (!is_add(*add)) return;
    const Node* addend = addend_of(*add, last);
    if (!addend || !is_float_tensor(*addend)) return;
  }
  if (!recipe.activation) return apply(recipe, op, bn, add, nullptr);
  for (Node* user : (add ? *add : last).users())
    if (recipe.activation(*user)) apply(recipe, op, bn, add, user);
}

void RecipeRunner::apply(const WeightedRecipe& recipe, Node& op, Node* bn, Node* add, Node* activation) {
  std::vector<Node*> pattern;
  for (Node* node : {activation, add, bn, &op})
    if (node) pattern.push_back(node);
  if (!claim(op, pattern)) return;
  const QuantizationConfig& config = **config_;
  for (Node* node : pattern) node->annotation = new_annotation(recipe.name);
  op.annotation->set_input_qspec(*op.input(0), input_act_qspec(config));
  op.annotation->set_input_qspec(*op.input(1), weight_qspec(config));
  if (Node* bias = op.input(2)) op.annotation->set_input_qspec(*bias, bias_qspec(config));
  if (recipe.addend == Addend::quantized)
    add->annotation->set_input_qspec(*addend_of(*add, bn ? *bn : op), input_act_qspec(config));
  if (recipe.has_batch_norm) {
    pattern.front()->annotation->output_qspec = output_act_qspec(config);
    Node* const parameters[] = {op.input(1), op.input(2)};
    mark_as_annotated(parameters);  // as torchao does, here only
  }
  pattern.front()->annotation->is_output_of_quantized_pattern = true;
}

// Products of two activations.
void RecipeRunner::annotate_products() {
  for (Node& node : graph_.nodes()) {
    const bool is_product = backend_.quantizes_mul && node.is("aten.mul.Tensor");
    Node* self = &node;
    if ((!is_product && !is_matmul(node)) || !claim(node, {&self, 1})) continue;
    Node* left = node.input(0);
    Node* right = node.input(1);
    if (!left || !right || !is_float_tensor(*left) || !is_float_tensor(*right)) {
      decline(node, "one of its operands is no floating-point tensor");
    } else if (is_product && !same_sizes(*left, *right)) {
      decline(node, "its operands differ in size");
    } else {
      node.annotation = new_annotation(is_product ? "mul" : "matmul");
      node.annotation->set_input_qspec(*left, input_act_qspec(**config_));
      node.annotation->set_input_qspec(*right, input_act_qspec(**config_));
      node.annotation->is_output_of_quantized_pattern = true;
    }
  }
}

bool RecipeRunner::may_propagate(Node& node) {
  if (is_any_of(node, backend_.declines)) {
    decline(node, std::string(backend_.name) + " has no int8 kernel for it");
    return false;
  }
  const std::vector<Node*> users = node.users();
  if (node.is("aten.flatten.using_ints") && !users.empty() &&
      std::none_of(users.begin(), users.end(), [&](const Node* user) {
        return user->kind() == NodeKind::call_function && is_quantizable_op(backend_, user->target());
      })) {
    decline(node, "nothing behind it is quantized");
    return false;
  }
  const std::vector<Node*> inputs = node.inputs();
  const std::size_t checked = node.is("aten.cat.default") ? inputs.size() : std::min<std::size_t>(inputs.size(), 1);
  for (std::size_t i = 0; i < checked; ++i)
    if (!is_quantized(*inputs[i])) {
      decline(node, "its input '" + inputs[i]->name() + "' does not come from a quantized op");
      return false;
    }
  return !inputs.empty();
}

void RecipeRunner::propagate() {
  for (Node& node : graph_.nodes()) {
    Node* self = &node;
    if (!is_any_of(node, backend_.propagates) || !claim(node, {&self, 1}) || !may_propagate(node)) continue;
    const std::vector<Node*> inputs = node.inputs();
    node.annotation = new_annotation(std::string(base_name(node)));
    node.annotation->set_input_qspec(*inputs[0], input_act_qspec(**config_));
    if (node.is("aten.cat.default"))
      for (Node* piece : std::span(inputs).subspan(1))
        node.annotation->set_input_qspec(*piece, SharedQuantizationSpec{{*inputs[0], node}});
    node.annotation->is_output_of_quantized_pattern = true;
  }
}

void RecipeRunner::share_outputs() {
  for (Node& node : graph_.nodes())
    if (is_quantized(node) && is_any_of(node, backend_.propagates))
      node.annotation->output_qspec = SharedQuantizationSpec{{*node.inputs()[0], node}};
}

}  // namespace qdq
