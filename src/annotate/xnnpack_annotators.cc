// The patterns of PyTorch's XNNPACK quantizer, one annotator each, in a table at the end.
#include <algorithm>
#include <cmath>

#include "annotate/patterns.h"
#include "qdq/xnnpack_quantizer.h"

namespace qdq {
namespace {

using Predicate = bool (*)(const Node&);

// Alone, a 3d or `padding="same"` convolution stays in float; with a ReLU behind it, it is quantized. So does PyTorch.
bool is_lone_conv(const Node& node) { return is_any_of(node, {"aten.conv1d.default", "aten.conv2d.default"}); }

// Attributes belong to no module call, so a filter has nothing to say about them.
bool passes(const NodeFilter& filter, std::span<Node* const> partition) {
  return !filter || std::all_of(partition.begin(), partition.end(),
                                [&](const Node* node) { return node->kind() == NodeKind::get_attr || filter(*node); });
}

bool is_free(std::span<Node* const> partition, const NodeFilter& filter) {
  return !is_annotated(partition) && passes(filter, partition);
}

// The op that a ReLU may be fused with: its producer, unless somebody else reads that too.
Node* fusable_producer(const Node& relu, Predicate wanted) {
  Node* producer = relu.input(0);
  return producer && wanted(*producer) && producer->num_users() == 1 ? producer : nullptr;
}

// op(input, weight[, bias]) with the output spec on `output`, which is the op itself or a ReLU behind it.
void annotate_weighted(Node& op, Node& output, const char* rule, const QuantizationConfig& config,
                       const NodeFilter& filter, Partitions& partitions) {
  Node* input = op.input(0);
  Node* weight = op.input(1);
  Node* bias = op.input(2);
  if (!input || !weight) return;
  std::vector<Node*> partition;
  if (&output != &op) partition.push_back(&output);
  partition.push_back(&op);
  partition.push_back(weight);
  if (bias) partition.push_back(bias);
  if (!is_free(partition, filter)) return;

  op.annotation = new_annotation(rule);
  op.annotation->set_input_qspec(*input, input_act_qspec(config));
  op.annotation->set_input_qspec(*weight, weight_qspec(config));
  if (bias) op.annotation->set_input_qspec(*bias, bias_qspec(config));
  if (&output != &op) output.annotation = new_annotation(rule);
  output.annotation->output_qspec = output_act_qspec(config);
  mark_as_annotated(partition);
  partitions.push_back(std::move(partition));
}

// a op b with the output spec on `output`.
void annotate_binary(const Program& program, Node& op, Node& output, const char* rule, const QuantizationConfig& config,
                     const NodeFilter& filter, Partitions& partitions);

template <typename Annotate>
Partitions for_each_op(Program& program, Predicate is_op, Annotate&& annotate) {
  Partitions partitions;
  for (Node& node : program.graph().nodes())
    if (is_op(node)) annotate(node, node, partitions);
  return partitions;
}

template <typename Annotate>
Partitions for_each_op_with_relu(Program& program, Predicate is_op, Annotate&& annotate) {
  Partitions partitions;
  for (Node& node : program.graph().nodes()) {
    if (!is_relu(node)) continue;
    if (Node* op = fusable_producer(node, is_op)) annotate(*op, node, partitions);
  }
  return partitions;
}

Partitions annotate_conv(Program& program, const QuantizationConfig& config, const NodeFilter& filter) {
  return for_each_op(program, is_lone_conv, [&](Node& op, Node& output, Partitions& partitions) {
    annotate_weighted(op, output, "conv", config, filter, partitions);
  });
}

template <Predicate is_op>
Partitions annotate_weighted_relu(Program& program, const QuantizationConfig& config, const NodeFilter& filter) {
  const char* rule = is_op == is_linear ? "linear_relu" : is_op == is_conv ? "conv_relu" : "conv_transpose_relu";
  return for_each_op_with_relu(program, is_op, [&](Node& op, Node& output, Partitions& partitions) {
    annotate_weighted(op, output, rule, config, filter, partitions);
  });
}

template <Predicate is_op>
Partitions annotate_binary_alone(Program& program, const QuantizationConfig& config, const NodeFilter& filter) {
  return for_each_op(program, is_op, [&](Node& op, Node& output, Partitions& partitions) {
    annotate_binary(program, op, output, is_op == is_add ? "add" : "mul", config, filter, partitions);
  });
}

template <Predicate is_op>
Partitions annotate_binary_relu(Program& program, const QuantizationConfig& config, const NodeFilter& filter) {
  return for_each_op_with_relu(program, is_op, [&](Node& op, Node& output, Partitions& partitions) {
    annotate_binary(program, op, output, is_op == is_add ? "add_relu" : "mul_relu", config, filter, partitions);
  });
}

// Those that train as one with their batch norm.
bool is_trainable_conv_transpose(const Node& node) {
  return is_any_of(node, {"aten.conv_transpose1d.default", "aten.conv_transpose2d.input"});
}

// conv -> batch norm [-> relu]: inputs on the convolution, the output spec on the last op.
template <Predicate is_op, bool has_relu>
Partitions annotate_conv_bn(Program& program, const QuantizationConfig& config, const NodeFilter& filter) {
  const std::string rule =
      std::string(is_op == is_lone_conv ? "conv_bn" : "conv_transpose_bn") + (has_relu ? "_relu" : "");
  Partitions partitions;
  for (Node& output : program.graph().nodes()) {
    if (has_relu && !is_relu(output)) continue;
    Node* bn = has_relu ? fusable_producer(output, is_batch_norm) : is_batch_norm(output) ? &output : nullptr;
    Node* op = bn ? fusable_producer(*bn, is_op) : nullptr;
    if (!op || !op->input(0) || !op->input(1)) continue;
    std::vector<Node*> partition = {op, op->input(1)};
    if (Node* bias = op->input(2)) partition.push_back(bias);
    if (!is_free(partition, filter)) continue;
    op->annotation = new_annotation(rule);
    op->annotation->set_input_qspec(*op->input(0), input_act_qspec(config));
    op->annotation->set_input_qspec(*op->input(1), weight_qspec(config));
    if (Node* bias = op->input(2)) op->annotation->set_input_qspec(*bias, bias_qspec(config));
    output.annotation = new_annotation(rule);
    output.annotation->output_qspec = output_act_qspec(config);
    mark_as_annotated(partition);
    partitions.push_back(std::move(partition));
  }
  return partitions;
}

// A linear is taken even when its weight is shared with one that is annotated already.
Partitions annotate_linear(Program& program, const QuantizationConfig& config, const NodeFilter& filter) {
  Partitions partitions;
  for (Node& node : program.graph().nodes()) {
    Node* self = &node;
    if (!is_linear(node) || !node.input(0) || !node.input(1) || !is_free({&self, 1}, filter)) continue;
    std::vector<Node*> partition = {&node, node.input(1)};
    auto& annotation = annotation_of(node);
    annotation.rule = "linear";
    annotation.why_not.clear();
    annotation.set_input_qspec(*node.input(0), input_act_qspec(config));
    annotation.set_input_qspec(*node.input(1), weight_qspec(config));
    if (Node* bias = node.input(2)) {
      annotation.set_input_qspec(*bias, bias_qspec(config));
      partition.push_back(bias);
    }
    annotation.output_qspec = output_act_qspec(config);
    mark_as_annotated(partition);
    partitions.push_back(std::move(partition));
  }
  return partitions;
}

// A histogram cannot be taken of values beyond this (torch.histc), nor of anything but float32. "" when it can.
std::string why_not_observable(const Program& program, const Node& node) {
  constexpr double kLargestObservable = 3.4028235e15;
  const TensorMeta* meta = node.type.tensor();
  if (!meta || meta->dtype != DType::float32)
    return "its input '" + node.name() + "' is no float32 tensor" +
           (meta ? " but " + std::string(name(meta->dtype)) : "");
  if (node.kind() != NodeKind::get_attr) return "";
  const Tensor& value = program.tensor_of(node);
  if (value.numel() != 1 || !(std::fabs(value.item()) > kLargestObservable)) return "";
  return "its constant '" + node.name() + "' is too large for a histogram";
}

void annotate_binary(const Program& program, Node& op, Node& output, const char* rule, const QuantizationConfig& config,
                     const NodeFilter& filter, Partitions& partitions) {
  std::vector<Node*> partition;
  if (&output != &op) partition.push_back(&output);
  partition.push_back(&op);
  if (!is_free(partition, filter)) return;
  auto annotation = new_annotation(rule);
  for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
    Node* input = op.input(i);
    if (!input) continue;
    if (std::string why = why_not_observable(program, *input); !why.empty()) {
      if (is_float_tensor(op)) decline(op, std::move(why));
      return;
    }
    annotation->set_input_qspec(*input, input_act_qspec(config));
    partition.push_back(input);
  }
  op.annotation = std::move(annotation);
  if (&output != &op) output.annotation = new_annotation(rule);
  output.annotation->output_qspec = output_act_qspec(config);
  partitions.push_back(std::move(partition));
}

// Averaging keeps the range: the output shares the input's observer, and the input that of its annotated producer.
Partitions annotate_adaptive_avg_pool2d(Program& program, const QuantizationConfig& config, const NodeFilter& filter) {
  Partitions partitions;
  for (Node& node : program.graph().nodes()) {
    Node* self = &node;
    Node* input = node.input(0);
    if (!node.is("aten.adaptive_avg_pool2d.default") || !input || !is_free({&self, 1}, filter)) continue;
    const auto& from = input->annotation;
    node.annotation = new_annotation("adaptive_avg_pool2d");
    if (from && from->annotated && has_spec(from->output_qspec))
      node.annotation->set_input_qspec(*input, SharedQuantizationSpec{*input});
    else
      node.annotation->set_input_qspec(*input, input_act_qspec(config));
    node.annotation->output_qspec = SharedQuantizationSpec{{*input, node}};
    partitions.push_back({&node});
  }
  return partitions;
}

// Only what goes in and out of a GRU is quantized, not its cells.
Partitions annotate_gru_io_only(Program& program, const QuantizationConfig& config, const NodeFilter& filter) {
  Partitions partitions;
  for (Node& node : program.graph().nodes()) {
    if (!node.is("aten.gru.input") || !node.input(0) || !node.input(1)) continue;
    std::vector<Node*> partition = {&node};
    for (Node* user : node.users())
      if (user->is("operator.getitem")) partition.push_back(user);
    if (!is_free(partition, filter)) continue;
    node.annotation = new_annotation("gru_io_only");
    node.annotation->set_input_qspec(*node.input(0), input_act_qspec(config));
    node.annotation->set_input_qspec(*node.input(1), input_act_qspec(config));
    for (Node* item : std::span(partition).subspan(1)) {
      item->annotation = new_annotation("gru_io_only");
      item->annotation->output_qspec = output_act_qspec(config);
    }
    partitions.push_back(std::move(partition));
  }
  return partitions;
}

// All pieces and the whole share one observer, that of the first piece.
Partitions annotate_cat(Program& program, const QuantizationConfig& config, const NodeFilter& filter) {
  Partitions partitions;
  for (Node& node : program.graph().nodes()) {
    Node* self = &node;
    if (!node.is("aten.cat.default") || !is_free({&self, 1}, filter)) continue;
    const std::vector<Node*> pieces = node.inputs();
    if (pieces.empty()) continue;
    const SharedQuantizationSpec shared{{*pieces[0], node}};
    node.annotation = new_annotation("cat");
    node.annotation->set_input_qspec(*pieces[0], input_act_qspec(config));
    for (Node* piece : std::span(pieces).subspan(1)) node.annotation->set_input_qspec(*piece, shared);
    node.annotation->output_qspec = shared;
    partitions.push_back({&node});
  }
  return partitions;
}

constexpr OpAnnotator kAnnotators[] = {
    {"conv_bn_relu", annotate_conv_bn<is_lone_conv, true>, true},
    {"conv_bn", annotate_conv_bn<is_lone_conv, false>, true},
    {"conv_transpose_bn_relu", annotate_conv_bn<is_trainable_conv_transpose, true>, true},
    {"conv_transpose_bn", annotate_conv_bn<is_trainable_conv_transpose, false>, true},
    {"linear_relu", annotate_weighted_relu<is_linear>},
    {"linear", annotate_linear},
    {"conv_relu", annotate_weighted_relu<is_conv>},
    {"conv", annotate_conv},
    {"conv_transpose_relu", annotate_weighted_relu<is_conv_transpose>},
    {"adaptive_avg_pool2d", annotate_adaptive_avg_pool2d},
    {"gru_io_only", annotate_gru_io_only},
    {"add_relu", annotate_binary_relu<is_add>},
    {"add", annotate_binary_alone<is_add>},
    {"mul_relu", annotate_binary_relu<is_mul>},
    {"mul", annotate_binary_alone<is_mul>},
    {"cat", annotate_cat},
};

}  // namespace

