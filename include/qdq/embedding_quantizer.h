#pragma once
#include <string>
#include <vector>

#include "qdq/quantizer.h"

namespace qdq {

// uint8 with a float scale and zero point for each row of the table (per_channel_affine_float_qparams).
QuantizationConfig embedding_config();

// PyTorch's EmbeddingQuantizer: the tables of embeddings, nothing else.
class EmbeddingQuantizer : public Quantizer {
 public:
  // Nodes for which `filter` is true stay in float.
  EmbeddingQuantizer& exclude(NodeFilter filter);

  std::string name() const override { return "embedding"; }
  void annotate(Program& program) override;

 private:
  std::vector<NodeFilter> excluded_;
};

}  // namespace qdq
