#include "accuracy/layer_pairs.h"

#include "accuracy/factor_ops.h"
#include "accuracy/weighted_layers.h"

namespace qdq {
namespace {

class PairFinder {
 public:
  PairFinder(Program& program, std::vector<SkippedLayer>& skipped) : program_(program), skipped_(skipped) {}

  std::vector<LayerPair> run() {
    std::vector<LayerPair> pairs;
    for (Node& node : program_.graph().nodes()) {
      if (!is_weighted(node)) continue;
      if (std::string why = why_not_own(program_, node); !why.empty()) {
        skip(node, std::move(why));
      } else {
        find_second(node, pairs);
      }
    }
    return pairs;
  }

 private:
  void skip(const Node& node, std::string why) { skipped_.push_back({node.name(), std::move(why)}); }

  void find_second(Node& first, std::vector<LayerPair>& pairs) {
    LayerPair pair{&first, nullptr, nullptr, nullptr};
    const Node* at = &first;
    while (true) {
      if (at->num_users() != 1)
        return skip(first, "'" + at->name() + "' is read by " + std::to_string(at->num_users()) + " ops");
      Node* next = at->users().front();
      if (next->input(0) != at) return skip(first, "'" + next->name() + "' (" + next->target() + ") reads it");
      if (is_weighted(*next)) {
        if (why_not_own(program_, *next).empty() && channels_match(first, *next)) {
          pair.second = next;
          pairs.push_back(pair);
        } else {
          skip(first, "the weight of '" + next->name() + "' behind it is not its own or counts channels otherwise");
        }
        return;
      }
      if (is_relu_op(*next)) {
        pair.relu = next;
      } else if (upper_clamp(*next)) {
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
