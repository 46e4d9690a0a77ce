#include "accuracy/layer_pairs.h"

#include <algorithm>
#include <array>

#include "accuracy/weighted_layers.h"

namespace qdq {
namespace {

bool is_any_of(const Node& node, std::span<const std::string_view> targets) {
  return node.kind() == NodeKind::call_function && std::ranges::find(targets, node.target()) != targets.end();
}

bool is_relu(const Node& node) { return node.is("aten.relu.default") || node.is("aten.relu_.default"); }

// Clamps from 0 to a positive number.
bool is_relu6(const Node& node) {
  if (node.is("aten.relu6.default") || node.is("aten.relu6_.default")) return true;
  if (!node.is("aten.hardtanh.default") && !node.is("aten.hardtanh_.default")) return false;
  return node.args().size() == 3 && node.arg(1).to_double() == 0 && node.arg(2).to_double() > 0;
}

// f(s x) = s f(x) per channel for s > 0, and channels stay what they are.
bool lets_factors_through(const Node& node) {
  static constexpr std::string_view targets[] = {
      "aten.leaky_relu.default", "aten.leaky_relu_.default",         "aten.dropout.default",
      "aten.max_pool1d.default", "aten.max_pool2d.default",          "aten.avg_pool1d.default",
      "aten.avg_pool2d.default", "aten.adaptive_avg_pool1d.default", "aten.adaptive_avg_pool2d.default"};
  return is_relu(node) || is_any_of(node, targets);
}

// [N, C, 1, 1] -> [N, C]
bool drops_single_pixels(const Node& node) {
  const TensorMeta* from = node.input(0) ? node.input(0)->type.tensor() : nullptr;
  const TensorMeta* to = node.type.tensor();
  return node.is("aten.flatten.using_ints") && from && to && to->sizes.size() == 2 && from->sizes.size() > 2 &&
         from->sizes[1] == to->sizes[1];
}

class PairFinder {
 public:
  PairFinder(Program& program, std::vector<SkippedLayer>& skipped) : program_(program), skipped_(skipped) {}

  std::vector<LayerPair> run() {
    std::vector<LayerPair> pairs;
    for (Node& node : program_.graph().nodes()) {
      if (!is_weighted(node)) continue;
      if (std::string why = why_not_own(node); !why.empty()) {
        skip(node, std::move(why));
      } else {
        find_second(node, pairs);
      }
    }
    return pairs;
  }

 private:
  void skip(const Node& node, std::string why) { skipped_.push_back({node.name(), std::move(why)}); }

  std::string why_not_own(const Node& layer) const {
    const Node* weight = weight_of(layer);
    if (!weight) return "its weight is computed, no parameter";
    if (program_.tensor_of(*weight).dtype() != DType::float32) return "its weight is not float32";
    if (readers_of(program_, weight->target()) > 1)
      return "its weight '" + weight->target() + "' is read by others too";
    if (const Node* bias = bias_of(layer); bias && readers_of(program_, bias->target()) > 1)
      return "its bias '" + bias->target() + "' is read by others too";
    if (layer.args().size() > 2 && !layer.arg(2).is_none() && !bias_of(layer)) return "its bias is computed";
    return "";
  }

  void find_second(Node& first, std::vector<LayerPair>& pairs) {
    LayerPair pair{&first, nullptr, nullptr, nullptr};
    const Node* at = &first;
    while (true) {
      if (at->num_users() != 1)
        return skip(first, "'" + at->name() + "' is read by " + std::to_string(at->num_users()) + " ops");
      Node* next = at->users().front();
      if (next->input(0) != at) return skip(first, "'" + next->name() + "' (" + next->target() + ") reads it");
      if (is_weighted(*next)) {
        if (why_not_own(*next).empty() && channels_match(first, *next)) {
          pair.second = next;
          pairs.push_back(pair);
        } else {
          skip(first, "the weight of '" + next->name() + "' behind it is not its own or counts channels otherwise");
        }
        return;
      }
      if (is_relu(*next)) {
        pair.relu = next;
      } else if (is_relu6(*next)) {
        if (pair.relu6) return skip(first, "two clamps are behind it");
        pair.relu6 = next;
      } else if (!lets_factors_through(*next) && !drops_single_pixels(*next)) {
        return skip(first, "'" + next->name() + "' (" + next->target() + ") behind it lets no factor through");
      }
      at = next;
    }
  }

  bool channels_match(const Node& first, const Node& second) const {
    return program_.tensor_of(*weight_of(first)).size(0) ==
           program_.tensor_of(*weight_of(second)).size(1) * groups_of(second);
  }

  Program& program_;
  std::vector<SkippedLayer>& skipped_;
};

}  // namespace

std::vector<LayerPair> layer_pairs(Program& program, std::vector<SkippedLayer>& skipped) {
  return PairFinder(program, skipped).run();
}

}  // namespace qdq
