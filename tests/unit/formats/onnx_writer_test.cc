#include <gtest/gtest.h>

#include "formats/onnx/onnx.h"
#include "formats/onnx/read/model.h"
#include "formats/onnx/write/emitter.h"
#include "qdq/graph_text.h"
#include "qdq/io.h"
#include "support/temporary_folder.h"

namespace qdq {
namespace {

using namespace onnx;

class OnnxWriter : public testing::Test {
 protected:
  InModel written(std::string_view text, const SaveOptions& options = {}) {
    save(parse_program(text), folder_ / "model.onnx", options);
    return parse_model(MappedFile::open(folder_ / "model.onnx"));
  }
  // "Add(x, w) -> y", a line for each node.
  std::string nodes(std::string_view text, const SaveOptions& options = {}) {
    std::string result;
    for (const InNode& node : written(text, options).nodes) {
      result += std::string(node.op) + "(";
      for (std::size_t i = 0; i < node.inputs.size(); ++i) result += (i > 0 ? ", " : "") + std::string(node.inputs[i]);
      result += ") ->";
      for (const std::string_view output : node.outputs) result += " " + std::string(output);
      result += "\n";
    }
    return result;
  }
  std::string refusal(std::string_view text, const SaveOptions& options = {}) {
    try {
      save(parse_program(text), folder_ / "refused.onnx", options);
    } catch (const Error& error) {
      EXPECT_FALSE(std::filesystem::exists(folder_ / "refused.onnx"));
      return error.what();
    }
    return "written";
  }
  static const InTensor& tensor(const InModel& model, std::string_view name) {
    for (const InTensor& each : model.initializers)
      if (each.name == name) return each;
    throw InvalidArgumentError("no initializer " + std::string(name));
  }
  TemporaryFolder folder_;
};

TEST_F(OnnxWriter, KeepsTheNamesOfValues) {
  EXPECT_EQ(nodes(R"(graph(x: f32[s0, 4]) {
  %act: f32[s0, 4] = aten.relu.default(%x)
  %sum: f32[s0, 4] = aten.add.Tensor(%act, %x)
  return (%sum)
})"),
            "Relu(x) -> act\nAdd(act, x) -> sum\n");
  EXPECT_EQ(written("graph(x: f32[s0, 4]) { return (%x) }").inputs[0].dims->at(0).param, "s0");
}

TEST_F(OnnxWriter, LetsReadersOfATensorSeeWhatAnInPlaceOpMadeOfIt) {
  EXPECT_EQ(nodes(R"(graph(x: f32[4]) {
  %neg: f32[4] = aten.neg.default(%x)
  %act: f32[4] = aten.relu_.default(%neg)
  %sum: f32[4] = aten.add.Tensor(%neg, %act)
  return (%sum)
})"),
            "Neg(x) -> neg\nRelu(neg) -> act\nAdd(act, act) -> sum\n");
}

TEST_F(OnnxWriter, RefusesAnInPlaceOpThatAnotherViewShows) {
  EXPECT_EQ(refusal(R"(graph(x: f32[4]) {
  %neg: f32[4] = aten.neg.default(%x)
  %view: f32[2, 2] = aten.view.default(%neg, [2, 2])
  %act: f32[4] = aten.relu_.default(%neg)
  %sum: f32[2, 2] = aten.abs.default(%view)
  return (%sum)
})"),
            "[save] 'act' (aten.relu_.default) cannot be written as ONNX: it writes to memory that 'sum' "
            "(aten.abs.default) reads "
            "through another view, 'view'");
}

