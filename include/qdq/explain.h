#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "qdq/dtype.h"
#include "qdq/quantize.h"

namespace qdq {

// How a value is quantized on its way from the op that makes it to an op that reads it. What a file of another program does
// not say is empty.
struct QuantizedTensor {
  std::string name;           // of the node that makes the value: "relu_1", "p_conv_weight"
  DType dtype = DType::int8;  // of the quantized elements; float16 for a place that is only cast
  std::string scheme;         // "per_tensor_affine", "per_channel_symmetric", ..., "affine [1, 32]": the blocks
  bool is_dynamic = false;    // scale and zero point are chosen in each run
  std::optional<std::int64_t> ch_axis;    // per channel
  std::optional<std::int64_t> quant_min;  // bounds of the quantized elements
  std::optional<std::int64_t> quant_max;
  std::vector<double> scale;       // one, or one for each channel or block; empty: not known before a run
  std::vector<double> zero_point;  // as many; empty for ZeroPointDomain::none, which has none
  std::string observer;            // the class that chose the range: "HistogramObserver"
  std::optional<std::pair<double, double>> observed;  // the least and the greatest value that the observer saw

  // The real values that have a quantized one, from the first to the last over all channels: (quant_min - zero_point) *
  // scale to (quant_max - zero_point) * scale. Values observed outside of it are clamped. Empty without scale or bounds.
  std::optional<std::pair<double, double>> range() const;
};

// What became of one op, and why.
struct ExplainedOp {
  const Node* node;
  bool quantized = false;                // counts as quantized (QuantizationSummary)
  std::string rule;                      // "x86.conv_relu": the quantizer and its rule that annotated it; "" for none
  std::string why_not;                   // why it has no rule, or why it is in float in spite of one; else ""
  std::vector<QuantizedTensor> inputs;   // those that are quantized, in argument order
  std::vector<QuantizedTensor> outputs;  // how its result is quantized for those that read it; one for each way
};

// The ops of a converted program, in graph order. It can come from a file: prepare and convert write down what is needed
// in the metadata of the nodes (kQuantizationRule, kQuantizationWhyNot, kQuantizationObserver ...). For a file of another
// program, rules, reasons and observers are empty or follow from the graph.
std::vector<ExplainedOp> explain(const Program& program);
// The same before convert: what is going to be quantized. Scales are those that the observers would choose now.
std::vector<ExplainedOp> explain(const PreparedProgram& prepared);

}  // namespace qdq
