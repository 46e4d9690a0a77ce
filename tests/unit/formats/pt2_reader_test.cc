#include <gtest/gtest.h>

#include "graph/verify.h"
#include "qdq/graph_text.h"
#include "qdq/io.h"

namespace qdq {
namespace {

std::filesystem::path compat_folder() { return std::filesystem::path(QDQ_TESTS_DIR) / "compat" / "pt2" / "torch-2.13"; }
Program compat(const std::string& name) { return load(compat_folder() / (name + ".pt2"), {.verify_weights = true}); }

TEST(Pt2Reader, ReadsEveryFrozenFileIntoAProgramThatVerifies) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(compat_folder())) {
    SCOPED_TRACE(entry.path().filename());
    const Program program = load(entry.path(), {.verify_weights = true});
    EXPECT_NO_THROW(verify(program, "load"));
    ++files;
  }
  EXPECT_GE(files, 12u);
}

TEST(Pt2Reader, TurnsLiftedInputsIntoGetAttrNodesNamedAsTorchDoes) {
  const Program program = compat("conv_net");
  std::string names;
  for (Node& node : program.graph().nodes()) {
    if (node.kind() != NodeKind::get_attr) break;
    names += node.name() + "=" + node.target() + " ";
  }
  EXPECT_EQ(
      names,
      "conv_weight=conv.weight conv_bias=conv.bias bn_weight=bn.weight bn_bias=bn.bias linear_weight=linear.weight "
      "linear_bias=linear.bias bn_running_mean=bn.running_mean bn_running_var=bn.running_var "
      "bn_num_batches_tracked=bn.num_batches_tracked ");
  EXPECT_EQ(program.attributes.find("conv.weight")->lifted_name, "p_conv_weight");
  EXPECT_TRUE(program.attributes.find("conv.weight")->requires_grad);
  EXPECT_EQ(program.attributes.tensor("conv.weight").sizes(), (Shape{4, 3, 3, 3}));
  EXPECT_EQ(program.inputs.at(0).name, "x");
  EXPECT_EQ(program.range_constraints.begin()->second.max, 64);
}

TEST(Pt2Reader, KeepsSizesSymbolicWithTheirHint) {
  const Program program = compat("conv_net");
  const TensorMeta* meta = program.graph().placeholders().at(0)->type.tensor();
  ASSERT_NE(meta, nullptr);
  EXPECT_TRUE(meta->sizes[0].is_symbolic());
  EXPECT_EQ(meta->sizes[0].value, 2);
  EXPECT_EQ(meta->sizes[1], SymInt(3));
}

TEST(Pt2Reader, GivesMultiOutputNodesTheirGetItemsBack) {
  const Program program = compat("dict_outputs");
  const Node& topk = *program.graph().find("topk");
  ASSERT_EQ(topk.users().size(), 2u);
  EXPECT_EQ(topk.users()[0]->target(), "operator.getitem");
  EXPECT_EQ(topk.users()[1]->arg(1).to_int(), 1);
  EXPECT_EQ(topk.type.list()->size(), 2u);
  const Argument::List& results = *program.graph().output_node()->arg(0).list();
  ASSERT_EQ(results.size(), 5u);
  EXPECT_TRUE(results[3].is_none());
  EXPECT_EQ(results[4].to_int(), 3);
}

TEST(Pt2Reader, ReadsBodiesOfHigherOrderOps) {
  const Program program = compat("control_flow");
  const Node& cond = *program.graph().find("cond");
  const auto* body = cond.arg(1).get_if<Argument::Subgraph>();
  ASSERT_NE(body, nullptr);
  EXPECT_EQ(body->name, "true_graph_0");
  EXPECT_NE(body->graph->find("sin"), nullptr);
  EXPECT_EQ(cond.is_hop_single_tensor_return, false);
  const Node& loop = *program.graph().find("while_loop");
  EXPECT_TRUE(loop.arg(0).get_if<Argument::Subgraph>()->graph->is_single_tensor_return);
}

TEST(Pt2Reader, KeepsConstantInputsAsSpecsWithoutPlaceholders) {
  const Program program = compat("keywords");
  std::string text;
  for (const InputSpec& input : program.inputs)
    text += input.name + (input.kind == InputSpec::Kind::user_input ? "" : "=" + to_text(input.constant)) + " ";
  EXPECT_EQ(text, "x scale=2.5 mode=\"mul\" bias=none flag=true table_a ");
  EXPECT_EQ(program.graph().placeholders().size(), 2u);
}

