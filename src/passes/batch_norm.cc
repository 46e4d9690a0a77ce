#include "passes/batch_norm.h"

#include <cmath>

namespace qdq {
namespace {

// The float parameters of one batch norm. The two ops order their arguments differently only behind `running_var`.
struct BatchNorm {
  std::vector<float> gamma, beta, mean, var;
  float eps = 0;
};

// The values of a parameter or buffer; `absent` in each channel without one.
class Reader {
 public:
  Reader(const Program& program, std::string_view pass, std::size_t channels)
      : program_(program), pass_(pass), channels_(channels) {}

  std::vector<float> argument(const Node& user, std::size_t index, float absent) const {
    if (index >= user.args().size() || user.args()[index].is_none()) return std::vector<float>(channels_, absent);
    const Node* node = user.input(index);
    if (!node || node->kind() != NodeKind::get_attr)
      throw InvalidArgumentError(
          "[" + std::string(pass_) + "] " + user.describe() + ": argument " + std::to_string(index) +
          " is expected to be a parameter or buffer" +
          (node ? ", found " + node->describe() + "; load the program in its unlifted form" : ""));
    return values(*node, user);
  }

  std::vector<float> values(const Node& get_attr, const Node& user) const {
    const Tensor tensor = program_.tensor_of(get_attr).to(DType::float32).contiguous();
    if (tensor.numel() != static_cast<std::int64_t>(channels_))
      throw InvalidArgumentError("[" + std::string(pass_) + "] " + user.describe() + ": '" + get_attr.name() +
                                 "' has " + std::to_string(tensor.numel()) + " values, expected " +
                                 std::to_string(channels_));
    return {tensor.data<float>(), tensor.data<float>() + channels_};
  }

 private:
  const Program& program_;
  std::string_view pass_;
  std::size_t channels_;
};

BatchNorm read_batch_norm(const Reader& read, const Node& bn) {
  const std::size_t eps_index = bn.is("aten.batch_norm.default") ? 7 : 6;
  BatchNorm result;
  result.gamma = read.argument(bn, 1, 1.0f);
  result.beta = read.argument(bn, 2, 0.0f);
  result.mean = read.argument(bn, 3, 0.0f);
  result.var = read.argument(bn, 4, 1.0f);
  result.eps = static_cast<float>(bn.arg(eps_index).to_double());
  return result;
}

// weight * k along `axis`. Grouped transposed convolutions keep the groups' output channels apart: channel c of group g
// is row block g, column c.
Tensor scaled(const Tensor& weight, const std::vector<float>& k, std::int64_t axis, std::int64_t groups) {
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

}  // namespace

bool is_foldable_batch_norm(const Node& node) {
  return node.is("aten.batch_norm.default") || node.is("aten._native_batch_norm_legit_no_training.default");
}

bool is_transposed(const Node& conv) { return conv.target().starts_with("aten.conv_transpose"); }

FoldedTensors fold_batch_norm(const Program& program, const Node& op, const Node& weight, const Node* bias,
                              const Node& bn, std::string_view pass) {
  const Tensor& old_weight = program.tensor_of(weight);
  const bool is_linear = op.is("aten.linear.default");
  const std::int64_t axis = is_transposed(op) ? 1 : 0;
  const std::int64_t groups = is_transposed(op) && op.args().size() > 6 ? op.arg(6).to_int() : 1;
  const auto channels = static_cast<std::size_t>(old_weight.size(axis) * groups);
  const DType bias_dtype = bias ? program.tensor_of(*bias).dtype() : old_weight.dtype();
  if (old_weight.is_meta())  // a program of sizes only
    return {old_weight, Tensor::meta(bias_dtype, {static_cast<std::int64_t>(channels)})};
  const Reader read(program, pass, channels);
  const BatchNorm norm = read_batch_norm(read, bn);
  std::vector<float> new_bias = bias ? read.values(*bias, op) : std::vector<float>(channels, 0.0f);
  std::vector<float> k(channels);
  for (std::size_t c = 0; c < channels; ++c) {
    const float rsqrt = 1.0f / std::sqrt(norm.var[c] + norm.eps);
    k[c] = norm.gamma[c] * rsqrt;
    // PyTorch multiplies in another order behind a linear; the last bit depends on it.
    const float centred = new_bias[c] - norm.mean[c];
    new_bias[c] = (is_linear ? centred * k[c] : centred * rsqrt * norm.gamma[c]) + norm.beta[c];
  }
  const Tensor float_bias =
      Tensor::from<float>(std::span<const float>(new_bias), {static_cast<std::int64_t>(channels)});
  return {scaled(old_weight, k, axis, groups), float_bias.to(bias_dtype)};
}

void set_bias(Program& program, Node& op, const std::string& name) {
  auto at = program.graph().inserting_before(op);
  Node& bias = program.graph().get_attr(name);
  bias.type.v = meta_of(program.attributes.tensor(name));
  Argument::List args = op.args();
  if (args.size() < 3) args.resize(3);
  args[2] = Argument(bias);
  if (!op.arg_names.empty() && op.arg_names.size() < 3) op.arg_names.emplace_back("bias");
  op.set_args(std::move(args));
}

}  // namespace qdq