constexpr std::string_view kQuantized = R"(attribute @w: buffer i8[2, 3] = [1, -127, 3, 4, 5, 6]
attribute @s: buffer f32[2] = [0.5, 0.25]
attribute @z: buffer i64[2] = [0, 0]
graph(x: f32[1, 3]) {
  %w: i8[2, 3] = get_attr @w
  %s: f32[2] = get_attr @s
  %z: i64[2] = get_attr @z
  %q: i8[1, 3] = quantized_decomposed.quantize_per_tensor.default(%x, 0.5, -3, -128, 127, i8)
  %dq: f32[1, 3] = quantized_decomposed.dequantize_per_tensor.default(%q, 0.5, -3, -128, 127, i8)
  %wdq: f32[2, 3] = quantized_decomposed.dequantize_per_channel.default(%w, %s, %z, 0, -127, 127, i8)
  %y: f32[1, 2] = aten.linear.default(%dq, %wdq)
  return (%y)
})";

TEST_F(OnnxWriter, WritesQuantizedProgramsOneForOne) {
  EXPECT_EQ(nodes(kQuantized),
            "QuantizeLinear(x, constant, constant_1) -> q\n"
            "DequantizeLinear(q, constant, constant_1) -> dq\n"
            "DequantizeLinear(w, s, z_int8) -> wdq\n"
            "Gemm(dq, wdq) -> y\n");
}

TEST_F(OnnxWriter, MovesActivationsInInt8ToUint8UnlessTheyAreToStay) {
  const auto zero_point = [&](const SaveOptions& options) {
    const InModel model = written(kQuantized, options);
    return TensorReader(model).read(tensor(model, "constant_1"));
  };
  EXPECT_TRUE(bit_equal(zero_point({}), Tensor::scalar<std::uint8_t>(125)));
  EXPECT_TRUE(bit_equal(zero_point({.keep_int8 = true}), Tensor::scalar<std::int8_t>(-3)));
}

// The sums count in 0.5 * 0.5 and 0.5 * 0.25.
TEST_F(OnnxWriter, RoundsBiasesToWhatIntegerSumsCountInWhenAskedTo) {
  std::string text(kQuantized);
  text.insert(0, "attribute @b: parameter f32[2] = [0.3, -0.4]\n");
  text.insert(text.find("  %q:"), "  %b: f32[2] = get_attr @b\n");
  text.replace(text.find("%wdq)\n"), 6, "%wdq, %b)\n");
  const auto biases = [&](const SaveOptions& options, std::string_view name) {
    const InModel model = written(text, options);
    const Tensor found = TensorReader(model).read(tensor(model, name));
    return std::pair(found.data<float>()[0], found.data<float>()[1]);
  };
  EXPECT_EQ(biases({}, "b"), std::pair(0.3F, -0.4F));
  EXPECT_EQ(biases({.round_biases = true}, "b_rounded"), std::pair(0.25F, -0.375F));
}

TEST_F(OnnxWriter, ReadsBackTheSameQuantizedProgram) {
  const Program program = parse_program(kQuantized);
  save(program, folder_ / "again.onnx");
  const Program again = load(folder_ / "again.onnx");
  EXPECT_EQ(to_text(again.graph()), R"(graph(x: f32[1, 3]) {
  %w: i8[2, 3] = get_attr @w
  %s: f32[2] = get_attr @s
  %z_int8: i64[2] = get_attr @z_int8
  %q: i8[1, 3] = quantized_decomposed.quantize_per_tensor.default(%x, 0.5, -3, -128, 127, i8)
  %dq: f32[1, 3] = quantized_decomposed.dequantize_per_tensor.default(%q, 0.5, -3, -128, 127, i8)
  %wdq: f32[2, 3] = quantized_decomposed.dequantize_per_channel.default(%w, %s, %z_int8, 0, -127, 127, i8)
  %y: f32[1, 2] = aten.linear.default(%dq, %wdq)
  return (%y)
}
)");
}

