#include <gtest/gtest.h>

#include <fstream>

#include "formats/onnx/onnx.h"
#include "graph/verify.h"
#include "qdq/graph_text.h"
#include "qdq/io.h"
#include "support/onnx_bytes.h"
#include "support/temporary_folder.h"

namespace qdq {
namespace {

using namespace onnx;

class OnnxReader : public testing::Test {
 protected:
  void write(const std::string& name, std::string_view bytes) {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
  }
  Program read(const std::string& bytes) {
    write("model.onnx", bytes);
    Program program = load(folder_ / "model.onnx");
    verify(program, "load");
    return program;
  }
  // What the reader says to a model that it does not take.
  std::string refusal(const std::string& bytes) {
    try {
      read(bytes);
    } catch (const FormatError& error) {
      const std::string text = error.what();
      const std::string prefix = "[load] " + (folder_ / "model.onnx").string() + ": ";
      EXPECT_TRUE(text.starts_with(prefix)) << text;
      return text.substr(std::min(text.size(), prefix.size()));
    }
    return "read";
  }
  TemporaryFolder folder_;
};

void expect_has(const std::string& text, std::string_view part) {
  EXPECT_NE(text.find(part), std::string::npos) << "expected: " << part << "\nfound: " << text;
}

ModelParts relu() {
  return {{node("Relu", {"x"}, {"y"})}, {value("x", kFloat, {-1, 4})}, {value("y", kFloat, {-1, 4})}};
}

TEST_F(OnnxReader, NamesDimensionsAsTheFileDoes) {
  EXPECT_EQ(to_text(read(model(relu())).graph()), R"(graph(x: f32[n, 4]) {
  %y: f32[n, 4] = aten.relu.default(%x)
  return (%y)
}
)");
}

TEST_F(OnnxReader, ReadsAProductWithAStoredMatrixAsALinearWithItsBias) {
  ModelParts parts{{node("MatMul", {"x", "w"}, {"product"}), node("Add", {"product", "b"}, {"y"})},
                   {value("x", kFloat, {-1, 3})},
                   {value("y", kFloat, {-1, 2})}};
  parts.initializers = {tensor<float>("w", kFloat, {3, 2}, {1, 2, 3, 4, 5, 6}),
                        tensor<float>("b", kFloat, {2}, {7, 8})};
  const Program program = read(model(parts));
  EXPECT_EQ(to_text(program.graph()), R"(graph(x: f32[n, 3]) {
  %w_0: f32[2, 3] strides [1, 2] = get_attr @w_0
  %b: f32[2] = get_attr @b
  %y: f32[n, 2] = aten.linear.default(%x, %w_0, %b)
  return (%y)
}
)");
}

TEST_F(OnnxReader, ComputesSizesAsNumbers) {
  // reshape(x, [x.shape[0], 2, 2])
  ModelParts parts{
      {node("Shape", {"x"}, {"shape"}), node("Gather", {"shape", "zero"}, {"n"}),
       node("Concat", {"n", "twos"}, {"sizes"}, {attribute("axis", 0)}), node("Reshape", {"x", "sizes"}, {"y"})},
      {value("x", kFloat, {-1, 4})},
      {value("y", kFloat, {-1, 2, 2})}};
  parts.initializers = {tensor<std::int64_t>("zero", kInt64, {1}, {0}),
                        tensor<std::int64_t>("twos", kInt64, {2}, {2, 2})};
  EXPECT_EQ(to_text(read(model(parts)).graph()), R"(graph(x: f32[n, 4]) {
  %sym_size_int: symint(n) = aten.sym_size.int(%x, 0)
  %y: f32[n, 2, 2] = aten.reshape.default(%x, [%sym_size_int, 2, 2])
  return (%y)
}
)");
}

TEST_F(OnnxReader, SaysWhatToDoAboutAModelThatFitsOnlyCertainSizes) {
  ModelParts parts = relu();
  parts.nodes = {node("Reshape", {"x", "sizes"}, {"y"})};
  parts.initializers = {tensor<std::int64_t>("sizes", kInt64, {2}, {2, 4})};
  parts.outputs = {value("y", kFloat, {2, 4})};
  expect_has(refusal(model(parts)), "fix them in the file, as onnxruntime.tools.make_dynamic_shape_fixed does");
}

