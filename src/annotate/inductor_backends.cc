// The recipes of PyTorch's Inductor quantizers, row by row.
#include <algorithm>

#include "annotate/inductor_recipes.h"
#include "annotate/patterns.h"

namespace qdq {
namespace {

// nn.ReLU6 is a hardtanh from 0 to 6.
bool is_hardtanh(const Node& node) {
  return is_any_of(node,
                   {"aten.hardtanh.default", "aten.hardtanh_.default", "aten.relu6.default", "aten.relu6_.default"});
}
bool is_hardswish(const Node& node) { return is_any_of(node, {"aten.hardswish.default", "aten.hardswish_.default"}); }
bool is_silu(const Node& node) { return is_any_of(node, {"aten.silu.default", "aten.silu_.default"}); }
bool is_leaky_relu(const Node& node) {
  return is_any_of(node, {"aten.leaky_relu.default", "aten.leaky_relu_.default"});
}
bool is_tanh(const Node& node) { return is_any_of(node, {"aten.tanh.default", "aten.tanh_.default"}); }
bool is_gelu(const Node& node) { return is_any_of(node, {"aten.gelu.default", "aten.gelu_.default"}); }

bool is_conv2d(const Node& node) { return node.is("aten.conv2d.default"); }

constexpr WeightedRecipe kX86Recipes[] = {
    {"conv_bn_add_relu", is_conv2d, Addend::quantized, is_relu, true},
    {"conv_bn_add", is_conv2d, Addend::quantized, nullptr, true},
    {"conv_bn_relu", is_conv2d, Addend::none, is_relu, true},
    {"conv_bn_hardtanh", is_conv2d, Addend::none, is_hardtanh, true},
    {"conv_bn_hardswish", is_conv2d, Addend::none, is_hardswish, true},
    {"conv_bn_silu", is_conv2d, Addend::none, is_silu, true},
    {"conv_bn", is_conv2d, Addend::none, nullptr, true},
    {"conv_add_relu", is_conv, Addend::quantized, is_relu},
    {"conv_add", is_conv, Addend::quantized},
    {"conv_relu", is_conv, Addend::none, is_relu},
    {"conv_hardtanh", is_conv, Addend::none, is_hardtanh},
    {"conv_hardswish", is_conv, Addend::none, is_hardswish},
    {"conv_silu", is_conv, Addend::none, is_silu},
    {"conv", is_conv},
    // In int8 the second operand of the addition would cost too much accuracy.
    {"linear_add_relu", is_linear, Addend::in_float, is_relu},
    {"linear_add", is_linear, Addend::in_float},
    {"linear_relu", is_linear, Addend::none, is_relu},
    {"linear_leaky_relu", is_linear, Addend::none, is_leaky_relu},
    {"linear_tanh", is_linear, Addend::none, is_tanh},
    {"linear_gelu", is_linear, Addend::none, is_gelu},
    {"linear", is_linear},
};

constexpr WeightedRecipe kArmRecipes[] = {
    {"conv_bn_add", is_conv2d, Addend::quantized, nullptr, true},
    {"conv_bn", is_conv2d, Addend::none, nullptr, true},
    {"conv_add", is_conv, Addend::quantized},
    {"conv", is_conv},
    {"linear_relu", is_linear, Addend::none, is_relu},
    {"linear_leaky_relu", is_linear, Addend::none, is_leaky_relu},
    {"linear_tanh", is_linear, Addend::none, is_tanh},
    {"linear_gelu", is_linear, Addend::none, is_gelu},
    {"linear", is_linear},
};

constexpr std::string_view kStayInInt8[] = {"aten.max_pool2d.default", "aten.cat.default", "aten.avg_pool2d.default",
                                            "aten.adaptive_avg_pool2d.default", "aten.flatten.using_ints"};
constexpr std::string_view kNoXpuKernel[] = {"aten.max_pool2d.default"};

constexpr std::string_view kMul = "aten.mul.Tensor";

bool contains(std::span<const std::string_view> targets, std::string_view target) {
  return std::find(targets.begin(), targets.end(), target) != targets.end();
}

}  // namespace

const InductorBackend kX86Backend{
    .name = "x86", .recipes = kX86Recipes, .quantizes_mul = true, .propagates = kStayInInt8};
const InductorBackend kArmBackend{.name = "arm", .recipes = kArmRecipes};
const InductorBackend kXpuBackend{
    .name = "xpu", .recipes = kX86Recipes, .quantizes_mul = true, .propagates = kStayInInt8, .declines = kNoXpuKernel};

bool is_default_op(const InductorBackend& backend, std::string_view target) {
  return contains(kConvOps, target) || contains(kLinearOps, target) || (backend.quantizes_mul && target == kMul) ||
         contains(backend.propagates, target);
}

bool is_quantizable_op(const InductorBackend& backend, std::string_view target) {
  return is_default_op(backend, target) || contains(kMatmulOps, target);
}

std::string quantizable_ops(const InductorBackend& backend) {
  std::string names;
  const auto add = [&](std::span<const std::string_view> targets) {
    for (const std::string_view target : targets) (names += names.empty() ? "" : ", ") += target;
  };
  add(kConvOps);
  add(kLinearOps);
  add(kMatmulOps);
  if (backend.quantizes_mul) add({&kMul, 1});
  add(backend.propagates);
  return names;
}

}  // namespace qdq