TEST_F(OnnxWriter, ClipsTheIntegersOfANarrowRange) {
  const std::string text = R"(graph(x: f32[4]) {
  %q: u8[4] = quantized_decomposed.quantize_per_tensor.default(%x, 0.5, 10, 0, 127, u8)
  %dq: f32[4] = quantized_decomposed.dequantize_per_tensor.default(%q, 0.5, 10, 0, 127, u8)
  return (%dq)
}
)";
  EXPECT_EQ(nodes(text),
            "QuantizeLinear(x, constant, constant_1) -> q_0\n"
            "Clip(q_0, constant_2, constant_3) -> q\n"
            "DequantizeLinear(q, constant, constant_1) -> dq\n");
  EXPECT_EQ(to_text(load(folder_ / "model.onnx").graph()), text);
}

// 0 and 6 stand on 10 and 22; 1.5 and above on 13.
TEST_F(OnnxWriter, ClipsTheIntegersWhereAClampReturnsToTheGridOfItsInput) {
  const std::string text = R"(graph(x: f32[4]) {
  %q: u8[4] = quantized_decomposed.quantize_per_tensor.default(%x, 0.5, 10, 0, 255, u8)
  %d: f32[4] = quantized_decomposed.dequantize_per_tensor.default(%q, 0.5, 10, 0, 255, u8)
  %c: f32[4] = aten.hardtanh.default(%d, 0.0, 6.0)
  %r: u8[4] = quantized_decomposed.quantize_per_tensor.default(%c, 0.5, 10, 0, 255, u8)
  %d_1: f32[4] = quantized_decomposed.dequantize_per_tensor.default(%r, 0.5, 10, 0, 255, u8)
  %c_1: f32[4] = aten.clamp.default(%d_1, 1.5)
  %r_1: u8[4] = quantized_decomposed.quantize_per_tensor.default(%c_1, 0.5, 10, 0, 255, u8)
  %y: f32[4] = quantized_decomposed.dequantize_per_tensor.default(%r_1, 0.5, 10, 0, 255, u8)
  return (%y)
}
)";
  EXPECT_EQ(nodes(text),
            "QuantizeLinear(x, constant, constant_1) -> q\n"
            "Clip(q, constant_1, constant_4) -> r\n"
            "Clip(r, constant_6, constant_7) -> r_1\n"
            "DequantizeLinear(r_1, constant, constant_1) -> y\n");
  const InModel model = written(text);
  const auto number = [&](const char* name) { return TensorReader(model).read(tensor(model, name)).item(); };
  EXPECT_EQ(number("constant_4"), 22);
  EXPECT_EQ(number("constant_6"), 13);
  EXPECT_EQ(number("constant_7"), 255);
  const Program again = load(folder_ / "model.onnx");
  std::vector<std::string> targets;
  for (const Node& node : again.graph().nodes())
    if (node.kind() == NodeKind::call_function) targets.push_back(node.target().substr(node.target().find('.') + 1));
  EXPECT_EQ(targets, (std::vector<std::string>{"quantize_per_tensor.default", "dequantize_per_tensor.default",
                                               "hardtanh.default", "quantize_per_tensor.default",
                                               "dequantize_per_tensor.default", "clamp.default",
                                               "quantize_per_tensor.default", "dequantize_per_tensor.default"}));
}

