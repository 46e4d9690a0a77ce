#include "qdq/inductor_quantizer.h"

#include <gtest/gtest.h>

#include "annotation_text.h"
#include "qdq/graph_text.h"

namespace qdq {
namespace {

// Two convolutions added, a ReLU, pooling and a linear behind a flatten.
Program residual() {
  return parse_program(R"(
attribute @w: parameter f32[2, 2, 1, 1]
attribute @v: parameter f32[2, 2, 1, 1]
attribute @b: parameter f32[2]
attribute @l: parameter f32[5, 8]
graph(x: f32[1, 2, 4, 4]) {
  %w: f32[2, 2, 1, 1] = get_attr @w
  %v: f32[2, 2, 1, 1] = get_attr @v
  %b: f32[2] = get_attr @b
  %l: f32[5, 8] = get_attr @l
  %conv_a: f32[1, 2, 4, 4] = aten.conv2d.default(%x, %w, %b)
    @nn_module_stack "L__self__,,M;L__self__a,a,torch.nn.modules.conv.Conv2d"
  %conv_b: f32[1, 2, 4, 4] = aten.conv2d.default(%x, %v)
    @nn_module_stack "L__self__,,M;L__self__b,b,torch.nn.modules.conv.Conv2d"
  %add: f32[1, 2, 4, 4] = aten.add_.Tensor(%conv_a, %conv_b)
    @nn_module_stack "L__self__,,M"
  %relu: f32[1, 2, 4, 4] = aten.relu.default(%add)
    @nn_module_stack "L__self__,,M"
  %pool: f32[1, 2, 2, 2] = aten.max_pool2d.default(%relu, [2, 2])
  %flatten: f32[1, 8] = aten.flatten.using_ints(%pool, 1)
  %linear: f32[1, 5] = aten.linear.default(%flatten, %l)
  return (%linear)
})");
}

TEST(X86Quantizer, FusesAnAdditionWithTheFirstConvolution) {
  Program program = residual();
  X86Quantizer().set_global(x86_config()).annotate(program);
  EXPECT_EQ(annotations(program),
            "conv_a by conv_add_relu: x=HistogramObserver w=PerChannelMinMaxObserver b=none\n"
            "conv_b by conv: x=HistogramObserver v=PerChannelMinMaxObserver\n"
            "add by conv_add_relu: conv_b=HistogramObserver\n"
            "pool by max_pool2d: relu=HistogramObserver -> shared(relu->pool)\n"
            "flatten by flatten: pool=HistogramObserver -> shared(pool->flatten)\n"
            "linear by linear: flatten=HistogramObserver l=PerChannelMinMaxObserver\n");
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

TEST(X86Quantizer, ForTrainingABatchNormBelongsToItsConvolutionAndTheLastOpHasAnOutput) {
  Program program = convolution_batch_norm_relu();
  QuantizationConfig config = x86_config();
  config.is_qat = true;
  X86Quantizer().set_global(config).annotate(program);
  EXPECT_EQ(annotations(program),
            "conv by conv_bn_relu: x=HistogramObserver w=PerChannelMinMaxObserver\n"
            "relu by conv_bn_relu: -> HistogramObserver\n");
  EXPECT_TRUE(program.graph().find("bn")->annotation->annotated);
}

TEST(X86Quantizer, ASettingWithoutConfigurationKeepsTheBatchNormInFloatToo) {
  Program program = convolution_batch_norm_relu();
  X86Quantizer().set_function_type("aten.conv2d.default", std::nullopt).annotate(program);
  EXPECT_EQ(program.graph().find("bn")->annotation->why_not, "excluded by set_function_type('aten.conv2d.default')");
}

TEST(X86Quantizer, ASettingWithoutConfigurationExcludes) {
  Program program = residual();
  X86Quantizer().set_global(x86_config()).set_function_type("aten.max_pool2d.default", std::nullopt).annotate(program);
  EXPECT_EQ(program.graph().find("pool")->annotation->why_not,
            "excluded by set_function_type('aten.max_pool2d.default')");
  EXPECT_EQ(program.graph().find("flatten")->annotation->why_not, "its input 'pool' does not come from a quantized op");
}

TEST(X86Quantizer, ModuleNamesNeedTheWholePattern) {
  Program program = residual();
  // The addition lies outside the module "a", so the convolution is quantized alone.
  X86Quantizer().set_module_name("a", x86_config()).annotate(program);
  EXPECT_EQ(annotations(program), "conv_a by conv: x=HistogramObserver w=PerChannelMinMaxObserver b=none\n");
}

TEST(X86Quantizer, ModuleTypesAskTheConvolution) {
  Program program = residual();
  X86Quantizer().set_module_type("torch.nn.modules.conv.Conv2d", x86_config()).annotate(program);
  EXPECT_EQ(annotations(program),
            "conv_a by conv_add_relu: x=HistogramObserver w=PerChannelMinMaxObserver b=none\n"
            "conv_b by conv: x=HistogramObserver v=PerChannelMinMaxObserver\n"
            "add by conv_add_relu: conv_b=HistogramObserver\n");
}

TEST(X86Quantizer, ALaterSettingReplacesTheEarlierOne) {
  Program program = residual();
  X86Quantizer quantizer;
  quantizer.set_module_name("a", x86_config()).set_module_name("a", std::nullopt).annotate(program);
  EXPECT_EQ(annotations(program), "");
}

TEST(X86Quantizer, MultipliesMatricesOnRequestOnly) {
  const auto text = R"(graph(a: f32[2, 2], b: f32[2, 2]) {
  %matmul: f32[2, 2] = aten.matmul.default(%a, %b)
  return (%matmul)
})";
  Program program = parse_program(text);
  X86Quantizer().set_global(x86_config()).annotate(program);
  EXPECT_EQ(annotations(program), "");
  X86Quantizer().set_function_type("aten.matmul.default", x86_config()).annotate(program);
  EXPECT_EQ(annotations(program), "matmul by matmul: a=HistogramObserver b=HistogramObserver\n");
}

TEST(X86Quantizer, MultipliesEqualSizesOfFloats) {
  Program program = parse_program(R"(graph(a: f32[2, 2], b: f32[2, 2], c: f32[2], n: i64[2]) {
  %mul: f32[2, 2] = aten.mul.Tensor(%a, %b)
  %mul_1: f32[2, 2] = aten.mul.Tensor(%a, %c)
  %mul_2: i64[2] = aten.mul.Tensor(%n, %n)
  return (%mul, %mul_1, %mul_2)
})");
  X86Quantizer().set_global(x86_config()).annotate(program);
  EXPECT_EQ(annotations(program), "mul by mul: a=HistogramObserver b=HistogramObserver\n");
  EXPECT_EQ(program.graph().find("mul_1")->annotation->why_not, "its operands differ in size");
}