TEST_F(OnnxReader, GivesStoredScalesToQuantizesAsArguments) {
  ModelParts parts{{node("QuantizeLinear", {"x", "s", "z"}, {"q"}), node("DequantizeLinear", {"q", "s", "z"}, {"y"})},
                   {value("x", kFloat, {2})},
                   {value("y", kFloat, {2})}};
  parts.initializers = {tensor<float>("s", kFloat, {}, {0.5F}), tensor<std::int8_t>("z", kInt8, {}, {-3})};
  EXPECT_EQ(to_text(read(model(parts)).graph()), R"(graph(x: f32[2]) {
  %q: i8[2] = quantized_decomposed.quantize_per_tensor.default(%x, 0.5, -3, -128, 127, i8)
  %y: f32[2] = quantized_decomposed.dequantize_per_tensor.default(%q, 0.5, -3, -128, 127, i8)
  return (%y)
}
)");
}

// Whoever cuts a file of ours in front of a dequantize feeds it the integers of the file.
TEST_F(OnnxReader, TakesAnInputForWhatItsDtypeSaysWhateverARemarkDoes) {
  Message dequantize = node("DequantizeLinear", {"x", "s", "z"}, {"y"});
  dequantize.message(NodeField::metadata_props, entry(kOriginalDtype, "int8"));
  ModelParts parts{{dequantize}, {value("x", kUint8, {2})}, {value("y", kFloat, {2})}};
  parts.initializers = {tensor<float>("s", kFloat, {}, {0.5F}), tensor<std::uint8_t>("z", kUint8, {}, {125})};
  EXPECT_EQ(to_text(read(model(parts)).graph()), R"(graph(x: u8[2]) {
  %y: f32[2] = quantized_decomposed.dequantize_per_tensor.default(%x, 0.5, 125, 0, 255, u8)
  return (%y)
}
)");
}

TEST_F(OnnxReader, RefusesWhatIsNoModel) {
  EXPECT_EQ(refusal(""), "at byte 0: expected an ONNX model, found no graph");
  EXPECT_EQ(refusal("PK\x03\x04 a zip file"), "at byte 0: broken protobuf (invalid tag exception)");
  EXPECT_EQ(refusal(model(relu(), 10)), "at byte 0: opset 10: expected 11 to 28; onnx.version_converter changes it");
}

TEST_F(OnnxReader, RefusesLengthsBeyondTheFile) {
  const std::string lie = Message().lie(ModelField::graph, std::uint64_t{1} << 40, "x").bytes();
  EXPECT_EQ(refusal(lie), "at byte 7: broken protobuf (end of buffer exception)");
  const std::string cut = model(relu());
  for (std::size_t size = 0; size < cut.size(); ++size) EXPECT_NE(refusal(cut.substr(0, size)), "read") << size;
}

TEST_F(OnnxReader, RefusesSizesThatTheBytesDoNotFillBeforeItAllocates) {
  ModelParts parts = relu();
  parts.nodes = {node("Add", {"x", "w"}, {"y"})};
  const auto with = [&](std::initializer_list<std::int64_t> dims) {
    parts.initializers = {tensor<float>("w", kFloat, dims, {1, 2})};
    return refusal(model(parts));
  };
  expect_has(with({std::int64_t{1} << 62}), "sizes [4611686018427387904] are negative or too large");
  expect_has(with({std::int64_t{1} << 40}), "sizes [1099511627776] of float32 take 4398046511104 bytes, found 8");
  expect_has(with({-1}), "sizes [-1] are negative or too large");
  expect_has(with({3}), "sizes [3] of float32 take 12 bytes, found 8");
}

TEST_F(OnnxReader, RefusesGraphsThatDoNotRunFromTopToBottom) {
  ModelParts parts = relu();
  parts.nodes = {node("Relu", {"b"}, {"y"}), node("Relu", {"y"}, {"b"})};
  expect_has(
      refusal(model(parts)),
      "node 'y' (Relu, opset 21): its input 'b' is made by no earlier node; nodes have to come in running order");
  parts.nodes = {node("Relu", {"x"}, {"y"}), node("Abs", {"x"}, {"y"})};
  expect_has(refusal(model(parts)), "another node has the result 'y' too");
  parts.nodes = {node("Relu", {"x"}, {"other"})};
  expect_has(refusal(model(parts)), "no node has the result 'y'");
}

