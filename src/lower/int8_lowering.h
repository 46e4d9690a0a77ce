#pragma once
#include <functional>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "lower/attention_pattern.h"
#include "lower/emitter.h"
#include "lower/int8_chain.h"
#include "ops/call.h"
#include "runtime/int8/convolution.h"
#include "runtime/int8/dynamic.h"
#include "runtime/int8/rows.h"

namespace qdq::lower {

// Runs the ops between dequantize and quantize on bytes:
//
//     dequantize -> conv -> relu -> quantize            becomes   int8:convolution
//     dequantize -> conv -> add(dequantize) -> quantize           int8:convolution with a residual
//     dequantize -> linear -> gelu -> quantize                    int8:linear with a function of its results
//     dequantize -> conv                                          int8:convolution with float results
//     dequantize -> batch_norm -> relu -> quantize                int8:depthwise with weights of 1
//     dequantize -> matmul(dequantize) -> quantize                int8:matmul
//     dequantize -> matmul -> softmax -> quantize -> dequantize -> matmul -> quantize      int8:attention
//     dequantize (query, key, value) -> scaled_dot_product_attention -> quantize          int8:attention, its softmax in 16 bits
//     dequantize -> max_pool                                      int8:max_pool, still dequantized
//     dequantize -> pad | upsample_nearest | cat                  copies of bytes, still dequantized
//     dequantize -> add(dequantize) -> quantize                   int8:add; either side may be broadcast, or a constant
//     dequantize -> mul(dequantize) -> quantize                   int8:mul, alike
//     dequantize -> sigmoid | div(number) -> quantize             int8:table
//     dequantize -> layer_norm | softmax -> quantize              int8:layer_norm, int8:softmax; either edge may be float
//     add -> layer_norm -> quantize                               int8:add_layer_norm; others may read the sum and the norm
//
// An op that is followed by such a chain is emitted when its quantize node is reached: then all its operands are known. What does
// not fit runs in float, with a note that says why.
class Int8Lowering {
 public:
  // `value_of` gives the values of nodes before the one that is being lowered.
  Int8Lowering(Emitter& emitter, std::function<const Value&(const Node&)> value_of)
      : emitter_(emitter), value_of_(std::move(value_of)) {}

  // The value of the call, if the engine takes part in it.
  std::optional<Value> lower(const Call& call);
  // The node is a constant weight's dequantize whose readers may well want the bytes: its value need not be computed before
  // one of them does not.
  bool defers(const Node& node) const;

 private:
  using Emit = std::function<Value()>;  // emits the steps of a chain and returns the value of its quantize node

  std::optional<Value> lower_known(const Call& call);
  std::optional<Value> lower_quantize(const Call& call);
  std::optional<Value> lower_dequantize(const Call& call);
  std::optional<Value> lower_convolution(const Call& call);
  std::optional<Value> lower_batch_norm(const Call& call);
  std::optional<Value> lower_linear(const Call& call);
  std::optional<Value> lower_matmul(const Call& call);
  std::optional<OnGrid> operand_on_grid(const Call& call, std::size_t index);
  std::optional<Value> lower_binary(const Call& call);
  std::optional<Value> lower_max_pool(const Call& call);
  std::optional<Value> lower_average(const Call& call);
  std::optional<Value> lower_cat(const Call& call);
  std::optional<Value> lower_movement(const Call& call);
  std::optional<Value> lower_unary(const Call& call);
  std::optional<Value> lower_layer_norm(const Call& call);
  std::optional<Value> lower_softmax(const Call& call);
  using EmitRows = std::function<void(const runtime::int8::Rows&, const runtime::int8::RowResults&)>;
  std::optional<Value> lower_rows(const Call& call, const Tensor& input, std::int64_t n, const EmitRows& emit);
  struct RowReaders {
    std::optional<Int8Chain> chain;
    bool also_values = false;
  };
  RowReaders readers_of_rows(const Node& node) const;

  struct PendingSum {
    Tensor a, b, sum;
    bool is_read;  // by others than the layer norm
  };
  std::optional<Value> begin_sum(const Call& call);

  // Attention between its two products.
  struct PendingAttention {
    AttentionPattern pattern;
    OnGrid query, key;
    integer::Grid probabilities;
    std::optional<Int8Chain> chain;
  };
  std::optional<Value> begin_attention(const Call& call, const OnGrid& query, const OnGrid& key);
  Value lower_attention(const Call& call, const PendingAttention& pending);
  Tensor emit_attention(const PendingAttention& pending, const OnGrid& value);
  std::optional<Value> lower_scaled_dot_product_attention(const Call& call);

  // A value that is quantized anew in each run.
  struct DynamicValue {
    runtime::int8::DynamicQuantization quantization;
    Tensor bytes, params;
  };
  bool begin_dynamic(const Call& call);
  std::optional<Value> lower_dynamic_quantize(const Call& call);
  std::optional<Value> lower_dynamic_dequantize(const Call& call);
  const DynamicValue* dynamic_input(const Node& linear) const;
  Value lower_dynamic_linear(const Call& call, const DynamicValue& input);

  // The op and what lies behind it are computed at the chain's quantize node. Returns the op's value, which nobody reads.
  Value postpone(const Int8Chain& chain, const Shape& sizes, Emit emit);
  // The bytes of the chain's op as the value of its quantize node.
  Value chain_value(const Int8Chain& chain, Tensor bytes);
  // Emits the convolution, or postpones it to the chain's end. `sizes`: of the op's value, if it is not that of `dst` (linear);
  // `phases`: of a transposed one.
  Value finish(runtime::int8::Convolution convolution, const std::optional<Int8Chain>& chain, const Shape& sizes,
               const std::vector<runtime::int8::Phase>& phases = {});
  std::nullopt_t refuse(const Call& call, const std::string& reason);
  bool reads_wide_values(const Call& call) const;

  Emitter& emitter_;
  std::function<const Value&(const Node&)> value_of_;
  std::unordered_set<const Node*> absorbed_;
  std::unordered_map<const Node*, Emit> postponed_;
  std::unordered_map<const Node*, PendingAttention> attentions_;  // by the second product
  std::unordered_map<const Node*, PendingSum> sums_;              // by the layer norm
  std::unordered_map<const Node*, DynamicValue> dynamic_;         // by the quantize node
  std::unordered_set<const Node*> skipped_;                       // their scales and zero points
};

// `bytes` [N, C, spatial...] with the channels innermost, copied if need be.
Tensor channels_innermost(const Tensor& bytes, Emitter& emitter);

}  // namespace qdq::lower
