// The order of the passes, in running order, readable aloud.
#include <array>

#include "convert/insert_qdq.h"
#include "convert/observe_constants.h"
#include "passes/duplicate_dq.h"
#include "passes/eliminate_dead_code.h"
#include "passes/fold_constants.h"
#include "passes/fold_conv_bn_qat.h"
#include "passes/fuse_batch_norm.h"
#include "passes/fuse_conv_bn_qat.h"
#include "passes/inline_set_grad_enabled.h"
#include "passes/lift_loop_attributes.h"
#include "passes/loop_body.h"
#include "passes/port_metadata.h"
#include "passes/reference_representation_rewrite.h"
#include "pipeline/evaluate_constant.h"
#include "prepare/insert_observers.h"
#include "prepare/sharing.h"
#include "qdq/annotation_report.h"
#include "qdq/quantize.h"
#include "reference/kernels.h"

namespace qdq {
namespace {

// Annotations end with prepare. What made them, or why there is none, stays with the nodes, for `explain`.
AnnotationReport record_rules(Program& program, const Quantizer& quantizer) {
  for (Node& node : program.graph().nodes())
    if (is_valid_annotation(node)) {
      if (node.annotation->quantizer.empty()) node.annotation->quantizer = quantizer.name();
      node.meta.set(kQuantizationRule, rule_name(*node.annotation));
    }
  AnnotationReport report = explain_annotations(program);
  for (const AnnotatedOp& op : report.ops)
    if (!op.annotated) program.graph().find(op.node->name())->meta.set(kQuantizationWhyNot, op.why_not);
  return report;
}

using Observers = std::map<std::string, std::shared_ptr<Observer>>;

// The parts of a PreparedProgram besides the program.
struct Prepared {
  Observers observers;
  std::vector<PassReport> report;
  std::vector<std::string> warnings;
};

PreparedProgram prepared_program(Program program, Prepared parts) {
  return PreparedProgram(std::move(program), std::move(parts.observers), std::move(parts.report),
                         std::move(parts.warnings));
}

// Passes on a body are part of the pass that went into it.
PassOptions inside_body(PassOptions options) {
  options.dump = nullptr;
  return options;
}

Prepared prepare_graph(Program& program, Quantizer& quantizer, const PassOptions& options);

// Why the bodies of a higher-order op stay in float.
std::string why_in_float(const Node& node) {
  if (node.is("higher_order.cond"))
    return "its branches stay in float: an observer in the branch that the data does not take sees nothing";
  if (node.is("higher_order.wrap_with_autocast"))
    return "its block stays in float: what it computes depends on the dtypes that autocast chooses when it runs";
  return "its body stays in float: prepare goes into the bodies of scan and while_loop, as torchao does";
}

// In the bodies of `node`, at any depth.
std::int64_t multiply_accumulates_inside(const Node& node) {
  std::int64_t macs = 0;
  for (const Argument& argument : node.args())
    if (const auto* sub = argument.get_if<Argument::Subgraph>(); sub && sub->graph)
      walk_subgraphs(*sub->graph, [&](const Graph& graph) {
        for (const Node& inner : graph.nodes()) macs += multiply_accumulates(inner);
      });
  return macs;
}

// Bodies of loops are prepared as programs of their own. Returns how many observers they got.
int prepare_bodies(Program& program, Quantizer& quantizer, const PassOptions& options, Prepared& result) {
  int inserted = 0;
  for (Node& node : program.graph().nodes()) {
    if (!node.target().starts_with("higher_order.")) continue;
    const auto* body = loop_body(node);
    if (!body) {
      const std::string why = why_in_float(node);
      program.graph().note(node, "prepare_bodies", NoMatch(why));
      node.meta.set(kQuantizationWhyNot, why);
      if (multiply_accumulates_inside(node) > 0) result.warnings.push_back(node.describe() + ": " + why);
      continue;
    }
    node.meta.set(kQuantizationWhyNot, "its body is quantized as a program of its own");
    LoopBody inner(program, *body);
    Prepared prepared = prepare_graph(inner.program(), quantizer, inside_body(options));
    inner.put_back();
    for (auto& [target, observer] : prepared.observers)
      if (!result.observers.emplace(inner.prefix() + target, std::move(observer)).second)
        throw InvalidArgumentError(node.describe() + ": another loop's body is called '" + body->name + "' too");
    for (const std::string& warning : prepared.warnings)
      result.warnings.push_back("in the body of " + node.describe() + ": " + warning);
    inserted += static_cast<int>(prepared.observers.size());
  }
  return inserted;
}

// Names of the other pipelines' passes, which options that serve for all may contain.
constexpr std::array kPrepareOnly = {"inline_set_grad_enabled", "fuse_conv_bn",     "fuse_linear_bn", "annotate",
                                     "fuse_conv_bn_qat",        "insert_observers", "prepare_bodies"};
constexpr std::array kConvertOnly = {"convert_bodies",   "observe_constants",    "insert_qdq",
                                     "fold_conv_bn_qat", "duplicate_dq",         "port_metadata",
                                     "fold_constants",   "lift_loop_attributes", "remove_dead_attributes"};

// The quantizer decides what and how.
PassFn annotate_with(Quantizer& quantizer, Prepared& result) {
  return [&](Program& program) {
    quantizer.transform_for_annotation(program);
    quantizer.annotate(program);
    quantizer.validate(program);
    const AnnotationReport report = record_rules(program, quantizer);
    result.warnings = annotation_warnings(report);
    return static_cast<int>(report.annotated_ops);
  };
}

// One observer for each sharing group.
PassFn insert_observers_of(Quantizer& quantizer, Prepared& result) {
  return [&](Program& program) {
    ObserverMap observers = build_observers(AnnotatedPlaces(program.graph()));
    quantizer.prepare_obs_or_fq_callback(program, observers);
    result.observers = insert_observers(program, observers);
    return static_cast<int>(result.observers.size());
  };
}

Prepared prepare_graph(Program& program, Quantizer& quantizer, const PassOptions& options) {
  Prepared result;
  PassManager passes(options);
  passes.add("inline_set_grad_enabled", inline_set_grad_enabled);  // blocks of torch.no_grad(): ops as all others
  passes.add("fuse_conv_bn", fuse_conv_bn);                // a batch norm after a convolution is a scale of its weight
  passes.add("fuse_linear_bn", fuse_linear_bn);            // ... and after a linear
  passes.add("eliminate_dead_code", eliminate_dead_code);  // what the folding left behind
  passes.add("annotate", annotate_with(quantizer, result));
  passes.add("insert_observers", insert_observers_of(quantizer, result));
  passes.add("prepare_bodies",  // what loops repeat
             [&](Program& p) { return prepare_bodies(p, quantizer, options, result); });
  passes.allow({kConvertOnly.begin(), kConvertOnly.end()});
  passes.allow({"fuse_conv_bn_qat"});
  result.report = passes.run(program);
  return result;
}

// Batch norms stay, to be trained; bodies of loops are left alone, as torchao leaves them.
Prepared prepare_graph_qat(Program& program, Quantizer& quantizer, const PassOptions& options) {
  Prepared result;
  PassManager passes(options);
  passes.add("inline_set_grad_enabled", inline_set_grad_enabled);
  passes.add("eliminate_dead_code", eliminate_dead_code);
  passes.add("annotate", annotate_with(quantizer, result));
  passes.add("fuse_conv_bn_qat", fuse_conv_bn_qat);  // convolutions train on the weight that the folding will give them
  passes.add("insert_observers", insert_observers_of(quantizer, result));
  passes.allow({kConvertOnly.begin(), kConvertOnly.end()});
  passes.allow({"fuse_conv_bn", "fuse_linear_bn", "prepare_bodies"});
  result.report = passes.run(program);
  return result;
}

std::vector<PassReport> convert_graph(Program& program, const Observers& observers, const ConvertOptions& options);

// Returns the number of bodies.
int convert_bodies(Program& program, const Observers& observers, const ConvertOptions& options) {
  ConvertOptions inside = options;
  inside.passes = inside_body(options.passes);
  int converted = 0;
  for (Node& node : program.graph().nodes()) {
    const auto* body = loop_body(node);
    if (!body) continue;
    LoopBody inner(program, *body);
    Observers own;
    for (auto at = observers.lower_bound(inner.prefix());
         at != observers.end() && at->first.starts_with(inner.prefix()); ++at)
      own.emplace(at->first.substr(inner.prefix().size()), at->second);
    convert_graph(inner.program(), own, inside);
    inner.put_back();
    ++converted;
  }
  return converted;
}

std::vector<PassReport> convert_graph(Program& program, const Observers& observers, const ConvertOptions& options) {
  PassManager passes(options.passes);
  passes.add("convert_bodies", [&](Program& p) { return convert_bodies(p, observers, options); });
  passes.add("observe_constants", [&](Program& p) { return observe_constants(p, observers, evaluate); });
  passes.add("insert_qdq", [&](Program& p) { return insert_qdq(p, observers); });
  passes.add("eliminate_dead_code", eliminate_dead_code);
  passes.add("fold_conv_bn_qat", fold_conv_bn_qat);  // what trained as one becomes one
  passes.add("duplicate_dq", duplicate_dq);          // every annotated consumer gets its own dequantize
  passes.add("port_metadata", port_metadata);        // quantize and dequantize belong to the op that they serve
  if (options.fold_quantize)
    passes.add("fold_constants",
               [](Program& p) { return fold_constants(p, evaluate_constant); });  // weights become int8
  passes.add("eliminate_dead_code", eliminate_dead_code);
  if (options.use_reference_representation)
    passes.add("reference_representation_rewrite", reference_representation_rewrite);  // integers instead of q and dq
  passes.add("lift_loop_attributes", lift_loop_attributes);      // files know tensors in the main graph only
  passes.add("remove_dead_attributes", remove_dead_attributes);  // float weights that nothing reads any more
  passes.allow({kPrepareOnly.begin(), kPrepareOnly.end()});
  return passes.run(program);
}

}  // namespace

PreparedProgram prepare(Program program, Quantizer& quantizer, const PassOptions& options) {
  return prepared_program(std::move(program), prepare_graph(program, quantizer, options));
}

PreparedProgram prepare_qat(Program program, Quantizer& quantizer, const PassOptions& options) {
  return prepared_program(std::move(program), prepare_graph_qat(program, quantizer, options));
}

bool needs_calibration(const PreparedProgram& prepared) {
  return find_uncalibrated(prepared.program(), prepared.observers()) != nullptr;
}

Program convert(PreparedProgram prepared, const ConvertOptions& options, std::vector<PassReport>* report) {
  Program program = std::move(prepared.program());
  auto done = convert_graph(program, prepared.observers(), options);
  if (report) *report = std::move(done);
  return program;
}

}  // namespace qdq
