#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include "ops/alias.h"
#include "ops/call.h"
#include "qdq/executor.h"
#include "qdq/program.h"
#include "runtime/elementwise.h"
#include "runtime/int8/transposed.h"
#include "runtime/onednn/onednn.h"
#include "runtime/plan.h"
#include "tensor/integer_math.h"

namespace qdq::lower {

// A constant int8 weight [O, K] behind a dequantize node, with one scale and zero point for each run of K / G inputs.
struct GroupedWeight {
  Tensor values;       // int8, contiguous
  Tensor scales;       // float32 [O, G]
  Tensor zero_points;  // float32 [O, G], or undefined for zeros
};

// What follows from a program's weights alone. The executors of the program share it, on several threads; plans only
// read what they were made with.
struct Constants {
  std::mutex planning;  // held while a plan is made
  runtime::onednn::WeightCache weights;
  std::unordered_map<const Node*, Value> folded;  // values of nodes that depend on weights alone
  // A weight and a bias with a batch norm folded in, by the batch norm's node.
  std::unordered_map<const Node*, std::pair<Tensor, Tensor>> folded_norms;
  // Weights of the integer engine, by the node that reads them.
  std::unordered_map<const Node*, std::shared_ptr<const runtime::int8::PackedWeights>> packed_weights;
  std::unordered_map<const Node*, std::shared_ptr<const runtime::int8::WinogradWeights>> winograd_weights;
  std::unordered_map<const Node*, std::vector<runtime::int8::Phase>> phases;  // of transposed convolutions
  std::unordered_map<const Node*, GroupedWeight> grouped_weights;
};

// What all plans of one executor share.
struct Shared {
  explicit Shared(const Program& p, bool runs_int8 = true, std::shared_ptr<Constants> c = std::make_shared<Constants>())
      : program(p), int8(runs_int8), aliases(p.graph()), constants(std::move(c)) {}

  const Program& program;
  bool int8;  // ops between dequantize and quantize run on bytes
  AliasAnalysis aliases;
  std::shared_ptr<Constants> constants;
  std::map<std::string, Tensor> state;  // attributes that the program writes to: this executor's copies
  std::unordered_set<const Storage*> state_storages;
  std::unordered_set<std::string> kept;  // names of nodes whose values the user wants
  ObserveFn observe;
  bool writable_observations = false;
};

// A convolution or linear step that is still open for post-ops. Its result is private to the one node that reads it.
struct Fusible {
  std::string name;
  std::variant<runtime::onednn::Convolution, runtime::onednn::Linear> op;

  const Tensor& dst() const;
  std::vector<runtime::PostOp>& post_ops();
  std::vector<Tensor> reads() const;
};

// A float32 value made by dequantize: `bytes` (uint8) has its sizes and strides. `dtype` is that of the graph's quantized value:
// bytes of int8 are 128 larger.
struct OnGrid {
  Tensor bytes;
  integer::Grid grid;
  DType dtype = DType::uint8;
};

// Collects the steps of one plan while the graph is walked. Values are tensors on planned storages: sizes, strides and
// identity, no memory.
class Emitter {
 public:
  explicit Emitter(Shared& shared) : shared_(shared) {}

  // New memory of the plan.
  Tensor allocate(DType dtype, const Shape& sizes);
  Tensor allocate(DType dtype, const Shape& sizes, const Shape& strides);  // dense strides
  // Memory for the current node's result: the tensor that an in-place op writes to, else new memory in the order of
  // dimensions of `like` (row-major if `like` is undefined or not of these sizes).
  Tensor allocate_result(DType dtype, const Shape& sizes, const Tensor& like = {});
  // New float32 memory [N, C, spatial...] with the channels innermost.
  Tensor allocate_channels_last(const Shape& sizes);

  void emit(runtime::Step step);

  // Values in two forms, of which the second is written only if some step reads it.
  // The float32 value of a dense uint8 or int8 value; the quantized one must not change.
  Tensor dequantized(const Tensor& quantized, const runtime::AffineParams& params);
  Tensor dequantized(const OnGrid& value);
  // The uint8 or int8 value of the graph whose bytes these are.
  Tensor quantized(const Tensor& bytes, DType dtype);
  // What a float32 value, or a view of one, was dequantized from.
  std::optional<OnGrid> on_grid(const Tensor& value);
  bool is_on_grid(const Tensor& value) const { return dequantized_.contains(value.storage().get()); }
  // Makes sure that the value is written before the next step. emit() does it for what its step reads or writes.
  void materialise(const Tensor& value);
  std::shared_ptr<Fusible> emit_fusible(Fusible fusible);
  // The open step that computes `producer`'s value, or null.
  std::shared_ptr<Fusible> open_step(const Node& producer) const;
  // Takes no more post-ops.
  void close(const Node& producer);
  // Moves the open step of `producer` behind all others: `owner`'s value is now what it computes.
  void move_to_end(const Node& producer, const Node& owner);
  // Reads of an open step are written by a step behind it, so that it cannot move.
  bool is_overtaken(const Fusible& step) const;

  // Its elements are known now and never change.
  bool is_constant(const Tensor& tensor) const;
  // A copy in row-major order unless it is already.
  Tensor contiguous(const Tensor& tensor);

  const std::string& name() const { return node_->name(); }
  Shared& shared() { return shared_; }
  std::vector<Graph::Note>& notes() { return notes_; }
  runtime::onednn::Context context();

  // Set by the walker for each node.
  void begin(const Node& node, Tensor destination) {
    node_ = &node;
    destination_ = std::move(destination);
  }
  const Tensor& destination() const { return destination_; }
  const Node& node() const { return *node_; }

  // Closes all open steps and hands the plan over, without its inputs and results.
  runtime::PlanSpec finish();

 private:
  struct Pending {
    runtime::Step step;
    std::shared_ptr<Fusible> fusible;
  };
  struct Dequantized {
    Tensor value, source;
    runtime::AffineParams params;  // of the source
    std::string name;
    bool written = false;
  };
  // An int8 value and its bytes, of which one is written already.
  struct Flipped {
    Tensor value, bytes;
    std::string name;
    bool has_value = false;
    bool has_bytes = false;
  };
  Tensor bytes_of(const Tensor& quantized);
  void write_value(Flipped& flipped);

  Shared& shared_;
  const Node* node_ = nullptr;
  Tensor destination_;
  std::vector<std::shared_ptr<Storage>> storages_;
  std::vector<Pending> pending_;
  std::unordered_map<const Node*, std::shared_ptr<Fusible>> open_;
  std::vector<Graph::Note> notes_;
  std::unordered_map<const Storage*, Dequantized> dequantized_;  // by the float value
  std::unordered_map<const Storage*, Flipped> flipped_;          // by the int8 value
};

// Strides that pack `sizes` with the last dimension of `order` innermost.
Shape dense_strides(const Shape& sizes, const std::vector<std::size_t>& order);
Shape channels_last_strides(const Shape& sizes);
// Dense strides for `sizes` in the order of dimensions of `like`, which has the same rank.
Shape strides_in_order_of(const Tensor& like, const Shape& sizes);

}  // namespace qdq::lower
