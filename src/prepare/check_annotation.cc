#include "prepare/check_annotation.h"

#include <utility>

#include "prepare/mistake.h"

namespace qdq {
namespace {

constexpr const char* kPerChannelRule =
    "per-channel parameters are one for each index along an axis of fixed size, such as a weight's output channels";

std::string range_text(std::int64_t low, std::int64_t high) {
  return "[" + std::to_string(low) + ", " + std::to_string(high) + "]";
}

void check_bounds(const EdgeOrNode& place, DType dtype, std::optional<std::int64_t> quant_min,
                  std::optional<std::int64_t> quant_max) {
  if (quant_min && quant_max && *quant_min > *quant_max)
    refuse(place,
           {place.describe(),
            "quant_min " + std::to_string(*quant_min) + " is greater than quant_max " + std::to_string(*quant_max),
            "a quantized value lies between quant_min and quant_max, both included", "swap the two"});
  if (!is_integral(plain_dtype(dtype)) || (!quant_min && !quant_max)) return;
  const IntegerLimits limits = integer_limits(plain_dtype(dtype));
  const std::int64_t low = quant_min.value_or(limits.min);
  const std::int64_t high = quant_max.value_or(limits.max);
  if (low < limits.min || high > limits.max)
    refuse(place, {place.describe(),
                   "quant_min..quant_max is " + range_text(low, high) + ", but " + std::string(name(dtype)) +
                       " holds " + range_text(limits.min, limits.max),
                   "quantized values are stored in the spec's dtype",
                   "narrow the bounds, or choose a dtype that holds them (uint8 for 0..255)"});
}

void check_channel_axis(const EdgeOrNode& place, std::optional<std::int64_t> ch_axis, std::optional<QScheme> qscheme) {
  if (ch_axis && *ch_axis < 0)
    refuse(place, {place.describe(), "ch_axis is " + std::to_string(*ch_axis), "ch_axis counts from 0, from the front",
                   "give the axis as 0 or more"});
  const TensorMeta* meta = place.producer->type.tensor();
  if (!qscheme || !is_per_channel(*qscheme) || !meta) return;
  const std::int64_t axis = ch_axis.value_or(0);
  if (axis >= static_cast<std::int64_t>(meta->sizes.size()))
    refuse(place, {place.describe(),
                   "per-channel quantization along axis " + std::to_string(axis) + " of a tensor with " +
                       std::to_string(meta->sizes.size()) + " dimensions",
                   kPerChannelRule, "choose an axis that the tensor has, or a per-tensor qscheme"});
  if (meta->sizes[static_cast<std::size_t>(axis)].is_symbolic())
    refuse(place,
           {place.describe(),
            "per-channel quantization along axis " + std::to_string(axis) + ", whose size changes from run to run",
            kPerChannelRule, "give activations a per_tensor qscheme; per_channel belongs to the weight"});
}

void check_dynamic(const EdgeOrNode& place, const QuantizationSpec& spec) {
  if (!spec.is_dynamic) return;
  if (spec.qscheme && is_per_channel(*spec.qscheme))
    refuse(place, {place.describe(), "is_dynamic with " + std::string(name(*spec.qscheme)),
                   "dynamic quantization chooses one scale for the whole tensor while the program runs",
                   "use per_tensor_affine or per_tensor_symmetric, or is_dynamic = false"});
  const DType dtype = plain_dtype(spec.dtype);
  if (dtype != DType::int8 && dtype != DType::uint8)
    refuse(place, {place.describe(), "is_dynamic with dtype " + std::string(name(spec.dtype)),
                   "dynamic quantization is to int8 or uint8", "choose one of them, or is_dynamic = false"});
}

void check_spec(const EdgeOrNode& place, const QuantizationSpecBase& spec) {
  if (const auto* plain = std::get_if<QuantizationSpec>(&spec)) {
    if (!plain->observer_or_fake_quant_ctr)
      refuse(place, {place.describe(), "its QuantizationSpec has no observer_or_fake_quant_ctr",
                     "a QuantizationSpec builds an observer, which chooses the scale from data",
                     "set it (histogram_observer() for activations, min_max_observer() for weights), or use a "
                     "FixedQParamsQuantizationSpec when the scale is known"});
    check_bounds(place, plain->dtype, plain->quant_min, plain->quant_max);
    check_channel_axis(place, plain->ch_axis, plain->qscheme);
    check_dynamic(place, *plain);
  } else if (const auto* fixed = std::get_if<FixedQParamsQuantizationSpec>(&spec)) {
    check_bounds(place, fixed->dtype, fixed->quant_min, fixed->quant_max);
    if (!(fixed->scale > 0))
      refuse(place, {place.describe(), "fixed scale " + std::to_string(fixed->scale) + ", expected more than 0",
                     "real value = scale * (quantized value - zero_point), so a scale is more than 0",
                     "give the step between two neighbouring values, 1/256 for values between 0 and 1 in uint8"});
  } else if (const auto* derived = std::get_if<DerivedQuantizationSpec>(&spec)) {
    check_bounds(place, derived->dtype, derived->quant_min, derived->quant_max);
    check_channel_axis(place, derived->ch_axis, derived->qscheme);
    if (!derived->derive_qparams_fn)
      refuse(place, {place.describe(), "its DerivedQuantizationSpec has no derive_qparams_fn",
                     "derive_qparams_fn makes scale and zero_point from the observers of derived_from", "set it"});
    if (derived->qscheme && is_per_channel(*derived->qscheme) && !derived->ch_axis)
      refuse(place, {place.describe(), "a per-channel DerivedQuantizationSpec without ch_axis", kPerChannelRule,
                     "set ch_axis, 0 for a bias"});
  }
}

std::string input_names(const Node& node) {
  std::string names;
  for (const Node* input : node.inputs()) names += (names.empty() ? "'" : ", '") + input->name() + "'";
  return names.empty() ? "nothing" : names;
}

void check_key(const Node& node, const Node& producer) {
  if (producer.erased())
    refuse(node,
           {node.describe(), "its input_qspec_map names '" + producer.name() + "', which is no longer in the graph",
            "annotations name nodes of the graph that transform_for_annotation leaves behind",
            "look nodes up in annotate(), after the graph was changed"});
  if (!producer.has_user(node))
    refuse(node, {node.describe(),
                  "its input_qspec_map gives a spec to '" + producer.name() + "', which it does not read; it reads " +
                      input_names(node),
                  "the keys of input_qspec_map are the nodes that this node takes as arguments",
                  "use node.input(i) as key, or annotate the node that does read '" + producer.name() + "'"});
}

}  // namespace

void check_annotation(const Node& node) {
  auto& annotated = const_cast<Node&>(node);  // a place refers to nodes that prepare is going to change
  for (const auto& [producer, spec] : node.annotation->input_qspec_map) {
    check_key(node, *producer);
    check_spec(EdgeOrNode(*producer, annotated), spec);
  }
  if (!has_spec(node.annotation->output_qspec)) return;
  check_spec(EdgeOrNode(annotated), node.annotation->output_qspec);
  if (node.type.list())
    refuse(node,
           {node.describe(), "it has an output_qspec, but returns several values", "an observer watches one tensor",
            "annotate the operator.getitem node that takes the tensor out of it"});
}

}  // namespace qdq
