#include "accuracy/weighted_layers.h"

#include <algorithm>
#include <array>

#include "graph/observed_value.h"

namespace qdq {
namespace {

Node* parameter(const Node& layer, std::size_t index) {
  if (index >= layer.args().size()) return nullptr;
  Node* input = layer.input(index);
  if (!input) return nullptr;
  Node& value = observed_value(*input);
  return value.kind() == NodeKind::get_attr ? &value : nullptr;
}

}  // namespace

bool is_convolution(const Node& node) {
  static constexpr std::array targets = {"aten.conv1d.default", "aten.conv2d.default", "aten.conv3d.default",
                                         "aten.conv1d.padding", "aten.conv2d.padding", "aten.conv3d.padding"};
  return node.kind() == NodeKind::call_function && std::ranges::find(targets, node.target()) != targets.end();
}

bool is_transposed_convolution(const Node& node) {
  static constexpr std::array targets = {"aten.conv_transpose1d.default", "aten.conv_transpose2d.input",
                                         "aten.conv_transpose3d.input"};
  return node.kind() == NodeKind::call_function && std::ranges::find(targets, node.target()) != targets.end();
}

bool is_linear_op(const Node& node) { return node.is("aten.linear.default"); }

std::int64_t groups_of(const Node& layer) {
  constexpr std::size_t kGroups = 6;  // of transposed ones too
  if (!is_convolution(layer) && !is_transposed_convolution(layer)) return 1;
  if (const Argument* groups = layer.kwarg("groups")) return groups->to_int();
  return layer.args().size() > kGroups ? layer.arg(kGroups).to_int() : 1;
}

std::int64_t channel_dim(const Node& layer, std::int64_t dims) {
  if (is_linear_op(layer)) return dims - 1;
  // The images of a convolution may come without a batch.
  const std::int64_t spatial = layer.target()[layer.target().find_first_of("123")] - '0';
  return dims - spatial - 1;
}

Node* weight_of(const Node& layer) { return parameter(layer, 1); }
Node* bias_of(const Node& layer) { return parameter(layer, 2); }

std::int64_t readers_of(const Program& program, const std::string& name) {
  std::int64_t readers = 0;
  std::vector<const Node*> work;
  for (Node& node : program.graph().nodes())
    if (node.kind() == NodeKind::get_attr && node.target() == name) work.push_back(&node);
  while (!work.empty()) {
    const Node* node = work.back();
    work.pop_back();
    for (const Node* user : node->users()) {
      if (user->kind() == NodeKind::call_module)
        work.push_back(user);
      else
        ++readers;
    }
  }
  return readers;
}

std::string why_not_own(const Program& program, const Node& layer) {
  const Node* weight = weight_of(layer);
  if (!weight) return "its weight is computed, no parameter";
  if (program.tensor_of(*weight).dtype() != DType::float32) return "its weight is not float32";
  if (readers_of(program, weight->target()) > 1) return "its weight '" + weight->target() + "' is read by others too";
  if (const Node* bias = bias_of(layer); bias && readers_of(program, bias->target()) > 1)
    return "its bias '" + bias->target() + "' is read by others too";
  if (layer.args().size() > 2 && !layer.arg(2).is_none() && !bias_of(layer)) return "its bias is computed";
  return "";
}

Tensor own_copy(Program& program, const Node& get_attr) {
  Attribute& attribute = *program.attributes.find(get_attr.target());
  attribute.value = attribute.value.clone();
  return attribute.value;
}

Tensor bias_values(const Program& program, const Node& layer) {
  if (const Node* bias = bias_of(layer)) return program.tensor_of(*bias).to(DType::float32).clone();
  const Tensor& weight = program.tensor_of(*weight_of(layer));
  const std::int64_t channels = is_transposed_convolution(layer) ? weight.size(1) * groups_of(layer) : weight.size(0);
  return Tensor::full(DType::float32, {channels}, 0.0);
}

Tensor moved_bias(const Program& program, const Node& layer, const std::vector<double>& difference) {
  Tensor bias = bias_values(program, layer);
  for (std::size_t c = 0; c < difference.size(); ++c) bias.data<float>()[c] += static_cast<float>(difference[c]);
  return bias;
}

void set_bias(Program& program, Node& layer, const Tensor& bias) {
  Node* old = bias_of(layer);
  if (old && readers_of(program, old->target()) == 1) {
    Attribute& attribute = *program.attributes.find(old->target());
    attribute.value = bias.to(attribute.value.dtype());
    return;
  }
  const auto at = program.graph().inserting_before(layer);
  Attribute attribute;
  attribute.name = program.attributes.unused_name(layer.name() + "_bias_");
  attribute.value = bias.to(layer.type.tensor() ? layer.type.tensor()->dtype : DType::float32);
  Node& added = program.add_attribute(std::move(attribute));
  Argument::List args = layer.args();
  args.resize(std::max<std::size_t>(args.size(), 3));
  args[2] = Argument(added);
  if (!layer.arg_names.empty() && layer.arg_names.size() < 3) layer.arg_names.emplace_back("bias");
  layer.set_args(std::move(args));
}

std::vector<ObservedLayer> observed_layers(Program& prepared,
                                           const std::map<std::string, std::shared_ptr<Observer>>& observers,
                                           bool (*is_wanted)(const Node&)) {
  std::vector<ObservedLayer> layers;
  for (Node& node : prepared.graph().nodes()) {
    if (!is_wanted(node) || !weight_of(node)) continue;
    const Node* seen = node.input(1);
    const auto found = seen->kind() == NodeKind::call_module ? observers.find(seen->target()) : observers.end();
    if (found != observers.end()) layers.push_back({&node, weight_of(node), found->second.get()});
  }
  return layers;
}

}  // namespace qdq
