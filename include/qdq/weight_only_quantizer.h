#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "qdq/quantizer.h"

namespace qdq {

struct WeightOnlyOptions {
  std::int64_t bits = 8;  // 2 to 8, stored in int8
  std::optional<std::int64_t> group_size =
      {};  // a scale for each run of so many inputs; empty: for each output channel
};

// The spec of a weight: symmetric. Throws InvalidArgumentError for other numbers of bits and a group of less than 1.
QuantizationSpec weight_only_spec(const WeightOnlyOptions& options = {});

// Weights of convolutions and linears, nothing else: any batch will do for calibration. Groups are for
// linears; convolutions, and linears whose inputs the groups do not divide, stay in float then.
class WeightOnlyQuantizer : public Quantizer {
 public:
  explicit WeightOnlyQuantizer(const WeightOnlyOptions& options = {});
  // Nodes for which `filter` is true stay in float.
  WeightOnlyQuantizer& exclude(NodeFilter filter);

  std::string name() const override { return "weight_only"; }
  void annotate(Program& program) override;

 private:
  WeightOnlyOptions options_;
  QuantizationSpec spec_;
  std::vector<NodeFilter> excluded_;
};

}  // namespace qdq
