#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "qdq/graph.h"
#include "qdq/observer.h"

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
    // Addresses differ in their middle bits; the product carries those up, the shift brings them down to all tables.
    const std::uint64_t product =
        (hash(place.producer) * 31 + hash(place.consumer)) * std::uint64_t{0x9E3779B97F4A7C15};
    return static_cast<std::size_t>(product ^ (product >> 32));
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
  bool allow_implicit_sharing = true;           // false: this node's inputs join no group by themselves
  bool annotated = false;                       // for quantizers, to skip what is taken; prepare does not look at it
  bool is_output_of_quantized_pattern = false;  // for the Inductor quantizers: ops behind it may stay in int8
  std::string quantizer;  // who made it; "" until prepare or a ComposableQuantizer writes the name
  std::string rule;       // the rule that made it: "conv_relu"
  std::string why_not;    // without specs: why the node stays in float, for people

  // Sets or replaces the entry of `producer`.
  void set_input_qspec(Node& producer, QuantizationSpecBase spec);
  const QuantizationSpecBase* input_qspec(const Node& producer) const;
};

// The metadata entries in which prepare keeps the quantizer and the rule that annotated a node ("xnnpack.conv_relu"), or
// why an op has no annotation. They are saved with the program.
inline constexpr std::string_view kQuantizationRule = "quantization_rule";
inline constexpr std::string_view kQuantizationWhyNot = "quantization_why_not";
// What convert keeps of the observer that a quantize and a dequantize node stand for: its class, its qscheme, and the least
// and the greatest value that it saw ("-1.5 3.25").
inline constexpr std::string_view kQuantizationObserver = "quantization_observer";
inline constexpr std::string_view kQuantizationScheme = "quantization_scheme";
inline constexpr std::string_view kQuantizationObserved = "quantization_observed";

// "xnnpack.conv_relu": the quantizer and the rule, or the one of the two that is known.
std::string rule_name(const QuantizationAnnotation& annotation);

// False for no annotation and for one without specs.
bool is_valid_annotation(const Node& node);
// The node's annotation, made when it has none.
QuantizationAnnotation& annotation_of(Node& node);
bool is_annotated(std::span<Node* const> nodes);       // any of them taken by a quantizer; null nodes are skipped
void mark_as_annotated(std::span<Node* const> nodes);  // null nodes are skipped
// Both say why `node` is not quantized and do nothing to a node that is annotated already. After decline another rule or
// quantizer may still annotate it; leave_in_float takes the node, so that nobody does.
void decline(Node& node, std::string why_not);
void leave_in_float(Node& node, std::string why_not);

}  // namespace qdq