std::span<const OpAnnotator> op_annotators() { return kAnnotators; }

Annotator op_to_annotator(std::string_view name) {
  std::string known;
  for (const OpAnnotator& row : kAnnotators) {
    if (row.name == name) return row.annotate;
    known += std::string(known.empty() ? "" : ", ") + row.name;
  }
  throw InvalidArgumentError("[annotate] no annotator is called '" + std::string(name) + "'; there are " + known);
}

void propagate_annotation(Program& program) {
  for (Node& node : program.graph().nodes()) {
    if (!is_any_of(
            node, {"aten.relu.default", "aten.hardtanh.default", "aten.hardtanh_.default", "aten.max_pool2d.default",
                   "aten.mean.default", "aten.mean.dim", "aten.permute.default", "aten.permute_copy.default",
                   "aten.squeeze.dim", "aten.squeeze_copy.dim", "aten.adaptive_avg_pool2d.default",
                   "aten.view_copy.default", "aten.view.default", "aten.slice_copy.Tensor", "aten.flatten.using_ints"}))
      continue;
    Node* self = &node;
    Node* producer = node.input(0);
    if (!producer || !producer->annotation || !has_spec(producer->annotation->output_qspec) || is_annotated({&self, 1}))
      continue;
    node.annotation = new_annotation("propagate");
    node.annotation->set_input_qspec(*producer, SharedQuantizationSpec{*producer});
    node.annotation->output_qspec = SharedQuantizationSpec{*producer};
  }
}

}  // namespace qdq
