#include "passes/fuse_batch_norm.h"

#include <cmath>
#include <unordered_set>

namespace qdq {
namespace {

bool is_batch_norm(const Node& node) {
  return node.is("aten.batch_norm.default") || node.is("aten._native_batch_norm_legit_no_training.default");
}

bool is_conv_transpose(const Node& node) { return node.target().starts_with("aten.conv_transpose"); }

bool is_conv(const Node& node) {
  const std::string& target = node.target();
  return node.kind() == NodeKind::call_function &&
         (target.starts_with("aten.conv1d.") || target.starts_with("aten.conv2d.") ||
          target.starts_with("aten.conv3d.") || is_conv_transpose(node));
}

bool is_linear(const Node& node) { return node.is("aten.linear.default"); }

// The float parameters of one batch norm. The two ops order their arguments differently only behind `running_var`.
struct BatchNorm {
  std::vector<float> gamma, beta, mean, var;
  float eps = 0;
};

std::vector<float> values(const Program& program, const Node& user, std::size_t index, std::size_t channels,
                          float absent) {
  if (index >= user.args().size() || user.args()[index].is_none()) return std::vector<float>(channels, absent);
  Node* node = user.input(index);
  if (!node || node->kind() != NodeKind::get_attr)
    throw InvalidArgumentError("[fuse_conv_bn] " + user.describe() + ": argument " + std::to_string(index) +
                               " is expected to be a parameter or buffer" +
                               (node ? ", found " + node->describe() + "; load the program in its unlifted form" : ""));
  const Tensor tensor = program.tensor_of(*node).to(DType::float32).contiguous();
  if (tensor.numel() != static_cast<std::int64_t>(channels))
    throw InvalidArgumentError("[fuse_conv_bn] " + user.describe() + ": '" + node->name() + "' has " +
                               std::to_string(tensor.numel()) + " values, expected " + std::to_string(channels));
  return {tensor.data<float>(), tensor.data<float>() + channels};
}

BatchNorm read_batch_norm(const Program& program, const Node& bn, std::size_t channels) {
  const std::size_t eps_index = bn.is("aten.batch_norm.default") ? 7 : 6;
  BatchNorm result;
  result.gamma = values(program, bn, 1, channels, 1.0f);
  result.beta = values(program, bn, 2, channels, 0.0f);
  result.mean = values(program, bn, 3, channels, 0.0f);
  result.var = values(program, bn, 4, channels, 1.0f);
  result.eps = static_cast<float>(bn.arg(eps_index).to_double());
  return result;
}

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
                                  is_batch_norm(*next[0]) && same_statistics(*next[0], bn);
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
      if (!is_batch_norm(node) || !node.input(0) || !is_op_(*node.input(0))) continue;
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
    Node* weight = op.input(1);
    if (!weight || weight->kind() != NodeKind::get_attr)
      throw InvalidArgumentError("[" + std::string(pass_) + "] the weight of " + op.describe() +
                                 " is expected to be a parameter" + (weight ? ", found " + weight->describe() : ""));
    if (!folded_.contains(weight->target())) {
      if (const NoMatch why = why_not(bn, op)) return refuse(bn, why);
      fold_tensors(op, bn, *weight);
      folded_.insert(weight->target());
    } else {
      add_bias(op, *weight);
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

  static std::string bias_name(const Node& weight) { return weight.target() + "_bias"; }

  void fold_tensors(Node& op, const Node& bn, const Node& weight) {
    const Tensor old_weight = program_.tensor_of(weight);
    const std::int64_t axis = is_conv_transpose(op) ? 1 : 0;
    const std::int64_t groups = is_conv_transpose(op) && op.args().size() > 6 ? op.arg(6).to_int() : 1;
    const auto channels = static_cast<std::size_t>(old_weight.size(axis) * groups);
    const BatchNorm norm = read_batch_norm(program_, bn, channels);
    std::vector<float> bias = values(program_, op, 2, channels, 0.0f);
    std::vector<float> k(channels);
    for (std::size_t c = 0; c < channels; ++c) {
      const float rsqrt = 1.0f / std::sqrt(norm.var[c] + norm.eps);
      k[c] = norm.gamma[c] * rsqrt;
      // PyTorch multiplies in another order behind a linear; the last bit depends on it.
      const float centred = bias[c] - norm.mean[c];
      bias[c] = (is_linear(op) ? centred * k[c] : centred * rsqrt * norm.gamma[c]) + norm.beta[c];
    }
    program_.attributes.find(weight.target())->value = scaled(old_weight, k, axis, groups);
    const Tensor new_bias = Tensor::from<float>(std::span<const float>(bias), {static_cast<std::int64_t>(channels)});
    if (Node* old = op.input(2)) {
      Attribute& attribute = *program_.attributes.find(old->target());
      attribute.value = new_bias.to(attribute.value.dtype());
      return;
    }
    Attribute attribute;
    attribute.name = bias_name(weight);
    attribute.value = new_bias.to(old_weight.dtype());
    attribute.requires_grad = true;
    program_.attributes.add(std::move(attribute));
    add_bias(op, weight);
  }

  // weight * k along `axis`. Grouped transposed convolutions keep the groups' output channels apart: channel c of group g
  // is row block g, column c.
  static Tensor scaled(const Tensor& weight, const std::vector<float>& k, std::int64_t axis, std::int64_t groups) {
    const Tensor source = weight.to(DType::float32).contiguous();
    Tensor result = Tensor::empty(DType::float32, weight.sizes());
    const float* in = source.data<float>();
    float* out = result.data<float>();
    const std::int64_t rows = weight.size(0);
    const std::int64_t columns = axis == 1 ? weight.size(1) : 1;
    const std::int64_t inner = rows * columns == 0 ? 0 : weight.numel() / (rows * columns);
    for (std::int64_t row = 0; row < rows; ++row)
      for (std::int64_t column = 0; column < columns; ++column) {
        const std::int64_t channel = axis == 0 ? row : row / (rows / groups) * columns + column;
        const float factor = k[static_cast<std::size_t>(channel)];
        for (std::int64_t i = 0; i < inner; ++i, ++in, ++out) *out = *in * factor;
      }
    return result.to(weight.dtype());
  }

  // Gives an op without bias the folded one.
  void add_bias(Node& op, const Node& weight) {
    if (op.input(2)) return;
    auto at = program_.graph().inserting_before(op);
    Node& bias = program_.graph().get_attr(bias_name(weight));
    bias.type.v = meta_of(program_.attributes.tensor(bias_name(weight)));
    Argument::List args = op.args();
    if (args.size() < 3) args.resize(3);
    args[2] = Argument(bias);
    if (!op.arg_names.empty() && op.arg_names.size() < 3) op.arg_names.emplace_back("bias");
    op.set_args(std::move(args));
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
