#include <gtest/gtest.h>

#include "qdq/graph_text.h"
#include "qdq/io.h"
#include "support/temporary_folder.h"

namespace qdq {
namespace {

TensorMeta meta(DType dtype, std::vector<SymInt> sizes, std::vector<SymInt> strides) {
  TensorMeta result;
  result.dtype = dtype;
  result.sizes = std::move(sizes);
  result.strides = std::move(strides);
  return result;
}

class Pt2Writer : public testing::Test {
 protected:
  // A program that no file has described: w * x with a weight in int8.
  Program scaled() {
    Program program;
    Graph& graph = program.graph();
    Attribute weight;
    weight.name = "layer.weight";
    weight.kind = AttributeKind::buffer;
    weight.value = Tensor::from<std::int8_t>({1, -2, 3}, {3});
    Node& w = program.add_attribute(std::move(weight));
    Node& x = graph.placeholder("x");
    x.type.v = meta(DType::float32, {2, 3}, {3, 1});
    Node& product = graph.call_function("aten.mul.Tensor", {x, w});
    product.type = x.type;
    graph.output({product});
    program.inputs.push_back({InputSpec::Kind::user_input, "x", {}});
    program.outputs.push_back({OutputSpec::Kind::user_output, ""});
    return program;
  }
  std::string refusal(const Program& program) {
    try {
      save(program, folder_ / "refused.pt2");
    } catch (const Error& error) {
      EXPECT_TRUE(folder_.is_empty()) << "a failed save must leave nothing";
      return error.what();
    }
    return "saved";
  }
  Program again(const Program& program) {
    save(program, folder_ / "again.pt2");
    return load(folder_ / "again.pt2", {.verify_weights = true});
  }
  TemporaryFolder folder_;
};

TEST_F(Pt2Writer, KeepsEveryFrozenProgramEqual) {
  const auto folder = std::filesystem::path(QDQ_TESTS_DIR) / "compat" / "pt2" / "torch-2.13";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    SCOPED_TRACE(entry.path().filename());
    const Program program = load(entry.path());
    std::string difference;
    EXPECT_TRUE(equal(program, again(program), &difference)) << difference;
  }
}

TEST_F(Pt2Writer, NamesTheOverloadOfAPacket) {
  Program program = scaled();
  Node& product = *program.graph().find("mul_tensor");
  const auto point = program.graph().inserting_before(*program.graph().output_node());
  Node& negative = program.graph().call_function("aten.neg", {product});
  negative.type = product.type;
  program.graph().output_node()->set_args({Argument::List{negative}});
  const Program loaded = again(program);
  EXPECT_TRUE(loaded.graph().output_node()->arg(0).list()->at(0).node()->is("aten.neg.default"));
}

TEST_F(Pt2Writer, MakesLiftedNamesAndACallGraphForNewPrograms) {
  const Program program = again(scaled());
  const Attribute& weight = *program.attributes.find("layer.weight");
  EXPECT_EQ(weight.lifted_name, "b_layer_weight");
  EXPECT_TRUE(bit_equal(weight.value, Tensor::from<std::int8_t>({1, -2, 3}, {3})));
  EXPECT_EQ(to_text(program.graph()), to_text(scaled().graph()));
  EXPECT_NE(program.passthrough.at("module_call_graph").find("\"forward_arg_names\":[\"x\"]"), std::string::npos);
}

TEST_F(Pt2Writer, MakesLiftedNamesThatAreTakenUnique) {
  Program program = scaled();
  program.graph().rename(*program.graph().find("mul_tensor"), "b_layer_weight");
  const Program read = again(program);
  EXPECT_EQ(read.attributes.find("layer.weight")->lifted_name, "b_layer_weight_1");
}

TEST_F(Pt2Writer, WritesOnlyTheBytesThatATensorReaches) {
  Program program = scaled();
  const Tensor large = Tensor::empty(DType::int8, {1 << 20});
  program.attributes.find("layer.weight")->value = large.narrow(0, 100, 3);
  save(program, folder_ / "view.pt2");
  EXPECT_LT(std::filesystem::file_size(folder_ / "view.pt2"), 10000u);
  EXPECT_EQ(load(folder_ / "view.pt2").attributes.tensor("layer.weight").storage_offset(), 0);
}

TEST_F(Pt2Writer, WritesAStorageOnceForEachDtypeOverIt) {
  Program program = scaled();
  const Tensor whole = Tensor::from<float>({1, 2, 3, 4}, {4});
  const auto add = [&](const char* name, Tensor value) {
    Attribute attribute;
    attribute.name = name;
    attribute.value = std::move(value);
    program.attributes.add(std::move(attribute));
  };
  add("left", whole.narrow(0, 0, 2));
  add("right", whole.narrow(0, 2, 2));
  add("bytes", Tensor(whole.storage(), DType::int8, {16}, {1}, 0));
  add("empty", whole.narrow(0, 0, 0));
  const Program read = again(program);
  const auto storage = [&](const char* name) { return read.attributes.tensor(name).storage(); };
  EXPECT_EQ(storage("left"), storage("right"));
  EXPECT_EQ(read.attributes.tensor("right").storage_offset(), 2);
  EXPECT_EQ(read.attributes.tensor("right").data<float>()[1], 4);
  EXPECT_NE(storage("bytes"), storage("left"));
  EXPECT_EQ(read.attributes.tensor("bytes").data<std::int8_t>()[3], 0x3f);  // 1.0f is 0x3f800000
  EXPECT_EQ(read.attributes.tensor("empty").numel(), 0);
}

TEST_F(Pt2Writer, KeepsAttributesThatNoNodeReads) {
  Program program = scaled();
  Attribute unused;
  unused.name = "unused";
  unused.value = Tensor::from<float>({1, 2}, {2});
  unused.requires_grad = true;
  program.attributes.add(unused);
  const Program read = again(program);
  EXPECT_EQ(read.attributes.find("unused")->kind, AttributeKind::parameter);
  EXPECT_EQ(read.attributes.begin()->name, "unused") << "parameters come before buffers";
}

TEST_F(Pt2Writer, FoldsGetItemsOfOneIndexIntoOne) {
  Program program = scaled();
  Graph& graph = program.graph();
  Node& product = *graph.find("mul_tensor");
  const auto point = graph.inserting_before(*graph.output_node());
  Node& topk = graph.call_function("aten.topk.default", {product, 1});
  topk.type.v = ValueType::List{{meta(DType::float32, {2, 1}, {1, 1})}, {meta(DType::int64, {2, 1}, {1, 1})}};
  Node& first = graph.call_function("operator.getitem", {topk, 0});
  Node& twin = graph.call_function("operator.getitem", {topk, 0});
  Node& sum = graph.call_function("aten.add.Tensor", {first, twin});
  sum.type = topk.type.list()->at(0);
  graph.output_node()->set_args({Argument::List{sum}});
  const Program read = again(program);
  const Node& add = *read.graph().find("add_tensor");
  EXPECT_EQ(add.input(0)->name(), "getitem");
  EXPECT_EQ(add.input(1)->name(), "getitem");
  EXPECT_NE(read.graph().find("topk_default_unused_1"), nullptr);
}

TEST_F(Pt2Writer, RefusesWhatTheFormatCannotSay) {
  Program program = scaled();
  program.graph().find("mul_tensor")->type = {};
  EXPECT_EQ(refusal(program),
            "[save] 'mul_tensor' (aten.mul.Tensor): the type of its result is not known, which the format needs");
  program = scaled();
  program.graph().find("mul_tensor")->set_target("mylib.op.default");
  EXPECT_EQ(
      refusal(program),
      "[save] 'mul_tensor' (mylib.op.default): neither the operator's schema nor the names of its arguments are known");
  program = scaled();
  program.graph().find("mul_tensor")->set_arg(1, Argument::List{1, "a"});
  EXPECT_EQ(refusal(program),
            "[save] 'mul_tensor' (aten.mul.Tensor): the format has no list that mixes these kinds of items");
  program = scaled();
  program.graph().find("mul_tensor")->set_kwargs({{"alpha", 1}});
  EXPECT_NE(refusal(program).find("no argument 'alpha'"), std::string::npos);
  program = scaled();
  program.attributes.erase("layer.weight");
  EXPECT_NE(refusal(program).find("the program has no tensor of this name"), std::string::npos);
  program = scaled();
  program.inputs.clear();
  EXPECT_NE(refusal(program).find("1 placeholders, but 0 input specs"), std::string::npos);
  program = scaled();
  program.outputs.clear();
  EXPECT_NE(refusal(program).find("1 results, but 0 output specs"), std::string::npos);
}

TEST_F(Pt2Writer, WritesAModelThatMemoryReadsBack) {
  const Program program = scaled();
  const Tensor& weight = program.attributes.tensor("layer.weight");
  const Program again = read_pt2_model(write_pt2_model(program), {{"layer.weight", weight}});
  EXPECT_EQ(to_text(again), to_text(program));
  EXPECT_EQ(again.attributes.tensor("layer.weight").raw_data(), weight.raw_data()) << "the tensor is shared";
}

TEST_F(Pt2Writer, AModelInMemoryNeedsItsTensorsOnceEach) {
  const Program program = scaled();
  const std::string json = write_pt2_model(program);
  const Tensor& weight = program.attributes.tensor("layer.weight");
  EXPECT_THROW(read_pt2_model(json, {}), FormatError);
  EXPECT_THROW(read_pt2_model(json, {{"layer.weight", weight}, {"layer.weight", weight}}), InvalidArgumentError);
  EXPECT_THROW(read_pt2_model("{}", {{"layer.weight", weight}}), FormatError);
}

}  // namespace
}  // namespace qdq
