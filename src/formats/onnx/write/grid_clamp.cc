#include "formats/onnx/write/grid_clamp.h"

#include <algorithm>

#include "qdq/graph.h"

namespace qdq::onnx {
namespace {

constexpr std::string_view kQuantize = "quantized_decomposed.quantize_per_tensor.default";
constexpr std::string_view kDequantize = "quantized_decomposed.dequantize_per_tensor.default";

bool have_same_parameters(const Node& a, const Node& b) {
  return std::equal(a.args().begin() + 1, a.args().end(), b.args().begin() + 1, b.args().end());
}

const Node* only_user(const Node* node) { return node && node->num_users() == 1 ? node->users()[0] : nullptr; }

}  // namespace

std::optional<GridClamp> clamp_in_front_of(const Node& quantize) {
  const Node* clamp = quantize.is(kQuantize) ? quantize.input(0) : nullptr;
  const Node* dequantize = clamp && clamp->num_users() == 1 ? clamp->input(0) : nullptr;
  if (!dequantize || !dequantize->is(kDequantize) || dequantize->num_users() != 1) return std::nullopt;
  const Node* before = dequantize->input(0);
  if (!before || !before->is(kQuantize)) return std::nullopt;
  if (!have_same_parameters(*before, *dequantize) || !have_same_parameters(*dequantize, quantize)) return std::nullopt;
  const auto bounds = clamp_bounds(*clamp);
  return bounds ? std::optional(GridClamp{before, &quantize, *bounds}) : std::nullopt;
}

std::optional<GridClamp> clamp_behind(const Node& quantize) {
  const Node* last = only_user(only_user(only_user(&quantize)));
  const auto clamp = last ? clamp_in_front_of(*last) : std::nullopt;
  return clamp && clamp->before == &quantize ? clamp : std::nullopt;
}

}  // namespace qdq::onnx
