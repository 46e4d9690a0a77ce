#include "passes/fuse_conv_bn_qat.h"

#include <algorithm>
#include <unordered_map>

#include "passes/batch_norm.h"
#include "passes/first_reader.h"
#include "passes/infer_types.h"
#include "passes/qat_conv.h"
#include "qdq/annotation.h"

namespace qdq {
namespace {

constexpr const char* kPass = "fuse_conv_bn_qat";

Argument reshaped_to(std::size_t rank, std::size_t channel_dim) {
  Argument::List sizes(rank, Argument(1));
  sizes[channel_dim] = Argument(-1);
  return Argument(std::move(sizes));
}

// Why `bn`, which reads `conv`, cannot be trained as one with it.
NoMatch why_not(const Node& bn, const QatConv& kind, const Node& conv) {
  if (bn.num_users() == 0) return NoMatch("nobody reads it");
  if (conv.num_users() > 1) return NoMatch("'" + conv.name() + "' is read by others than the batch norm");
  if (!conv.input(1)) return NoMatch("the weight of '" + conv.name() + "' is no node");
  if (kind.is_transposed && conv.args().size() > 6 && conv.arg(6) != Argument(1))
    return NoMatch("'" + conv.name() + "' is transposed and has groups: its channels are no dimension of its weight");
  for (const std::size_t i : {std::size_t{1}, std::size_t{4}})
    if (!bn.input(i)) return NoMatch(i == 1 ? "it has no weight" : "it has no running variance");
  return {};
}

// Where the annotations' places went.
using Moved = std::unordered_map<EdgeOrNode, EdgeOrNode, EdgeOrNodeHash>;

void redirect(EdgeOrNode& place, const Moved& moved) {
  if (const auto found = moved.find(place); found != moved.end()) place = found->second;
}

void redirect(QuantizationSpecBase& spec, const Moved& moved) {
  if (auto* shared = std::get_if<SharedQuantizationSpec>(&spec)) redirect(shared->edge_or_node, moved);
  if (auto* derived = std::get_if<DerivedQuantizationSpec>(&spec))
    for (EdgeOrNode& place : derived->derived_from) redirect(place, moved);
}

void redirect_annotations(Graph& graph, const Moved& moved) {
  for (Node& node : graph.nodes()) {
    if (!node.annotation) continue;
    for (auto& [producer, spec] : node.annotation->input_qspec_map) {
      EdgeOrNode edge(*producer, node);
      redirect(edge, moved);
      producer = edge.producer;
      redirect(spec, moved);
    }
    redirect(node.annotation->output_qspec, moved);
  }
}

class Fuser {
 public:
  explicit Fuser(Graph& graph) : graph_(graph) {}

  int run() {
    std::vector<Node*> batch_norms;
    for (Node& node : graph_.nodes())
      if (node.is("aten.batch_norm.default")) batch_norms.push_back(&node);
    for (const QatConv& kind : kQatConvs)
      for (const bool with_bias : {true, false})
        for (Node* bn : batch_norms) fuse(*bn, kind, with_bias);
    // torchao sets their arguments last: of the readers of a value, those that are set later stand behind.
    for (Node* conv : rewritten_) conv->set_args(conv->args());
    if (rewritten_.empty()) return 0;
    infer_types(graph_);
    redirect_annotations(graph_, moved_);
    return static_cast<int>(rewritten_.size());
  }

 private:
  void fuse(Node& bn, const QatConv& kind, bool with_bias) {
    Node* conv = bn.input(0);
    if (!conv || !conv->is(kind.target) || (conv->input(2) != nullptr) != with_bias) return;
    if (const NoMatch why = why_not(bn, kind, *conv))
      graph_.note(bn, kPass, why);
    else
      rewrite(bn, *conv, kind);
  }

  Node& call(std::string_view target, std::string_view name, Argument::List args, const Node& like) {
    Node& node = graph_.create(NodeKind::call_function, target, std::move(args), {}, name);
    for (const std::string_view key : {"nn_module_stack", "stack_trace"})
      if (const std::string* value = like.meta.find(key)) node.meta.set(key, *value);
    return node;
  }

