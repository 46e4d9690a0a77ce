#include "accuracy/smooth_groups.h"

#include <algorithm>
#include <array>

#include "accuracy/weighted_layers.h"

namespace qdq {
namespace {

std::int64_t size_at(const Node& node, std::int64_t from_end) {
  const TensorMeta* meta = node.type.tensor();
  const auto dims = meta ? static_cast<std::int64_t>(meta->sizes.size()) : 0;
  if (dims < from_end || meta->sizes[static_cast<std::size_t>(dims - from_end)].is_symbolic()) return 0;
  return meta->sizes[static_cast<std::size_t>(dims - from_end)].value;
}

bool is_view(const Node& node) {
  return node.is("aten.view.default") || node.is("aten.reshape.default") || node.is("aten._unsafe_view.default");
}
bool is_copy(const Node& node) {
  return node.is("aten.clone.default") || node.is("aten.contiguous.default") || node.is("aten.dropout.default");
}
bool swaps_heads_and_tokens(const Node& node) {
  if (node.is("aten.transpose.int")) {
    std::array<std::int64_t, 2> dims = {node.arg(1).to_int(), node.arg(2).to_int()};
    for (std::int64_t& dim : dims) dim += dim < 0 ? 4 : 0;
    std::ranges::sort(dims);
    return dims == std::array<std::int64_t, 2>{1, 2};
  }
  return node.is("aten.permute.default") && node.arg(1).to_ints() == Shape{0, 2, 1, 3};
}

bool is_norm(const Node& node) {
  return (node.is("aten.layer_norm.default") || node.is("aten.rms_norm.default")) && node.arg(1).to_ints().size() == 1;
}

// The parameter that a mul takes each channel times; null for others.
Node* factor_of(const Node& node) {
  if (!node.is("aten.mul.Tensor")) return nullptr;
  for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
    Node* input = node.input(i);
    const TensorMeta* meta = input ? input->type.tensor() : nullptr;
    if (input && input->kind() == NodeKind::get_attr && meta && meta->sizes.size() == 1 && size_at(*input, 1) > 1)
      return input;
  }
  return nullptr;
}

class GroupFinder {
 public:
  GroupFinder(Program& program, std::vector<SkippedLayer>& skipped) : program_(program), skipped_(skipped) {}

  std::vector<SmoothGroup> run() {
    std::vector<SmoothGroup> groups;
    for (Node& node : program_.graph().nodes()) {
      std::vector<Node*> linears;
      bool has_other_readers = false;
      for (Node* user : node.users()) {
        if (is_linear_op(*user) && user->input(0) == &node)
          linears.push_back(user);
        else
          has_other_readers = true;
      }
      if (linears.empty()) continue;
      std::ranges::sort(linears, [](const Node* a, const Node* b) { return a->is_before(*b); });
      SmoothGroup group{nullptr, &node, linears, has_other_readers};
      std::string why = why_not_own(linears);
      if (why.empty()) group.source = source_of(node, why);
      if (group.source && has_other_readers && is_linear_op(*group.source)) {
        group.source = nullptr;
        why = "others read what attention makes";
      }
      if (group.source) {
        groups.push_back(group);
      } else {
        for (const Node* linear : linears) skipped_.push_back({linear->name(), why});
      }
    }
    return groups;
  }

 private:
  std::string why_not_own(const std::vector<Node*>& linears) const {
    for (const Node* linear : linears) {
      const Node* weight = weight_of(*linear);
      if (!weight) return "its weight is computed, no parameter";
      if (readers_of(program_, weight->target()) > 1)
        return "its weight '" + weight->target() + "' is read by others too";
      if (program_.tensor_of(*weight).dtype() != DType::float32) return "its weight is not float32";
    }
    return "";
  }

  Node* source_of(Node& value, std::string& why) const {
    if (is_norm(value) || factor_of(value)) return &value;
    if (Node* linear = attended_linear(value)) return linear;
    why = "'" + value.name() + "' (" + value.target() + ") in front of it cannot be divided";
    return nullptr;
  }

