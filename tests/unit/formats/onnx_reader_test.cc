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
