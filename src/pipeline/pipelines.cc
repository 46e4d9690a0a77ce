// The order of the passes, in running order, readable aloud.
#include "convert/insert_qdq.h"
#include "convert/observe_constants.h"
#include "passes/duplicate_dq.h"
#include "passes/eliminate_dead_code.h"
#include "passes/fold_constants.h"
#include "passes/fuse_batch_norm.h"
#include "passes/port_metadata.h"
#include "pipeline/evaluate_constant.h"
#include "prepare/insert_observers.h"
#include "prepare/sharing.h"
#include "qdq/annotation_report.h"
#include "qdq/quantize.h"
#include "reference/kernels.h"

namespace qdq {
namespace {

// Annotations end with prepare. What made them stays with the nodes, for `explain`. Returns the number of annotated nodes.
int record_rules(Program& program, const Quantizer& quantizer) {
  int annotated = 0;
  for (Node& node : program.graph().nodes()) {
    if (!is_valid_annotation(node)) continue;
    std::string& owner = node.annotation->quantizer;
    if (owner.empty()) owner = quantizer.name();
    const std::string& rule = node.annotation->rule;
    node.meta.set(kQuantizationRule, rule.empty() ? owner : owner + "." + rule);
    ++annotated;
  }
  return annotated;
}

}  // namespace

PreparedProgram prepare(Program program, Quantizer& quantizer, const PassOptions& options) {
  std::map<std::string, std::shared_ptr<Observer>> by_target;
  std::vector<std::string> warnings;
  PassManager passes(options);
  passes.add("fuse_conv_bn", fuse_conv_bn);                // a batch norm after a convolution is a scale of its weight
  passes.add("fuse_linear_bn", fuse_linear_bn);            // ... and after a linear
  passes.add("eliminate_dead_code", eliminate_dead_code);  // what the folding left behind
  passes.add("annotate", [&](Program& p) {                 // the quantizer decides what and how
    quantizer.transform_for_annotation(p);
    quantizer.annotate(p);
    quantizer.validate(p);
    const int annotated = record_rules(p, quantizer);
    warnings = annotation_warnings(explain_annotations(p));
    return annotated;
  });
  passes.add("insert_observers", [&](Program& p) {  // one observer for each sharing group
    ObserverMap observers = build_observers(AnnotatedPlaces(p.graph()));
    quantizer.prepare_obs_or_fq_callback(p, observers);
    by_target = insert_observers(p, observers);
    return static_cast<int>(by_target.size());
  });
  passes.allow(
      {"observe_constants", "insert_qdq", "duplicate_dq", "port_metadata", "fold_constants", "remove_dead_attributes"});
  auto report = passes.run(program);
  return PreparedProgram(std::move(program), std::move(by_target), std::move(report), std::move(warnings));
}

Program convert(PreparedProgram prepared, const ConvertOptions& options, std::vector<PassReport>* report) {
  Program program = std::move(prepared.program());
  PassManager passes(options.passes);
  passes.add("observe_constants", [&](Program& p) { return observe_constants(p, prepared.observers(), evaluate); });
  passes.add("insert_qdq", [&](Program& p) { return insert_qdq(p, prepared.observers()); });
  passes.add("eliminate_dead_code", eliminate_dead_code);
  passes.add("duplicate_dq", duplicate_dq);    // every annotated consumer gets its own dequantize
  passes.add("port_metadata", port_metadata);  // quantize and dequantize belong to the op that they serve
  if (options.fold_quantize)
    passes.add("fold_constants",
               [](Program& p) { return fold_constants(p, evaluate_constant); });  // weights become int8
  passes.add("eliminate_dead_code", eliminate_dead_code);
  passes.add("remove_dead_attributes", remove_dead_attributes);  // float weights that nothing reads any more
  passes.allow({"fuse_conv_bn", "fuse_linear_bn", "annotate", "insert_observers"});
  auto done = passes.run(program);
  if (report) *report = std::move(done);
  return program;
}

}  // namespace qdq
