// The order of the passes, in running order, readable aloud.
#include "convert/insert_qdq.h"
#include "passes/duplicate_dq.h"
#include "passes/eliminate_dead_code.h"
#include "passes/fold_constants.h"
#include "passes/fuse_batch_norm.h"
#include "passes/port_metadata.h"
#include "prepare/insert_observers.h"
#include "prepare/sharing.h"
#include "qdq/quantize.h"
#include "reference/kernels.h"

namespace qdq {

PreparedProgram prepare(Program program, Quantizer& quantizer) {
  fuse_conv_bn(program);                 // a batch norm after a convolution is a scale of its weight
  fuse_linear_bn(program);               // ... and after a linear
  eliminate_dead_code(program.graph());  // what the folding left behind

  quantizer.transform_for_annotation(program);
  quantizer.annotate(program);
  quantizer.validate(program);

  ObserverMap observers = build_observers(AnnotatedPlaces(program.graph()));  // one per sharing group
  quantizer.prepare_obs_or_fq_callback(program, observers);
  auto by_target = insert_observers(program, observers);
  return PreparedProgram(std::move(program), std::move(by_target));
}

Program convert(PreparedProgram prepared, const ConvertOptions& options) {
  Program program = std::move(prepared.program());
  insert_qdq(program, prepared.observers());  // observers become quantize and dequantize
  eliminate_dead_code(program.graph());
  duplicate_dq(program.graph());   // every annotated consumer gets its own dequantize
  port_metadata(program.graph());  // quantize and dequantize belong to the op that they serve
  if (options.fold_quantize) fold_constants(program, evaluate);  // weights are stored quantized
  eliminate_dead_code(program.graph());
  remove_dead_attributes(program);  // float weights that nothing reads any more
  return program;
}

}  // namespace qdq