TEST_F(OnnxReader, WritesOutNamesThatAreNoTextInMessages) {
  ModelParts parts = relu();
  parts.nodes = {node("Hard\xFFmax\n", {"x"}, {"y"})};
  expect_has(refusal(model(parts)), "node 'y' (Hard\\xffmax\\x0a, opset 21): the operator is not read");
}

TEST_F(OnnxReader, RefusesOperatorsThatItDoesNotKnowAndSaysWhere) {
  ModelParts parts = relu();
  parts.nodes = {node("Hardmax", {"x"}, {"y"})};
  expect_has(refusal(model(parts)),
             "node 'y' (Hardmax, opset 21): the operator is not read (docs/onnx.md lists those that are)");
}

// What a node says to inputs and attributes that its operator has no use for. `of`: a node from "x" (and others) to "y".
class OnnxNode : public OnnxReader {
 protected:
  std::string refusal_of(const Message& of, std::vector<Message> inputs, std::vector<Message> initializers = {}) {
    const std::string text = refusal(model({.nodes = {of},
                                            .inputs = std::move(inputs),
                                            .outputs = {value("y", kFloat, {})},
                                            .initializers = std::move(initializers)}));
    const std::size_t at = text.find("): ");
    return at == std::string::npos ? text : text.substr(at + 3);
  }
  static Message number(std::string_view name, std::int64_t held) {
    return tensor<std::int64_t>(name, kInt64, {}, {held});
  }
  static Message numbers(std::string_view name, std::initializer_list<std::int64_t> held) {
    return tensor<std::int64_t>(name, kInt64, {static_cast<std::int64_t>(held.size())}, held);
  }
  static Message image(std::int32_t type = kFloat) { return value("x", type, {1, 4, 6, 6}); }
};

TEST_F(OnnxNode, RefusesZeroPointsThatDoNotFit) {
  const Message conv = node("ConvInteger", {"x", "w", "x_zero", "w_zero"}, {"y"});
  const std::vector<Message> inputs = {image(kUint8), value("w", kUint8, {1, 4, 2, 2})};
  const Message zero = tensor<std::uint8_t>("x_zero", kUint8, {}, {1});
  expect_has(refusal_of(conv, inputs,
                        {tensor<std::uint8_t>("x_zero", kUint8, {2, 1, 1, 1}, {1, 2}),
                         tensor<std::uint8_t>("w_zero", kUint8, {}, {1})}),
             "zero points that do not fit its input");
  expect_has(refusal_of(conv, inputs, {zero, tensor<std::uint8_t>("w_zero", kUint8, {3}, {1, 2, 3})}),
             "zero points that do not fit its input");
  expect_has(refusal_of(node("MatMulInteger", {"x", "w", "x_zero"}, {"y"}),
                        {value("x", kUint8, {1, 4}), value("w", kUint8, {4, 2})},
                        {tensor<std::uint8_t>("x_zero", kUint8, {3}, {1, 2, 3})}),
             "zero points that do not fit its input");
  expect_has(
      refusal_of(node("DequantizeLinear", {"x", "scale", "zero"}, {"y"}), {value("x", kUint8, {3})},
                 {tensor<float>("scale", kFloat, {}, {0.5F}), tensor<std::uint8_t>("zero", kUint8, {3}, {1, 2, 3})}),
      "its zero point is no single number");
}

TEST_F(OnnxNode, RefusesGroupsThatDoNotDivideTheChannels) {
  for (const std::int64_t groups : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{3}, std::int64_t{1} << 62}) {
    const std::vector<Message> inputs = {image(kUint8), value("w", kUint8, {4, 1, 2, 2})};
    expect_has(refusal_of(node("ConvInteger", {"x", "w"}, {"y"}, {attribute("group", groups)}), inputs), "groups");
  }
}

