#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "qdq/observer.h"
#include "qdq/program.h"

namespace qdq {

// A place in a graph: the tensor that `producer` makes, or (with a consumer) that tensor as the consumer reads it. There
// is one edge for a pair of nodes even when the consumer takes the tensor twice.
struct EdgeOrNode {
  Node* producer = nullptr;
  Node* consumer = nullptr;

  EdgeOrNode() = default;
  EdgeOrNode(Node& node) : producer(&node) {}  // NOLINT(google-explicit-constructor)
  EdgeOrNode(Node& from, Node& to) : producer(&from), consumer(&to) {}
  bool is_edge() const { return consumer != nullptr; }
  std::string describe() const;
  friend bool operator==(const EdgeOrNode&, const EdgeOrNode&) = default;
};

struct EdgeOrNodeHash {
  std::size_t operator()(const EdgeOrNode& place) const {
    const std::hash<const void*> hash;
    return hash(place.producer) * 31 + hash(place.consumer);
  }
};

// How to quantize a place: build an observer for it. Bounds left empty are the observer's default for the dtype.
struct QuantizationSpec {
  DType dtype = DType::int8;
  ObserverFactory observer_or_fake_quant_ctr;
  std::optional<std::int64_t> quant_min;
  std::optional<std::int64_t> quant_max;
  std::optional<QScheme> qscheme;
  std::optional<std::int64_t> ch_axis;
  bool is_dynamic = false;
};

// Constants known beforehand (the output of a sigmoid).
struct FixedQParamsQuantizationSpec {
  DType dtype = DType::uint8;
  double scale = 1.0;
  std::int64_t zero_point = 0;
  std::optional<std::int64_t> quant_min;
  std::optional<std::int64_t> quant_max;
  std::optional<QScheme> qscheme;
  bool is_dynamic = false;
};

// The observer of another place. The place may be annotated earlier or later, by whom ever.
struct SharedQuantizationSpec {
  EdgeOrNode edge_or_node;
};

// Computed from the observers of other places when the qparams are asked for (a bias: input scale times weight scale).
struct DerivedQuantizationSpec {
  using DeriveFn = std::function<QParams(std::span<const std::shared_ptr<Observer>>)>;
  std::vector<EdgeOrNode> derived_from;
  DeriveFn derive_qparams_fn;
  DType dtype = DType::int32;
  std::optional<std::int64_t> quant_min;
  std::optional<std::int64_t> quant_max;
  std::optional<QScheme> qscheme;
  std::optional<std::int64_t> ch_axis;
  bool is_dynamic = false;
};

// monostate is PyTorch's None: leave the place alone.
using QuantizationSpecBase = std::variant<std::monostate, QuantizationSpec, FixedQParamsQuantizationSpec,
                                          SharedQuantizationSpec, DerivedQuantizationSpec>;

inline bool has_spec(const QuantizationSpecBase& spec) { return spec.index() != 0; }

// What a Quantizer says about one node. prepare reads it and nothing else.
struct QuantizationAnnotation {
  using InputMap = std::vector<std::pair<Node*, QuantizationSpecBase>>;

  InputMap input_qspec_map;  // one entry per producer, in order
  QuantizationSpecBase output_qspec;
  bool allow_implicit_sharing = true;  // false: this node's inputs join no group by themselves
  bool annotated = false;              // for quantizers, to skip what is taken; prepare does not look at it
  std::string rule;                    // the rule that made it, for `explain`

