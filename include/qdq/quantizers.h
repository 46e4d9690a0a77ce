#pragma once
// Every quantizer that comes with qdq, and how to get one by name.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "qdq/embedding_quantizer.h"
#include "qdq/inductor_quantizer.h"
#include "qdq/quantizer.h"
#include "qdq/weight_only_quantizer.h"
#include "qdq/xnnpack_quantizer.h"

namespace qdq {

struct QuantizerOptions {
  std::optional<bool> per_channel = {};             // weights; empty: what the backend does by default
  bool is_dynamic = false;                          // activations get their range at run time
  bool reduce_range = false;                        // x86: activations of 7 bits
  bool symmetric_activations = false;               // static ones: int8 around a zero point of 0
  std::optional<std::string> observer = {};         // of static activations: "HistogramObserver", "MinMaxObserver" ...
  std::optional<std::string> weight_observer = {};  // one that knows the weights' scheme: "MSEObserver" ...
  std::int64_t weight_bits = 8;                     // 2 to 8
  std::optional<std::int64_t> group_size = {};      // weight_only: a scale for each run of so many inputs
  std::optional<double> least_scale = {};           // that an observer may choose; empty: the backend's, 2^-12 mostly
  bool observe_masks = false;                       // as PyTorch does
  std::vector<std::string> also = {};     // x86, arm, xpu: ops that are quantized on request: "aten.matmul.default"
  std::vector<std::string> exclude = {};  // patterns (pattern_filter) of nodes that stay in float
};

// "xnnpack", "x86", "arm", "xpu", "embedding", "weight_only", or several as "embedding,x86": a ComposableQuantizer.
// Throws InvalidArgumentError for a name that does not exist, listing those that do, and for an option that the quantizer
// does not have.
std::unique_ptr<Quantizer> quantizer_by_name(std::string_view name, const QuantizerOptions& options = {});
// The names that quantizer_by_name knows.
std::vector<std::string> quantizer_names();

}  // namespace qdq
