#pragma once
#include <string>

#include "qdq/annotation.h"
#include "qdq/program.h"

namespace qdq {

inline std::string spec_text(const QuantizationSpecBase& spec) {
  if (std::holds_alternative<QuantizationSpec>(spec))
    return std::get<QuantizationSpec>(spec).observer_or_fake_quant_ctr.kind();
  if (const auto* shared = std::get_if<SharedQuantizationSpec>(&spec)) {
    const EdgeOrNode& place = shared->edge_or_node;
    return "shared(" + place.producer->name() + (place.is_edge() ? "->" + place.consumer->name() : "") + ")";
  }
  return has_spec(spec) ? "other" : "none";
}

// "conv: x=HistogramObserver w=... -> ...", one line for each node whose annotation says something.
inline std::string annotations(const Program& program) {
  std::string text;
  for (const Node& node : program.graph().nodes()) {
    if (!is_valid_annotation(node)) continue;
    text += node.name() + " by " + node.annotation->rule + ":";
    for (const auto& [input, spec] : node.annotation->input_qspec_map)
      text += " " + input->name() + "=" + spec_text(spec);
    if (has_spec(node.annotation->output_qspec)) text += " -> " + spec_text(node.annotation->output_qspec);
    text += "\n";
  }
  return text;
}

}  // namespace qdq