  // `made` is for the convolution what `original`, its parameter, was.
  void stand_in(Node& made, Node& original, Node& conv) {
    made.meta = original.meta;
    made.type = original.type;
    made.annotation = original.annotation;
    moved_.emplace(EdgeOrNode(original), EdgeOrNode(made));
    moved_.emplace(EdgeOrNode(original, conv), EdgeOrNode(made, conv));
  }

  // torch.export gives parameters and inputs no module; they get the convolution's.
  static void lend_module_stack(const Node& conv, Node& node) {
    const std::string* stack = conv.meta.find("nn_module_stack");
    if (stack && !node.meta.find("nn_module_stack")) node.meta.set("nn_module_stack", *stack);
  }

  void rewrite(Node& bn, Node& conv, const QatConv& kind) {
    Node& weight = *conv.input(1);
    Node* bias = conv.input(2);
    if (conv.input(0)) lend_module_stack(conv, *conv.input(0));
    lend_module_stack(conv, weight);

    Node& end = *first_reader(bn);
    const auto at = graph_.inserting_before(end);
    Node& add = call("aten.add.Tensor", "add", {Argument(bn.input(4)), bn.arg(7)}, bn);
    Node& std = call("aten.sqrt.default", "sqrt", {Argument(add)}, bn);
    Node& scale = call("aten.div.Tensor", "div", {Argument(bn.input(1)), Argument(std)}, bn);
    Node& weight_scale = call("aten.reshape.default", "reshape",
                              {Argument(scale), reshaped_to(kind.rank, kind.is_transposed ? 1 : 0)}, bn);
    Node& scaled = call("aten.mul.Tensor", "mul", {Argument(weight), Argument(weight_scale)}, conv);
    stand_in(scaled, weight, conv);
    Argument::List args = conv.args();
    args.resize(std::max<std::size_t>(args.size(), 3));
    args[1] = Argument(scaled);
    if (bias) args[2] = Argument(zeros_like(*bias, conv));
    place(conv, std::move(args), end);

    const Argument along_channels = reshaped_to(kind.rank, 1);
    Node& output_scale = call("aten.reshape.default", "reshape_1", {Argument(scale), along_channels}, bn);
    Node* result = &call("aten.div.Tensor", "div_1", {Argument(conv), Argument(output_scale)}, conv);
    result->type = conv.type;
    if (bias) {
      Node& shift = call("aten.reshape.default", "reshape_2", {Argument(*bias), along_channels}, conv);
      result = &call("aten.add.Tensor", "add_1", {Argument(*result), Argument(shift)}, conv);
      result->type = conv.type;
    }
    Argument::List bn_args = bn.args();
    bn_args[0] = Argument(*result);
    bn_args[5] = Argument(true);
    place(bn, std::move(bn_args), end);
    for (Node* reader : bn.users()) reader->set_args(reader->args());
    rewritten_.push_back(&conv);
  }

  Node& zeros_like(Node& bias, Node& conv) {
    const TensorMeta* input = conv.input(0) ? conv.input(0)->type.tensor() : nullptr;
    Node& zeros = call("aten.zeros_like.default", "zeros_like", {Argument(bias)}, conv);
    zeros.set_kwargs({{"dtype", Argument(input ? input->dtype : DType::float32)}, {"pin_memory", Argument(false)}});
    stand_in(zeros, bias, conv);
    return zeros;
  }

  // Moves a node to the end of the new form, under the name that a new node would get.
  void place(Node& node, Argument::List args, Node& end) {
    node.set_args(std::move(args));
    graph_.move_before(node, end);
    graph_.rename(node, graph_.unique_name(plain_name(node)));
  }

  Graph& graph_;
  Moved moved_;
  std::vector<Node*> rewritten_;
};

}  // namespace

bool is_scaled_weight(const Node& node) {
  if (!node.is("aten.mul.Tensor")) return false;
  const Node* reshape = node.input(1);
  const Node* scale = reshape && reshape->is("aten.reshape.default") ? reshape->input(0) : nullptr;
  const Node* std = scale && scale->is("aten.div.Tensor") ? scale->input(1) : nullptr;
  return std && std->is("aten.sqrt.default") && node.input(0) && node.input(0)->kind() == NodeKind::get_attr;
}

int fuse_conv_bn_qat(Graph& graph) { return Fuser(graph).run(); }

}  // namespace qdq