TEST(X86Quantizer, DoesNotAddToAConvolutionThatOthersRead) {
  Program program = residual();
  program.graph().output_node()->set_args(
      {Argument(Argument::List{*program.graph().find("linear"), *program.graph().find("conv_a")})});
  X86Quantizer().set_global(x86_config()).annotate(program);
  EXPECT_EQ(program.graph().find("conv_a")->annotation->rule, "conv");
  EXPECT_EQ(program.graph().find("conv_b")->annotation->rule, "conv_add_relu");
}

TEST(X86Quantizer, RefusesToMixStaticAndDynamic) {
  X86Quantizer quantizer;
  quantizer.set_global(x86_config()).set_module_name("head", x86_linear_dynamic_fp16_config());
  EXPECT_THROW(quantizer.set_module_name("body", x86_config({.is_dynamic = true})), InvalidArgumentError);
}

TEST(X86Quantizer, RefusesAnOpWithoutRecipe) {
  try {
    X86Quantizer().set_function_type("aten.softmax.int", x86_config());
    FAIL();
  } catch (const InvalidArgumentError& error) {
    EXPECT_NE(std::string(error.what()).find("it has some for aten.conv1d.default, "), std::string::npos);
  }
}

TEST(ArmQuantizer, AddsButNeitherPoolsNorFusesActivationsOfConvolutions) {
  Program program = residual();
  ArmQuantizer().set_global(arm_config()).annotate(program);
  EXPECT_EQ(annotations(program),
            "conv_a by conv_add: x=HistogramObserver w=MinMaxObserver b=none\n"
            "conv_b by conv: x=HistogramObserver v=MinMaxObserver\n"
            "add by conv_add: conv_b=HistogramObserver\n"
            "linear by linear: flatten=HistogramObserver l=MinMaxObserver\n");
}

TEST(XpuQuantizer, LeavesMaxPoolingInFloat) {
  Program program = residual();
  XpuQuantizer().set_global(xpu_config()).annotate(program);
  EXPECT_EQ(program.graph().find("pool")->annotation->why_not, "xpu has no int8 kernel for it");
  EXPECT_FALSE(is_valid_annotation(*program.graph().find("flatten")));
  EXPECT_EQ(program.graph().find("relu")->annotation->rule, "conv_add_relu");
}

}  // namespace
}  // namespace qdq
