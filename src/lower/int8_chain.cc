#include "lower/int8_chain.h"

#include <algorithm>
#include <array>

#include "lower/fuse_post_ops.h"
#include "ops/clamp.h"
#include "ops/schema.h"
#include "passes/qdq_ops.h"

namespace qdq::lower {
namespace {

bool have_same_sizes(const Node& a, const Node& b) {
  const TensorMeta* left = a.type.tensor();
  const TensorMeta* right = b.type.tensor();
  return left && right && left->sizes == right->sizes;
}

// `add`, reached from `summand`, adds a dequantized value of the same sizes: sets the chain's residual.
bool take_residual(const Node& add, const Node& summand, const AliasAnalysis& aliases, Int8Chain& chain) {
  const auto call = literals_of(add);
  if (!call || call->number("alpha") != 1.0) return false;
  const Node* other = add.input(0) == &summand ? add.input(1) : add.input(0);
  if (!other || other == &summand) return false;
  if (aliases.is_mutated(*other) && !is_only_updated(*other)) return false;
  const auto grid = literal_grid(*other, kDequantizePerTensor);
  if (!grid || !have_same_sizes(*other, summand)) return false;
  chain.residual = other;
  chain.residual_grid = grid->grid;
  return true;
}

// The only user of `node`, if the node's value may stay unwritten.
const Node* sole_reader(const Node& node, const Shared& shared) {
  return node.num_users() == 1 && !shared.kept.contains(node.name()) ? node.users()[0] : nullptr;
}

// Clamps behind the chain's quantize whose result returns to the same grid only narrow its levels, as quantization is monotonic:
//
//     quantize -> dequantize -> hardtanh -> quantize      all with the same parameters
void take_clamps(Int8Chain& chain, const Shared& shared) {
  const LiteralGrid grid{chain.grid, chain.dtype};
  const auto stands_on_grid = [&](const Node& node, std::string_view target) {
    const auto found = literal_grid(node, target);
    return found && found->grid == grid.grid && found->dtype == grid.dtype;
  };
  for (;;) {
    const Node* dequantize = sole_reader(*chain.quantize, shared);
    if (!dequantize || !stands_on_grid(*dequantize, kDequantizePerTensor)) return;
    const Node* clamp = sole_reader(*dequantize, shared);
    if (clamp && clamp->meta.find(kRunInFloat)) return;
    const auto call = clamp ? literals_of(*clamp) : std::nullopt;
    const auto bounds = call && clamp->input(0) == dequantize ? clamp_bounds(*call) : std::nullopt;
    const Node* quantize = bounds ? sole_reader(*clamp, shared) : nullptr;
    if (!quantize || !stands_on_grid(*quantize, kQuantizePerTensor) || shared.aliases.is_mutated(*quantize)) return;
    const auto low = static_cast<std::int32_t>(integer::low_level({bounds->low, bounds->high}, chain.grid));
    const auto high = static_cast<std::int32_t>(integer::high_level({bounds->low, bounds->high}, chain.grid));
    chain.grid.low = low;
    chain.grid.high = high;
    chain.between.insert(chain.between.end(), {chain.quantize, dequantize, clamp});
    chain.quantize = quantize;
  }
}

}  // namespace

bool is_move(const Node& node) {
  constexpr std::array kMoves = {"aten.view.default",       "aten._unsafe_view.default", "aten.reshape.default",
                                 "aten.flatten.using_ints", "aten.transpose.int",        "aten.permute.default",
                                 "aten.t.default",          "aten.unsqueeze.default",    "aten.squeeze.dim",
                                 "aten.squeeze.dims",       "aten.contiguous.default",   "aten.clone.default"};
  return std::any_of(kMoves.begin(), kMoves.end(), [&](const char* target) { return node.is(target); });
}

std::optional<Call> literals_of(const Node& node) {
  const OpSchema* schema = node.kind() == NodeKind::call_function ? find_schema(node.target()) : nullptr;
  if (!schema) return std::nullopt;
  return bind(node, *schema, [](const Node&) { return Value(); });
}

bool is_only_updated(const Node& node) {
  if (node.num_users() != 1) return false;
  const Node& user = *node.users()[0];
  return (user.is("aten.add_.Tensor") || user.is("aten.mul_.Tensor")) && user.input(0) == &node &&
         user.input(1) != &node;
}

std::optional<LiteralGrid> literal_grid(const Node& node, std::string_view target) {
  if (!node.is(target)) return std::nullopt;
  const auto call = literals_of(node);
  for (const char* name : {"scale", "zero_point", "quant_min", "quant_max"})
    if (!call->has(name)) return std::nullopt;
  const DType dtype = plain_dtype(call->dtype("dtype", DType::uint8));
  if (dtype != DType::uint8 && dtype != DType::int8) return std::nullopt;
  const integer::Grid grid =
      integer::grid_of(call->number("scale"), static_cast<std::int64_t>(call->number("zero_point")),
                       call->integer("quant_min"), call->integer("quant_max"), dtype);
  const bool usable = grid.scale > 0 && std::isfinite(grid.scale) && grid.low >= 0 && grid.high <= 255 &&
                      grid.low <= grid.high && grid.zero_point >= 0 && grid.zero_point <= 255;
  return usable ? std::optional(LiteralGrid{grid, dtype}) : std::nullopt;
}

std::optional<Int8Chain> find_int8_chain(const Node& op, const Shared& shared, ChainWants wants) {
  Int8Chain chain;
  bool clamped = false;
  for (const Node* node = &op;;) {
    if (node->num_users() != 1 || shared.kept.contains(node->name())) return std::nullopt;
    chain.between.push_back(node);
    const Node& user = *node->users()[0];
    if (const auto grid = literal_grid(user, kQuantizePerTensor)) {
      if (shared.aliases.is_mutated(user) || user.input(0) != node) return std::nullopt;
      chain.quantize = &user;
      chain.grid = grid->grid;
      chain.dtype = grid->dtype;
      take_clamps(chain, shared);
      return chain;
    }
    if (user.is("aten.add.Tensor") || user.is("aten.add_.Tensor")) {
      const bool can = wants.residual && !chain.residual && !clamped && !chain.activation && chain.moves.empty();
      if (!can || !take_residual(user, *node, shared.aliases, chain)) return std::nullopt;
    } else {
      const auto call = literals_of(user);
      if (!call || user.input(0) != node) return std::nullopt;
      if (const auto bounds = clamp_bounds(*call)) {
        if (chain.activation) return std::nullopt;
        chain.bounds = {std::clamp(chain.bounds.low, bounds->low, bounds->high),
                        std::clamp(chain.bounds.high, bounds->low, bounds->high)};
        clamped = true;
      } else if (const auto activation = activation_of(*call)) {
        if (!wants.activation || chain.residual || clamped || chain.activation) return std::nullopt;
        chain.activation = activation;
      } else if (is_move(user)) {
        chain.moves.push_back(&user);
      } else if (!user.is("aten.dropout.default") || call->boolean("train")) {
        return std::nullopt;
      }
    }
    node = &user;
  }
}

}  // namespace qdq::lower