// The highest level stands for less than 6.
TEST_F(OnnxWriter, LeavesOutAClampThatTheRangeImplies) {
  EXPECT_EQ(nodes(R"(graph(x: f32[4]) {
  %q: u8[4] = quantized_decomposed.quantize_per_tensor.default(%x, 0.015625, 0, 0, 255, u8)
  %d: f32[4] = quantized_decomposed.dequantize_per_tensor.default(%q, 0.015625, 0, 0, 255, u8)
  %c: f32[4] = aten.hardtanh.default(%d, 0.0, 6.0)
  %r: u8[4] = quantized_decomposed.quantize_per_tensor.default(%c, 0.015625, 0, 0, 255, u8)
  %y: f32[4] = quantized_decomposed.dequantize_per_tensor.default(%r, 0.015625, 0, 0, 255, u8)
  return (%y)
}
)"),
            "QuantizeLinear(x, constant, constant_1) -> q\n"
            "DequantizeLinear(q, constant, constant_1) -> y\n");
  EXPECT_EQ(to_text(load(folder_ / "model.onnx").graph()), R"(graph(x: f32[4]) {
  %quantize_per_tensor_default: u8[4] = quantized_decomposed.quantize_per_tensor.default(%x, 0.015625, 0, 0, 255, u8)
  %dequantize_per_tensor_default: f32[4] = quantized_decomposed.dequantize_per_tensor.default(%quantize_per_tensor_default, 0.015625, 0, 0, 255, u8)
  %hardtanh_default: f32[4] = aten.hardtanh.default(%dequantize_per_tensor_default, 0.0, 6.0)
  %q: u8[4] = quantized_decomposed.quantize_per_tensor.default(%hardtanh_default, 0.015625, 0, 0, 255, u8)
  %y: f32[4] = quantized_decomposed.dequantize_per_tensor.default(%q, 0.015625, 0, 0, 255, u8)
  return (%y)
}
)");
}

// Both readers of %q would get the clamp.
TEST_F(OnnxWriter, ClipsWhereTheValueBeforeAnImpliedClampIsReadToo) {
  EXPECT_EQ(nodes(R"(graph(x: f32[4]) {
  %q: u8[4] = quantized_decomposed.quantize_per_tensor.default(%x, 0.015625, 0, 0, 255, u8)
  %d: f32[4] = quantized_decomposed.dequantize_per_tensor.default(%q, 0.015625, 0, 0, 255, u8)
  %c: f32[4] = aten.relu.default(%d)
  %r: u8[4] = quantized_decomposed.quantize_per_tensor.default(%c, 0.015625, 0, 0, 255, u8)
  %y: f32[4] = quantized_decomposed.dequantize_per_tensor.default(%r, 0.015625, 0, 0, 255, u8)
  %z: f32[4] = quantized_decomposed.dequantize_per_tensor.default(%q, 0.015625, 0, 0, 255, u8)
  return (%y, %z)
}
)"),
            "QuantizeLinear(x, constant, constant_1) -> q\n"
            "Clip(q, constant_1, constant_2) -> r\n"
            "DequantizeLinear(r, constant, constant_1) -> y\n"
            "DequantizeLinear(q, constant, constant_1) -> z\n");
}

TEST_F(OnnxWriter, KeepsAClampBetweenTwoGrids) {
  EXPECT_EQ(nodes(R"(graph(x: f32[4]) {
  %q: u8[4] = quantized_decomposed.quantize_per_tensor.default(%x, 0.5, 10, 0, 255, u8)
  %d: f32[4] = quantized_decomposed.dequantize_per_tensor.default(%q, 0.5, 10, 0, 255, u8)
  %c: f32[4] = aten.relu.default(%d)
  %r: u8[4] = quantized_decomposed.quantize_per_tensor.default(%c, 0.25, 10, 0, 255, u8)
  %y: f32[4] = quantized_decomposed.dequantize_per_tensor.default(%r, 0.25, 10, 0, 255, u8)
  return (%y)
}
)"),
            "QuantizeLinear(x, constant, constant_1) -> q\n"
            "DequantizeLinear(q, constant, constant_1) -> d\n"
            "Relu(d) -> c\n"
            "QuantizeLinear(c, constant_2, constant_1) -> r\n"
            "DequantizeLinear(r, constant_2, constant_1) -> y\n");
}

