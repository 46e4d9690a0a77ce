#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "qdq/annotation.h"
#include "qdq/program.h"

namespace qdq {

// What the quantizer made of one op.
struct AnnotatedOp {
  const Node* node;
  bool annotated = false;  // has specs, or belongs to a pattern that has
  std::string rule;        // annotated: "x86.conv_add_relu": quantizer and rule
  std::string why_not;     // otherwise: "excluded on request"
  std::int64_t macs = 0;   // multiply-accumulates, from the sizes (for symbolic ones: from their hints)
};

struct AnnotationReport {
  std::vector<AnnotatedOp> ops;  // in graph order; observers, getitem, assertions and arithmetic on sizes are none
  std::int64_t annotated_ops = 0;
  std::int64_t macs = 0;
  std::int64_t annotated_macs = 0;
};

// Reads the annotations of a program that a quantizer has annotated, before or after prepare put its observers in.
AnnotationReport explain_annotations(const Program& program);

// Multiply-accumulates of one call: convolutions, linears, matrix products, attention, recurrent layers. 0 for others and
// where sizes are not known.
std::int64_t multiply_accumulates(const Node& node);

// What a user should know before trusting the result: nothing is annotated, or less than half of the
// multiply-accumulates, with the ops that were left out and why. Empty when all is well.
std::vector<std::string> annotation_warnings(const AnnotationReport& report);

}  // namespace qdq