TEST_F(OnnxNode, RefusesBlocksOfATensorWithoutDimensions) {
  expect_has(
      refusal_of(node("DequantizeLinear", {"x", "scales"}, {"y"}, {attribute("axis", 0), attribute("block_size", 2)}),
                 {value("x", kUint8, {})}, {tensor<float>("scales", kFloat, {2}, {1, 2})}),
      "scales per channel for a tensor without dimensions");
}

TEST_F(OnnxNode, RefusesInputsThatAreLeftOut) {
  expect_has(refusal_of(node("Identity", {}, {"y"}), {image()}), "its input 0 is missing");
  expect_has(refusal_of(node("Gather", {"x"}, {"y"}), {image()}), "its input 1 is missing");
}

TEST_F(OnnxNode, RefusesTensorsOfTooFewDimensions) {
  const std::vector<Message> vector = {value("x", kFloat, {4})};
  expect_has(refusal_of(node("GroupNormalization", {"x", "x", "x"}, {"y"}), vector),
             "'x' has 1 dimensions, it needs 2 or more");
  expect_has(refusal_of(node("Gemm", {"x", "w", "b"}, {"y"}), {value("x", kFloat, {2, 2})},
                        {tensor<float>("w", kFloat, {2}, {1, 2}), tensor<float>("b", kFloat, {2}, {1, 2})}),
             "'w' has 1 dimensions, it needs 2 or more");
  expect_has(refusal_of(node("GatherND", {"x", "i"}, {"y"}), vector, {number("i", 0)}),
             "its indices have no dimensions");
}

TEST_F(OnnxNode, RefusesBlocksOfPixelsWhoseSquareOverflows) {
  for (const char* op : {"DepthToSpace", "SpaceToDepth"})
    for (const std::int64_t block : {std::int64_t{0}, std::int64_t{1} << 32, -(std::int64_t{1} << 31)})
      expect_has(refusal_of(node(op, {"x"}, {"y"}, {attribute("blocksize", block)}), {image()}),
                 "a blocksize of " + std::to_string(block));
}

TEST_F(OnnxNode, RefusesArithmeticWithSizesThatOverflows) {
  for (const char* op : {"Add", "Sub", "Mul", "Div", "Mod"})
    expect_has(refusal_of(node(op, {"a", "b"}, {"y"}), {image()}, {number("a", INT64_MIN), number("b", -1)}),
               "arithmetic with sizes beyond 2^31");
}

TEST_F(OnnxNode, RefusesNumbersThatAreSeveralOrNone) {
  expect_has(refusal_of(node("Trilu", {"x", "k"}, {"y"}), {image()}, {numbers("k", {})}), "its k is no single number");
  expect_has(
      refusal_of(node("Range", {"a", "b", "c"}, {"y"}), {image()}, {numbers("a", {}), number("b", 1), number("c", 1)}),
      "its bound is no single number");
}

TEST_F(OnnxNode, RefusesWindowsWhoseSizesOverflow) {
  const Message weight = tensor<float>("w", kFloat, {4, 1, 1, 1}, {1, 2, 3, 4});
  const auto transposed = [&](const Message& given) {
    return refusal_of(node("ConvTranspose", {"x", "w"}, {"y"}, {given}), {image()}, {weight});
  };
  expect_has(transposed(attribute("output_shape", {7})), "its output_shape has another number of dimensions");
  expect_has(transposed(attribute("output_shape", {INT64_MIN, 7})), "an output_shape of -9223372036854775808");
  expect_has(transposed(attribute("output_padding", {INT64_MAX, 0})), "an output_padding of 9223372036854775807");
  expect_has(transposed(attribute("strides", {INT64_MAX, 1})),
             "its kernel, strides and dilations have to be from 1 to 2^30");
  expect_has(refusal_of(node("MaxPool", {"x"}, {"y"}, {attribute("kernel_shape", {1, 1})}),
                        {value("x", kFloat, {0, 1, INT64_MAX, 1})}),
             "its input has a size beyond 2^30");
}

