#include "qdq/annotation_report.h"

#include <algorithm>
#include <map>

#include "annotate/patterns.h"
#include "passes/qdq_ops.h"

namespace qdq {
namespace {

bool reads_float(const Node& node) {
  const auto inputs = node.inputs();
  return std::any_of(inputs.begin(), inputs.end(), [](const Node* input) { return is_float_tensor(*input); });
}

std::string reason(const Node& node) {
  if (node.annotation && !node.annotation->why_not.empty()) return node.annotation->why_not;
  const TensorMeta* result = node.type.tensor();
  if ((result && !is_floating_point(result->dtype)) || (!reads_float(node) && !node.inputs().empty()))
    return "no floating-point values go in and out";
  return "the quantizer has no rule for " + node.target() + " here";
}

std::string percent(std::int64_t part, std::int64_t whole) {
  return std::to_string(part * 100 / std::max<std::int64_t>(whole, 1)) + "%";
}

// "2 x aten.conv_transpose2d.input (reason), ...": ops without annotation that cost most, at most three kinds.
std::string heaviest_left(const AnnotationReport& report) {
  struct Kind {
    std::int64_t count = 0;
    std::int64_t macs = 0;
  };
  std::map<std::pair<std::string, std::string>, Kind> kinds;
  for (const AnnotatedOp& op : report.ops) {
    if (op.annotated || op.macs == 0) continue;
    Kind& kind = kinds[{op.node->target(), op.why_not}];
    ++kind.count;
    kind.macs += op.macs;
  }
  std::vector<std::pair<std::pair<std::string, std::string>, Kind>> sorted(kinds.begin(), kinds.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second.macs > b.second.macs; });
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(sorted.size(), 3); ++i) {
    const auto& [kind, cost] = sorted[i];
    text += (i ? ", " : "") + std::to_string(cost.count) + " x " + kind.first + " (" + kind.second + ")";
  }
  return text;
}

}  // namespace

AnnotationReport explain_annotations(const Program& program) {
  AnnotationReport report;
  for (const Node& node : program.graph().nodes()) {
    if (!is_op(node)) continue;
    AnnotatedOp& op = report.ops.emplace_back();
    op.node = &node;
    op.macs = multiply_accumulates(node);
    const QuantizationAnnotation* annotation = node.annotation.get();
    op.annotated = is_valid_annotation(node) || (annotation && annotation->annotated && annotation->why_not.empty());
    if (op.annotated)
      op.rule = rule_name(*annotation);
    else
      op.why_not = reason(node);
    report.annotated_ops += op.annotated;
    report.macs += op.macs;
    if (op.annotated) report.annotated_macs += op.macs;
  }
  return report;
}

std::vector<std::string> annotation_warnings(const AnnotationReport& report) {
  const std::string left = heaviest_left(report);
  const std::string because = left.empty() ? "" : ": " + left;
  if (report.annotated_ops == 0)
    return {"the quantizer annotated none of the " + std::to_string(report.ops.size()) + " ops" + because};
  if (report.macs > 0 && report.annotated_macs < report.macs - report.annotated_macs)
    return {"only " + percent(report.annotated_macs, report.macs) +
            " of the multiply-accumulates are annotated, the rest stays in float" + because};
  return {};
}

}  // namespace qdq
