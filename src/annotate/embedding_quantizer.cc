#include "qdq/embedding_quantizer.h"

#include "annotate/patterns.h"
#include "annotate/stay_in_float.h"

namespace qdq {

QuantizationConfig embedding_config() {
  ObserverOptions with_eps;
  with_eps.eps = 1.0 / 4096;
  QuantizationSpec weight;
  weight.dtype = DType::uint8;
  weight.observer_or_fake_quant_ctr = per_channel_min_max_observer(with_eps);
  weight.qscheme = QScheme::per_channel_affine_float_qparams;
  weight.ch_axis = 0;
  QuantizationConfig config;
  config.weight = std::move(weight);
  return config;
}

EmbeddingQuantizer& EmbeddingQuantizer::exclude(NodeFilter filter) {
  excluded_.push_back(std::move(filter));
  return *this;
}

void EmbeddingQuantizer::annotate(Program& program) {
  leave_excluded_in_float(program, excluded_, /*observe_masks=*/true);
  for (Node& node : program.graph().nodes()) {
    Node* self = &node;
    if (!node.is("aten.embedding.default") || !node.input(0) || is_annotated({&self, 1})) continue;
    node.annotation = new_annotation("embedding");
    node.annotation->set_input_qspec(*node.input(0), *embedding_config().weight);
  }
}

}  // namespace qdq