TEST_F(OnnxNode, RefusesCountsThatAreNone) {
  const std::vector<Message> index = {value("x", kInt64, {2})};
  for (const std::int64_t depth : {std::int64_t{0}, INT64_MIN, INT64_MAX})
    expect_has(refusal_of(node("OneHot", {"x", "depth", "values"}, {"y"}), index,
                          {number("depth", depth), tensor<float>("values", kFloat, {2}, {0, 1})}),
               "a depth of " + std::to_string(depth));
  expect_has(refusal_of(node("LSTM", {"x", "w", "r"}, {"y"}, {attribute("hidden_size", std::int64_t{1} << 62)}),
                        {value("x", kFloat, {1, 1, 1})},
                        {tensor<float>("w", kFloat, {1, 4, 1}, {1, 2, 3, 4}),
                         tensor<float>("r", kFloat, {1, 4, 1}, {1, 2, 3, 4})}),
             "its hidden_size is missing or no size");
}

TEST_F(OnnxReader, KeepsIntegersThatNoDoubleHolds) {
  ModelParts parts = relu();
  parts.inputs = {value("x", kInt64, {2})};
  parts.nodes = {node("Clip", {"x", "", "most"}, {"y"})};
  parts.initializers = {tensor<std::int64_t>("most", kInt64, {}, {INT64_MAX - 1})};
  expect_has(to_text(read(model(parts)).graph()), "aten.clamp.default(%x, none, 9223372036854775806)");
}

Message of_onnxruntime(Message node) { return node.text(NodeField::domain, "com.microsoft"); }

TEST_F(OnnxReader, ReadsOperatorsOnIntegersAsFloatOpsBetweenDequantizesAndAQuantize) {
  const Message add = node("QLinearAdd", {"a", "a_scale", "a_zero", "b", "b_scale", "", "y_scale", "y_zero"}, {"y"});
  ModelParts parts{{of_onnxruntime(add)}, {value("a", kUint8, {2}), value("b", kUint8, {2})}, {value("y", kInt8, {2})}};
  parts.initializers = {tensor<float>("a_scale", kFloat, {}, {0.5F}), tensor<std::uint8_t>("a_zero", kUint8, {}, {3}),
                        tensor<float>("b_scale", kFloat, {1}, {0.25F}), tensor<float>("y_scale", kFloat, {}, {2}),
                        tensor<std::int8_t>("y_zero", kInt8, {}, {-4})};
  EXPECT_EQ(to_text(read(model(parts)).graph()), R"(graph(a: u8[2], b: u8[2]) {
  %dequantize_per_tensor_default: f32[2] = quantized_decomposed.dequantize_per_tensor.default(%a, 0.5, 3, 0, 255, u8)
  %dequantize_per_tensor_default_1: f32[2] = quantized_decomposed.dequantize_per_tensor.default(%b, 0.25, 0, 0, 255, u8)
  %add_tensor: f32[2] = aten.add.Tensor(%dequantize_per_tensor_default, %dequantize_per_tensor_default_1)
  %y: i8[2] = quantized_decomposed.quantize_per_tensor.default(%add_tensor, 2.0, -4, -128, 127, i8)
  return (%y)
}
)");
}

TEST_F(OnnxNode, RefusesOperatorsOnIntegersWithoutTheirScales) {
  const std::vector<Message> inputs = {value("x", kUint8, {1, 4, 6, 6}), value("s", kFloat, {})};
  const Message average = node("QLinearGlobalAveragePool", {"x", "s", "", "s"}, {"y"});
  expect_has(refusal_of(of_onnxruntime(average), inputs), "its input 1, a scale, is computed or missing");
  const Message no_scale = node("QLinearSigmoid", {"x"}, {"y"});
  expect_has(refusal_of(of_onnxruntime(no_scale), inputs), "its input 1, a scale, is computed or missing");
  const Message two = tensor<float>("two", kFloat, {2}, {1, 2}), none = tensor<float>("none", kFloat, {0}, {});
  expect_has(refusal_of(of_onnxruntime(node("QLinearSigmoid", {"x", "none", "", "two"}, {"y"})), inputs, {none, two}),
             "its input 1, a scale, is computed or missing");
  expect_has(refusal_of(of_onnxruntime(node("QLinearSigmoid", {"x", "one", "", "two"}, {"y"})), inputs,
                        {tensor<float>("one", kFloat, {}, {1}), two}),
             "its input 3, a scale, is no single number");
  const Message concat = node("QLinearConcat", {"s"}, {"y"});
  expect_has(refusal_of(of_onnxruntime(concat), inputs), "nothing to put together");
  const Message conv = node("QLinearConv", {"x", "scale", "zeros", "x", "scale", "", "scale"}, {"y"});
  expect_has(refusal_of(conv, inputs,
                        {tensor<float>("scale", kFloat, {}, {1}), tensor<std::uint8_t>("zeros", kUint8, {2}, {1, 2})}),
             "scales and zero points of different sizes");
}

