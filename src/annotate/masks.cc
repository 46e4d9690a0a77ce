#include "annotate/masks.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "annotate/patterns.h"
#include "base/flat_map.h"

namespace qdq {
namespace {

constexpr double kFar = 1000.0;

// What is known of a value.
struct Origin {
  bool from_integers = false;  // an integer or boolean tensor, or computed from such and constants alone
  bool from_samples = false;   // ... of 8 or 16 bits
  bool constant = false;       // computed from constants alone
  bool far = false;            // has far values
};

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Arithmetic that takes each element for itself.
bool is_arithmetic(std::string_view op) {
  constexpr std::array names = std::to_array<std::string_view>(
      {"add", "sub", "rsub", "mul", "div", "neg", "where", "masked_fill", "minimum", "maximum", "log"});
  return contains(names, op);
}

// Moves or casts elements, or builds a tensor from numbers.
bool moves_elements(std::string_view op) {
  constexpr std::array names = std::to_array<std::string_view>(
      {"view",          "_unsafe_view", "reshape",     "expand",       "expand_as", "unsqueeze", "squeeze",
       "permute",       "transpose",    "t",           "slice",        "select",    "flatten",   "unflatten",
       "contiguous",    "clone",        "to",          "_to_copy",     "type_as",   "detach",    "alias",
       "lift_fresh",    "repeat",       "tile",        "broadcast_to", "cat",       "stack",     "triu",
       "tril",          "pad",          "full",        "full_like",    "zeros",     "ones",      "zeros_like",
       "ones_like",     "new_full",     "new_zeros",   "new_ones",     "view_copy", "copy",      "expand_copy",
       "scalar_tensor", "slice_copy",   "permute_copy"});
  return contains(names, op);
}

bool is_far(double value) { return !(std::fabs(value) < kFar); }

bool is_far_literal(const Argument& argument) {
  if (const double* number = argument.get_if<double>()) return is_far(*number);
  const std::int64_t* number = argument.get_if<std::int64_t>();
  return number && is_far(static_cast<double>(*number));
}

bool has_far_element(const Tensor& tensor) {
  const Tensor values = tensor.to(DType::float32).contiguous();
  const float* data = values.data<float>();
  return std::any_of(data, data + values.numel(), [](float value) { return is_far(double{value}); });
}

bool adds(std::string_view op) { return op == "add" || op == "sub" || op == "rsub"; }

// Puts a number in the place of elements.
bool fills(std::string_view op) {
  return op == "masked_fill" || op == "where" || op == "full" || op == "full_like" || op == "new_full" ||
         op == "scalar_tensor";
}

class Masks {
 public:
  explicit Masks(const Program& program) : program_(program) {}

  std::unordered_map<const Node*, std::string> run() {
    std::unordered_map<const Node*, std::string> reasons;
    origins_.reserve(program_.graph().size());
    for (const Node& node : program_.graph().nodes()) {
      if (node.kind() == NodeKind::call_function && is_float_tensor(node))
        if (std::string reason = why(node); !reason.empty()) reasons.emplace(&node, std::move(reason));
      origins_[&node] = origin_of(node);
    }
    return reasons;
  }

 private:
  // A constant is searched for far values only when an op asks that could put them into its result.
  bool is_far_operand(const Node& node) {
    if (node.kind() != NodeKind::get_attr) return origins_.at(&node).far;
    const auto [found, is_new] = far_constants_.try_emplace(&node, false);
    if (is_new) {
      const Attribute* attribute = program_.attributes.find(node.target());
      found->second =
          attribute && attribute->value.defined() && is_float_tensor(node) && has_far_element(attribute->value);
    }
    return found->second;
  }

  bool is_mask(const Node& node) const {
    const Origin& origin = origins_.at(&node);
    return is_float_tensor(node) && origin.from_integers && !origin.from_samples;
  }

  // Why `node` should stay in float; "" if it need not.
  std::string why(const Node& node) {
    if (is_conv(node) || is_conv_transpose(node) || is_linear(node) || is_matmul(node)) return "";
    const std::string_view op = base_name(node);
    for (const Node* input : node.inputs()) {
      if (is_arithmetic(op) && is_mask(*input))
        return "its input '" + input->name() + "' is a mask: computed from integers or booleans";
      if (input->kind() == NodeKind::get_attr ? (adds(op) || fills(op)) && is_far_operand(*input)
                                              : origins_.at(input).far)
        return "its input '" + input->name() + "' has values of magnitude 1000 or more, as masks have";
    }
    return "";
  }

  Origin origin_of(const Node& node) {
    const TensorMeta* meta = node.type.tensor();
    Origin origin;
    if (node.kind() == NodeKind::get_attr || node.kind() == NodeKind::placeholder) {
      origin.constant = node.kind() == NodeKind::get_attr && is_float_tensor(node);
      origin.from_integers = meta && !is_floating_point(meta->dtype);
      origin.from_samples = origin.from_integers && meta->dtype != DType::bool_ && element_size(meta->dtype) < 4;
      return origin;
    }
    if (node.kind() != NodeKind::call_function || !meta) return origin;
    const std::string_view op = base_name(node);
    if (is_floating_point(meta->dtype) && !is_arithmetic(op) && !moves_elements(op)) return origin;
    bool all_known = true;
    for (const Node* input : node.inputs()) {
      const Origin& from = origins_.at(input);
      const bool is_size = !input->type.tensor();
      all_known &= from.from_integers || from.constant || is_size;
      origin.from_integers |= from.from_integers;
      origin.from_samples |= from.from_samples;
    }
    if (!is_floating_point(meta->dtype)) {
      origin.from_integers = true;
      origin.from_samples &= meta->dtype != DType::bool_;
      return origin;
    }
    origin.constant = all_known && !origin.from_integers;
    origin.from_integers &= all_known;
    origin.far = becomes_far(node, op, all_known);
    return origin;
  }

  bool becomes_far(const Node& node, std::string_view op, bool is_known) {
    // A number scales a mask to -1e9; the same number before an activation is its unit of measurement.
    const bool takes_numbers = (is_known && is_arithmetic(op)) || adds(op) || fills(op);
    if (takes_numbers && std::any_of(node.args().begin(), node.args().end(), is_far_literal)) return true;
    for (const Node* input : node.inputs())
      if (is_float_tensor(*input) && (is_known || takes_numbers || input->kind() != NodeKind::get_attr) &&
          is_far_operand(*input))
        return true;
    return false;
  }

  const Program& program_;
  FlatMap<const Node*, Origin> origins_;
  std::unordered_map<const Node*, bool> far_constants_;
};

}  // namespace

std::unordered_map<const Node*, std::string> ops_on_masks(const Program& program) { return Masks(program).run(); }

}  // namespace qdq
