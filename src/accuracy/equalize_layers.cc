#include <algorithm>
#include <cmath>

#include "accuracy/factor_ops.h"
#include "accuracy/layer_pairs.h"
#include "accuracy/weighted_layers.h"
#include "passes/fuse_batch_norm.h"
#include "qdq/accuracy.h"

namespace qdq {
namespace {

using Factors = std::vector<float>;

class Equalizer {
 public:
  Equalizer(Program& program, const EqualizeOptions& options) : program_(program), options_(options) {}

  AccuracyReport run() {
    AccuracyReport report;
    std::vector<LayerPair> pairs = layer_pairs(program_, report.skipped);
    std::erase_if(pairs, [&](const LayerPair& pair) {
      if (!pair.relu6 || options_.split_relu6) return false;
      report.skipped.push_back({pair.first->name(), "'" + pair.relu6->name() + "' behind it clamps at one number"});
      return true;
    });
    std::vector<Factors> totals;
    for (const LayerPair& pair : pairs)
      totals.emplace_back(static_cast<std::size_t>(program_.tensor_of(*weight_of(*pair.first)).size(0)), 1.0F);
    for (int sweep = 0; sweep < options_.sweeps; ++sweep) {
      float furthest = 0;
      for (std::size_t i = 0; i < pairs.size(); ++i) furthest = std::max(furthest, equalize(pairs[i], totals[i]));
      if (furthest < 1e-3F) break;
    }
    for (std::size_t i = 0; i < pairs.size(); ++i)
      if (pairs[i].relu6) split(pairs[i], totals[i]);
    report.changed = static_cast<std::int64_t>(pairs.size());
    return report;
  }

 private:
  // Returns how far the furthest factor is from 1.
  float equalize(const LayerPair& pair, Factors& total) {
    const Tensor first = own_copy(program_, *weight_of(*pair.first));
    const Tensor second = own_copy(program_, *weight_of(*pair.second));
    const std::int64_t groups = groups_of(*pair.second);
    Factors range_1(total.size(), 0.0F);
    Factors range_2(total.size(), 0.0F);
    float* w1 = first.data<float>();
    float* w2 = second.data<float>();
    for_each_output_channel(first.sizes(),
                            [&](std::size_t c, std::int64_t i) { range_1[c] = std::max(range_1[c], std::abs(w1[i])); });
    for_each_input_channel(second.sizes(), groups,
                           [&](std::size_t c, std::int64_t i) { range_2[c] = std::max(range_2[c], std::abs(w2[i])); });
    Factors s(total.size(), 1.0F);
    float furthest = 0;
    for (std::size_t c = 0; c < s.size(); ++c) {
      // A channel of zeros has no range to share.
      if (range_1[c] > 0 && range_2[c] > 0) s[c] = std::sqrt(range_1[c] / range_2[c]);
      if (!std::isfinite(s[c]) || s[c] <= 0) s[c] = 1;
      total[c] *= s[c];
      furthest = std::max(furthest, std::abs(s[c] - 1));
    }
    for_each_output_channel(first.sizes(), [&](std::size_t c, std::int64_t i) { w1[i] /= s[c]; });
    for_each_input_channel(second.sizes(), groups, [&](std::size_t c, std::int64_t i) { w2[i] *= s[c]; });
    if (const Node* bias = bias_of(*pair.first)) {
      float* b = own_copy(program_, *bias).data<float>();
      for (std::size_t c = 0; c < s.size(); ++c) b[c] /= s[c];
    }
    return furthest;
  }

  // relu6(s x) = s min(relu(x), 6 / s)
  void split(const LayerPair& pair, const Factors& total) {
    Node& relu6 = *pair.relu6;
    const auto limit = static_cast<float>(*upper_clamp(relu6));
    Factors limits;
    for (const float s : total) limits.push_back(limit / s);
    const std::size_t dims = relu6.type.tensor() ? relu6.type.tensor()->sizes.size() : 4;
    Shape sizes(dims, 1);
    sizes[static_cast<std::size_t>(channel_dim(*pair.first, static_cast<std::int64_t>(dims)))] =
        static_cast<std::int64_t>(limits.size());
    Graph& graph = program_.graph();
    const auto at = graph.inserting_before(relu6);
    Node& relu = graph.call_function("aten.relu.default", {*relu6.input(0)});
    Attribute bounds;
    bounds.name = program_.attributes.unused_name(relu6.name() + "_max_");
    bounds.kind = AttributeKind::buffer;
    bounds.value = Tensor::from<float>(std::span<const float>(limits), sizes);
    Node& bound = program_.add_attribute(std::move(bounds));
    Node& clamped = graph.call_function("aten.minimum.default", {relu, bound});
    for (Node* made : {&relu, &clamped}) {
      made->type = relu6.type;
      made->meta = relu6.meta;
    }
    relu6.replace_all_uses_with(clamped);
    graph.erase(relu6);
  }

  Program& program_;
  EqualizeOptions options_;
};

}  // namespace

AccuracyReport equalize_layers(Program& program, const EqualizeOptions& options) {
  fuse_conv_bn(program);
  fuse_linear_bn(program);
  return Equalizer(program, options).run();
}

}  // namespace qdq