TEST_F(OnnxNode, NamesTheDomainOfAnOperatorThatIsNotOnnxs) {
  const std::vector<Message> image = {value("x", kFloat, {1, 4})};
  expect_has(refusal_of(of_onnxruntime(node("FusedConv", {"x"}, {"y"})), image),
             "the operator of domain 'com.microsoft' is not read (docs/onnx.md lists those that are)");
  // ONNX's operators are not another domain's.
  expect_has(refusal_of(of_onnxruntime(node("Relu", {"x"}, {"y"})), image),
             "the operator of domain 'com.microsoft' is not read");
}

class OnnxExternalData : public OnnxReader {
 protected:
  // x + w, with the two numbers of w at `offset` of another file.
  std::string model_with(std::string_view location, std::string_view offset = "0", std::string_view length = "8") {
    ModelParts parts = relu();
    parts.nodes = {node("Add", {"x", "w"}, {"y"})};
    parts.inputs = {value("x", kFloat, {2})};
    parts.outputs = {value("y", kFloat, {2})};
    parts.initializers = {Message()
                              .integer(TensorField::dims, 2)
                              .integer(TensorField::data_type, kFloat)
                              .text(TensorField::name, "w")
                              .message(TensorField::external_data, entry("location", location))
                              .message(TensorField::external_data, entry("offset", offset))
                              .message(TensorField::external_data, entry("length", length))
                              .integer(TensorField::data_location, kExternal)};
    return model(parts);
  }
};

TEST_F(OnnxExternalData, IsReadFromBeneathTheFolder) {
  const float numbers[] = {0, 1.5F, 2.5F};
  write("weights/data.bin", {reinterpret_cast<const char*>(numbers), sizeof numbers});
  const Program program = read(model_with("weights/data.bin", "4"));
  EXPECT_TRUE(bit_equal(program.attributes.tensor("w"), Tensor::from<float>({1.5F, 2.5F}, {2})));
}

TEST_F(OnnxExternalData, IsRefusedOutsideOfTheFolder) {
  write("data.bin", "12345678");
  expect_has(refusal(model_with("../data.bin")), "its external data '../data.bin' leads out of the model's folder");
  expect_has(refusal(model_with("a/../data.bin")), "is missing");
  expect_has(refusal(model_with((folder_ / "data.bin").string())),
             "is an absolute path; it has to be beneath the model's folder");
  expect_has(refusal(model_with("")), "its external data has no usable name");
  expect_has(refusal(model_with(std::string_view("data\0.bin", 9))), "has no usable name");
  std::filesystem::create_symlink(folder_ / "data.bin", folder_ / "link.bin");
  expect_has(refusal(model_with("link.bin")), "goes through the link '");
  std::filesystem::create_directory(folder_ / "inside");
  std::filesystem::create_directory_symlink("/etc", folder_ / "inside" / "etc");
  expect_has(refusal(model_with("inside/etc/passwd")), "goes through the link '");
}

TEST_F(OnnxExternalData, IsRefusedBeyondItsFile) {
  write("data.bin", "12345678");
  expect_has(refusal(model_with("data.bin", "4")),
             "external data from 4 on, 8 bytes, does not fit 'data.bin', which has 8");
  expect_has(refusal(model_with("data.bin", "18446744073709551615")), "does not fit 'data.bin', which has 8");
  expect_has(refusal(model_with("data.bin", "-1")), "external data at '-1': expected a number");
  expect_has(refusal(model_with("data.bin", "0", "4")), "sizes [2] of float32 take 8 bytes, found 4");
}

}  // namespace
}  // namespace qdq