  // The linear whose rows are the channels of `value`, by way of attention; null when there is none.
  Node* attended_linear(Node& value) const {
    const Node* at = &value;
    const auto back = [&](std::size_t index) {
      at = at->input(index);
      return at && at->num_users() == 1;
    };
    if (!is_view(*at) || !back(0)) return nullptr;
    while (is_copy(*at))
      if (!back(0)) return nullptr;
    if (!swaps_heads_and_tokens(*at) || !back(0)) return nullptr;
    const bool is_matmul = at->is("aten.matmul.default");
    if (!is_matmul && !at->is("aten.scaled_dot_product_attention.default")) return nullptr;
    const std::int64_t heads = size_at(*at, 3);
    const std::int64_t width = size_at(*at, 1);
    if (!back(is_matmul ? 1 : 2)) return nullptr;
    while (is_copy(*at))
      if (!back(0)) return nullptr;
    if (!swaps_heads_and_tokens(*at) || !back(0)) return nullptr;
    const bool same_heads = is_view(*at) && size_at(*at, 2) == heads && size_at(*at, 1) == width;
    if (!same_heads || heads * width == 0 || size_at(value, 1) != heads * width || !back(0)) return nullptr;
    if (!is_linear_op(*at) || !why_not_own({const_cast<Node*>(at)}).empty()) return nullptr;
    if (const Node* bias = bias_of(*at); bias && readers_of(program_, bias->target()) > 1) return nullptr;
    return size_at(*at, 1) == heads * width ? const_cast<Node*>(at) : nullptr;
  }

  Program& program_;
  std::vector<SkippedLayer>& skipped_;
};

// An attribute with the values of `values` divided by `factors`, under a name of its own.
Node& divided(Program& program, const Node& reader, const Node* old, const std::vector<float>& factors,
              const std::string& name) {
  Tensor values = old ? program.tensor_of(*old).clone()
                      : Tensor::full(DType::float32, {static_cast<std::int64_t>(factors.size())}, 1.0);
  for (std::size_t c = 0; c < factors.size(); ++c) values.data<float>()[c] /= factors[c];
  Attribute attribute;
  attribute.name = program.attributes.unused_name(reader.name() + name);
  attribute.value = std::move(values);
  return program.add_attribute(std::move(attribute));
}

// The norm with its weight and bias divided; in the place of the old one for the linears.
void divide_norm(Program& program, const SmoothGroup& group, const std::vector<float>& factors) {
  Node& norm = *group.source;
  Graph& graph = program.graph();
  const auto at = graph.inserting_after(norm);
  Argument::List args = norm.args();
  if (const Node* factor = factor_of(norm)) {
    const std::size_t index = norm.input(0) == factor ? 0 : 1;
    args[index] = Argument(divided(program, norm, factor, factors, "_weight_"));
  } else {
    args.resize(std::max<std::size_t>(args.size(), 3));
    args[2] = Argument(divided(program, norm, norm.args().size() > 2 ? norm.input(2) : nullptr, factors, "_weight_"));
    const bool has_bias = norm.is("aten.layer_norm.default") && args.size() > 3 && args[3].node();
    if (has_bias) args[3] = Argument(divided(program, norm, args[3].node(), factors, "_bias_"));
  }
  Node& twin = graph.call_function(norm.target(), std::move(args), norm.kwargs());
  twin.type = norm.type;
  twin.meta = norm.meta;
  for (Node* linear : group.linears) linear->replace_input_with(norm, twin);
  if (!group.has_other_readers) graph.erase(norm);
}

void divide_rows(Program& program, const Node& linear, const std::vector<float>& factors) {
  for (const Node* parameter : {weight_of(linear), bias_of(linear)}) {
    if (!parameter) continue;
    Attribute& attribute = *program.attributes.find(parameter->target());
    Tensor values = attribute.value.clone();
    const std::int64_t columns = values.numel() / values.size(0);
    for (std::int64_t i = 0; i < values.numel(); ++i)
      values.data<float>()[i] /= factors[static_cast<std::size_t>(i / columns)];
    attribute.value = std::move(values);
  }
}

}  // namespace

std::vector<SmoothGroup> smooth_groups(Program& program, std::vector<SkippedLayer>& skipped) {
  return GroupFinder(program, skipped).run();
}

void apply_factors(Program& program, const SmoothGroup& group, const std::vector<float>& factors) {
  for (const Node* linear : group.linears) {
    Attribute& attribute = *program.attributes.find(weight_of(*linear)->target());
    Tensor weight = attribute.value.clone();
    for (std::int64_t i = 0; i < weight.numel(); ++i)
      weight.data<float>()[i] *= factors[static_cast<std::size_t>(i) % factors.size()];
    attribute.value = std::move(weight);
  }
  if (is_linear_op(*group.source))
    divide_rows(program, *group.source, factors);
  else
    divide_norm(program, group, factors);
}

}  // namespace qdq
