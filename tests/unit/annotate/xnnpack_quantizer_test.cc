#include <gtest/gtest.h>

#include "annotation_text.h"
#include "qdq/graph_text.h"
#include "qdq/xnnpack_quantizer.h"

namespace qdq {
namespace {

QuantizationConfig per_channel() { return symmetric_config({.per_channel = true}); }

Program convolution_relu() {
  return parse_program(R"(
attribute @w: parameter f32[2, 1, 1, 1] = [3.0, 5.0]
attribute @b: parameter f32[2] = [0.0, 1.0]
graph(x: f32[1, 1, 4, 4]) {
  %w: f32[2, 1, 1, 1] = get_attr @w
  %b: f32[2] = get_attr @b
  %conv: f32[1, 2, 4, 4] = aten.conv2d.default(%x, %w, %b)
    @nn_module_stack "L__self__,,__main__.M;L__self__features,features,torch.nn.modules.conv.Conv2d"
  %relu: f32[1, 2, 4, 4] = aten.relu_.default(%conv)
    @nn_module_stack "L__self__,,__main__.M;L__self__act,act,torch.nn.modules.activation.ReLU"
  %pool: f32[1, 2, 2, 2] = aten.max_pool2d.default(%relu, [2, 2], [2, 2])
  return (%pool)
})");
}

TEST(XnnpackQuantizer, FusesConvolutionAndReluAndPropagatesOverPooling) {
  Program program = convolution_relu();
  XnnpackQuantizer().set_global(per_channel()).annotate(program);
  EXPECT_EQ(annotations(program),
            "conv by conv_relu: x=HistogramObserver w=PerChannelMinMaxObserver b=none\n"
            "relu by conv_relu: -> HistogramObserver\n"
            "pool by propagate: relu=shared(relu) -> shared(relu)\n");
}

Program convolution_batch_norm_relu() {
  return parse_program(R"(
attribute @w: parameter f32[2, 1, 1, 1]
attribute @g: parameter f32[2]
attribute @m: buffer f32[2]
graph(x: f32[1, 1, 4, 4]) {
  %w: f32[2, 1, 1, 1] = get_attr @w
  %g: f32[2] = get_attr @g
  %m: f32[2] = get_attr @m
  %conv: f32[1, 2, 4, 4] = aten.conv2d.default(%x, %w)
  %bn: f32[1, 2, 4, 4] = aten.batch_norm.default(%conv, %g, none, %m, %g, true, 0.1, 1e-05, true)
  %relu: f32[1, 2, 4, 4] = aten.relu.default(%bn)
  return (%relu)
})");
}

TEST(XnnpackQuantizer, ForTrainingABatchNormBelongsToItsConvolution) {
  Program program = convolution_batch_norm_relu();
  QuantizationConfig config = per_channel();
  config.is_qat = true;
  XnnpackQuantizer().set_global(config).annotate(program);
  EXPECT_EQ(annotations(program),
            "conv by conv_bn_relu: x=HistogramObserver w=PerChannelMinMaxObserver\n"
            "relu by conv_bn_relu: -> HistogramObserver\n");
}

TEST(XnnpackQuantizer, WithoutTrainingABatchNormThatStayedIsAnOpOfItsOwn) {
  Program program = convolution_batch_norm_relu();
  XnnpackQuantizer().set_global(per_channel()).annotate(program);
  EXPECT_EQ(annotations(program),
            "conv by conv: x=HistogramObserver w=PerChannelMinMaxObserver -> HistogramObserver\n");
}

TEST(XnnpackQuantizer, DoesNotFuseWhenOthersReadTheConvolution) {
  Program program = convolution_relu();
  Graph& graph = program.graph();
  graph.output_node()->set_args({Argument(Argument::List{*graph.find("pool"), *graph.find("conv")})});
  XnnpackQuantizer().set_global(per_channel()).annotate(program);
  EXPECT_EQ(annotations(program),
            "conv by conv: x=HistogramObserver w=PerChannelMinMaxObserver b=none -> HistogramObserver\n");
}

TEST(XnnpackQuantizer, LeavesExcludedNodesInFloat) {
  Program program = convolution_relu();
  XnnpackQuantizer().set_global(per_channel()).exclude(pattern_filter("feat*")).annotate(program);
  EXPECT_EQ(annotations(program), "");
}

TEST(XnnpackQuantizer, ModuleNamesWinOverTheGlobalConfiguration) {
  Program program = convolution_relu();
  XnnpackQuantizer quantizer;
  quantizer.set_global(per_channel()).set_module_name("features", symmetric_config());
  quantizer.annotate(program);
  // Convolution and ReLU lie in different modules, so only the convolution is in "features".
  EXPECT_EQ(annotations(program), "conv by conv: x=HistogramObserver w=MinMaxObserver b=none -> HistogramObserver\n");
}

TEST(XnnpackQuantizer, ModuleTypesSelectByClass) {
  Program program = convolution_relu();
  XnnpackQuantizer().set_module_type("torch.nn.modules.conv.Conv2d", per_channel()).annotate(program);
  EXPECT_EQ(annotations(program),
            "conv by conv: x=HistogramObserver w=PerChannelMinMaxObserver b=none -> HistogramObserver\n");
}

TEST(XnnpackQuantizer, AnnotatesOnlyLinearsWhenDynamic) {
  Program program = parse_program(R"(
attribute @w: parameter f32[2, 2] = [1.0, 2.0, 3.0, 4.0]
graph(x: f32[1, 2]) {
  %w: f32[2, 2] = get_attr @w
  %linear: f32[1, 2] = aten.linear.default(%x, %w)
  %add: f32[1, 2] = aten.add.Tensor(%linear, %x)
  return (%add)
})");
  XnnpackQuantizer().set_global(symmetric_config({.per_channel = true, .is_dynamic = true})).annotate(program);
  EXPECT_EQ(annotations(program), "linear by linear: x=PlaceholderObserver w=PerChannelMinMaxObserver\n");
}

TEST(XnnpackQuantizer, TurnsNumbersIntoTensorsBeforeAnnotating) {
  Program program = parse_program(R"(
graph(x: f32[1, 2]) {
  %mul: f32[1, 2] = aten.mul.Tensor(%x, 2)
  return (%mul)
})");
  XnnpackQuantizer quantizer;
  quantizer.set_global(per_channel());
  quantizer.transform_for_annotation(program);
  quantizer.annotate(program);
  EXPECT_EQ(program.attributes.tensor("_tensor_constant_0").item(), 2.0);
  EXPECT_EQ(annotations(program),
            "mul by mul: x=HistogramObserver _tensor_constant_0=HistogramObserver -> HistogramObserver\n");
}

TEST(XnnpackQuantizer, LeavesIntegerAndHugeOperandsAlone) {
  Program program = parse_program(R"(
attribute @huge: buffer f32[] = [-1e20]
graph(x: f32[1, 2], n: i64[1, 2]) {
  %huge: f32[] = get_attr @huge
  %add: f32[1, 2] = aten.add.Tensor(%x, %huge)
  %add_1: i64[1, 2] = aten.add.Tensor(%n, %n)
  return (%add, %add_1)
})");
  XnnpackQuantizer().set_global(per_channel()).annotate(program);
  EXPECT_EQ(annotations(program), "");
}

TEST(Annotators, CatSharesOneObserverAmongPiecesAndResult) {
  Program program = parse_program(R"(
graph(x: f32[1, 2], y: f32[1, 2]) {
  %cat: f32[1, 6] = aten.cat.default([%x, %y, %x], 1)
  return (%cat)
})");
  op_to_annotator("cat")(program, per_channel(), {});
  EXPECT_EQ(annotations(program), "cat by cat: x=HistogramObserver y=shared(x->cat) -> shared(x->cat)\n");
}

TEST(Annotators, UnknownNamesListTheKnownOnes) {
  try {
    op_to_annotator("convolution");
    FAIL();
  } catch (const InvalidArgumentError& error) {
    EXPECT_NE(std::string(error.what()).find("there are conv_bn_relu, conv_bn, conv_transpose_bn_relu,"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace qdq