  // Sets or replaces the entry of `producer`.
  void set_input_qspec(Node& producer, QuantizationSpecBase spec);
  const QuantizationSpecBase* input_qspec(const Node& producer) const;
};

// The metadata entry in which prepare keeps the quantizer and the rule that annotated a node: "xnnpack.conv_relu". It is
// saved with the program.
inline constexpr std::string_view kQuantizationRule = "quantization_rule";

// False for no annotation and for one that says nothing.
bool is_valid_annotation(const Node& node);
// The node's annotation, made when it has none.
QuantizationAnnotation& annotation_of(Node& node);
bool is_annotated(std::span<Node* const> nodes);       // any of them taken by a quantizer; null nodes are skipped
void mark_as_annotated(std::span<Node* const> nodes);  // null nodes are skipped

// Observers by place, in the order of prepare's walk.
using ObserverMap = std::vector<std::pair<EdgeOrNode, std::shared_ptr<Observer>>>;

// Decides what is quantized and how, by annotating nodes. Called in this order: transform_for_annotation, annotate,
// validate, prepare_obs_or_fq_callback.
class Quantizer {
 public:
  virtual ~Quantizer() = default;
  virtual std::string name() const = 0;
  virtual void transform_for_annotation(Program&) {}  // may rewrite the graph
  virtual void annotate(Program& program) = 0;        // writes annotations, changes no edge
  virtual void validate(const Program&) {}            // may throw InvalidArgumentError
  // May replace the observers that are about to be inserted.
  virtual void prepare_obs_or_fq_callback(Program&, ObserverMap&) {}
};

// What a backend asks for: one spec per role; a role left empty stays in float.
struct QuantizationConfig {
  std::optional<QuantizationSpec> input_activation;
  std::optional<QuantizationSpec> output_activation;
  std::optional<QuantizationSpec> weight;
  std::optional<QuantizationSpec> bias;
};

// Each throws InvalidArgumentError for a spec that the role does not allow: activations are per tensor, weights per
// tensor or per channel symmetric, biases float32.
QuantizationSpecBase input_act_qspec(const QuantizationConfig& config);
QuantizationSpecBase output_act_qspec(const QuantizationConfig& config);
QuantizationSpecBase weight_qspec(const QuantizationConfig& config);
QuantizationSpecBase bias_qspec(const QuantizationConfig& config);

// Chooses nodes. Empty: all.
using NodeFilter = std::function<bool(const Node&)>;
// Nodes inside the module of that dotted path ("features.3"), at any depth.
NodeFilter module_name_filter(std::string module_name);
// Nodes inside a module of that class ("torch.nn.modules.linear.Linear").
NodeFilter module_type_filter(std::string qualified_type);
// Nodes whose name, op or module path matches a shell pattern ("conv2d_1", "aten.linear.*", "classifier.*").
NodeFilter pattern_filter(std::string glob);

// One annotator: finds its pattern everywhere in the program and annotates what is free and passes the filter. Returns
// the partitions that it annotated, the output node first where a pattern has several nodes.
using Partitions = std::vector<std::vector<Node*>>;
using Annotator = Partitions (*)(Program&, const QuantizationConfig&, const NodeFilter&);
struct OpAnnotator {
  const char* name;  // "conv_relu"
  Annotator annotate;
};
// The annotators of the XNNPACK quantizer, fusions before their parts.
std::span<const OpAnnotator> op_annotators();
// By name. Throws InvalidArgumentError, listing the names.
Annotator op_to_annotator(std::string_view name);
// Ops that only pass values on (relu, pooling, view ...) take over the output spec of their annotated producer.
void propagate_annotation(Program& program);

struct SymmetricConfigOptions {
  bool per_channel = false;
  bool is_dynamic = false;
  std::int64_t act_qmin = -128;
  std::int64_t act_qmax = 127;
  std::int64_t weight_qmin = -127;
  std::int64_t weight_qmax = 127;
};

// int8 affine activations (histogram observer), int8 symmetric weights: PyTorch's get_symmetric_quantization_config.
QuantizationConfig symmetric_config(const SymmetricConfigOptions& options = {});

// PyTorch's XNNPACKQuantizer. The narrowest setting wins: module names, then module types, then the global one.
class XnnpackQuantizer : public Quantizer {
 public:
  XnnpackQuantizer& set_global(QuantizationConfig config);
  XnnpackQuantizer& set_module_type(std::string qualified_type, QuantizationConfig config);
  XnnpackQuantizer& set_module_name(std::string module_name, QuantizationConfig config);
  // Nodes for which `filter` is true stay in float.
  XnnpackQuantizer& exclude(NodeFilter filter);

  std::string name() const override { return "xnnpack"; }
  // Number literals of add and mul become tensors, so that they can be quantized.
  void transform_for_annotation(Program& program) override;
  void annotate(Program& program) override;

 private:
  void annotate_patterns(Program& program, const QuantizationConfig& config, const NodeFilter& filter) const;

  std::optional<QuantizationConfig> global_config_;
  std::vector<std::pair<std::string, QuantizationConfig>> module_type_configs_;
  std::vector<std::pair<std::string, QuantizationConfig>> module_name_configs_;
  std::vector<NodeFilter> excluded_;
};

}  // namespace qdq