TEST_F(OnnxWriter, PacksStoredLevelsOfFourBits) {
  const std::string text = R"(attribute @w: buffer i8[3] = [-8, 7, 1]
graph(x: f32[3]) {
  %w: i8[3] = get_attr @w
  %dq: f32[3] = quantized_decomposed.dequantize_per_tensor.default(%w, 0.5, 0, -8, 7, i8)
  %y: f32[3] = aten.add.Tensor(%x, %dq)
  return (%y)
})";
  const InModel model = written(text);
  EXPECT_EQ(tensor(model, "w_int4").data_type, data_type(DType::int4));
  EXPECT_EQ(*tensor(model, "w_int4").raw, "\x78\x01");
  EXPECT_TRUE(
      bit_equal(load(folder_ / "model.onnx").attributes.tensor("w_int4"), Tensor::from<std::int8_t>({-8, 7, 1}, {3})));
  EXPECT_EQ(tensor(written(text, {.opset = 20}), "w").data_type, data_type(DType::int8));
}

TEST_F(OnnxWriter, NamesTheNodeAndTheReasonOfARefusal) {
  EXPECT_EQ(refusal("graph(x: f32[4]) { %a: f32[4] = my.op.default(%x) return (%a) }"),
            "[save] 'a' (my.op.default) cannot be written as ONNX: the operator is not known");
  EXPECT_EQ(refusal("graph(x: f32[4]) { %a: f32[4] = aten.rand_like.default(%x) return (%a) }"),
            "[save] 'a' (aten.rand_like.default) cannot be written as ONNX: it draws random numbers");
  EXPECT_EQ(refusal("graph(x: f32[4]) { %a: i16[4] = quantized_decomposed.quantize_per_tensor.default(%x, 0.5, 0, "
                    "-32768, 32767, i16) return (%a) }",
                    {.opset = 20}),
            "[save] 'a' (quantized_decomposed.quantize_per_tensor.default) cannot be written as ONNX: quantization to "
            "16 bits "
            "came with opset 21, asked for was 20; --opset 21 or newer can say it");
  EXPECT_EQ(refusal("graph(x: f32[4]) { return (%x) }", {.opset = 12}), "[save] ONNX opset 12: expected 13 to 23");
}

TEST_F(OnnxWriter, AlignsStoredTensorsSoThatTheyCanBeMapped) {
  const Program program = parse_program(R"(attribute @w: parameter f32[300] = full(0.5)
attribute @v: parameter f32[301] = full(0.25)
graph(x: f32[]) {
  %w: f32[300] = get_attr @w
  %v: f32[301] = get_attr @v
  %a: f32[300] = aten.mul.Tensor(%w, %x)
  %b: f32[301] = aten.mul.Tensor(%v, %x)
  return (%a, %b)
})");
  save(program, folder_ / "model.onnx");
  const InModel model = parse_model(MappedFile::open(folder_ / "model.onnx"));
  for (const InTensor& each : model.initializers) {
    EXPECT_EQ((each.raw->data() - reinterpret_cast<const char*>(model.file->data())) % 64, 0) << each.name;
    EXPECT_EQ(reinterpret_cast<const char*>(TensorReader(model).read(each).raw_data()), each.raw->data());
  }
}

TEST_F(OnnxWriter, PutsWeightsBesideAModelThatIsTooLarge) {
  const Program program = parse_program(R"(attribute @w: parameter f32[300] = full(0.5)
attribute @v: parameter f32[2000] = full(0.25)
graph(x: f32[]) {
  %w: f32[300] = get_attr @w
  %v: f32[2000] = get_attr @v
  %a: f32[300] = aten.mul.Tensor(%w, %x)
  %b: f32[2000] = aten.mul.Tensor(%v, %x)
  return (%a, %b)
})");
  write_model(Emitter(program, {}).run(), folder_ / "large.onnx", 1000);
  EXPECT_LT(std::filesystem::file_size(folder_ / "large.onnx"), 1000);
  EXPECT_EQ(std::filesystem::file_size(folder_ / "large.onnx.data"), 4096 + 8000);
  const Program again = load(folder_ / "large.onnx");
  for (const Attribute& attribute : program.attributes)
    EXPECT_TRUE(bit_equal(again.attributes.tensor(attribute.name), attribute.value)) << attribute.name;
}

}  // namespace
}  // namespace qdq