TEST(Pt2Reader, MarksMutatedBuffersAndInputs) {
  const Program program = compat("counter_decomposed");
  ASSERT_EQ(program.outputs.size(), 3u);
  EXPECT_EQ(program.outputs[0].kind, OutputSpec::Kind::buffer_mutation);
  EXPECT_EQ(program.outputs[0].target, "calls");
  EXPECT_EQ(program.outputs[1].kind, OutputSpec::Kind::user_input_mutation);
  EXPECT_EQ(program.outputs[1].target, "x");
  EXPECT_EQ(program.outputs[2].kind, OutputSpec::Kind::user_output);
  EXPECT_FALSE(program.attributes.find("scale")->persistent);
  EXPECT_EQ(program.attributes.find("lifted_tensor_0")->kind, AttributeKind::constant);
}

TEST(Pt2Reader, LetsNamesThatShareBytesShareAStorage) {
  const Program program = compat("shared_weights");
  const Tensor& embed = program.attributes.tensor("embed.weight");
  const Tensor& head = program.attributes.tensor("head.weight");
  EXPECT_EQ(embed.storage(), head.storage());
  const Tensor& high = program.attributes.tensor("high");
  EXPECT_EQ(program.attributes.tensor("low").storage(), high.storage());
  EXPECT_EQ(high.strides(), (Shape{1, 4}));
  EXPECT_EQ(high.storage_offset(), 4);
  EXPECT_EQ(high.narrow(0, 3, 1).narrow(1, 1, 1).item(), 11.0);
}

TEST(Pt2Reader, ReadsEveryDtype) {
  const Program program = compat("dtypes");
  EXPECT_EQ(program.attributes.tensor("b_bfloat16").dtype(), DType::bfloat16);
  EXPECT_EQ(program.attributes.tensor("b_float8_e4m3fn").dtype(), DType::float8_e4m3fn);
  EXPECT_EQ(program.attributes.tensor("b_complex64").dtype(), DType::complex64);
  EXPECT_EQ(program.attributes.tensor("b_int8").to(DType::int64).data<std::int64_t>()[3], 3);
  EXPECT_EQ(program.attributes.tensor("b_float16").to(DType::float32).data<float>()[3], 3.0f);
  EXPECT_EQ(program.attributes.tensor("empty").sizes(), (Shape{0, 3}));
  EXPECT_EQ(program.attributes.tensor("scalar").item(), 7.0);
}

TEST(Pt2Reader, ReadsOpsThatNobodyKnows) {
  const Program program = compat("unknown_op");
  const Node& halves = *program.graph().find("halves");
  EXPECT_EQ(halves.target(), "qdq_compat.halves.default");
  EXPECT_EQ(halves.arg_names, (std::vector<std::string>{"x", "sizes", "mode"}));
  EXPECT_EQ(halves.arg(1).to_ints(), (std::vector<std::int64_t>{1, 2}));
}

TEST(Pt2Reader, KeepsMetadataAndWhatItDoesNotUnderstand) {
  const Program program = compat("conv_net");
  const Node& conv = *program.graph().find("conv2d");
  EXPECT_NE(conv.meta.get("nn_module_stack").find("torch.nn.modules.conv.Conv2d"), std::string_view::npos);
  EXPECT_NE(conv.meta.get("stack_trace").find("in forward"), std::string_view::npos);
  EXPECT_TRUE(program.passthrough.contains("module_call_graph"));
  EXPECT_EQ(program.passthrough.at("verifiers"), "[\"TRAINING\"]");
}

TEST(Pt2Reader, SaysWhatExtensionsItKnows) {
  try {
    load("model.bin");
    FAIL();
  } catch (const InvalidArgumentError& error) {
    EXPECT_NE(std::string(error.what()).find("'model.bin': expected a file name that ends in one of .pt2"),
              std::string::npos);
  }
  EXPECT_THROW(load("no_such_file.pt2"), IoError);
  EXPECT_THROW(load(QDQ_TESTS_DIR "/unit/x.pt2/"), Error);
}

}  // namespace
}  // namespace qdq
