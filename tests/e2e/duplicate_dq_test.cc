// The scenarios of PyTorch's test of the duplicate-dequantize pass, on programs exported by torch
// (tools/make_seed_files.py): after convert no annotated node shares its dequantize with anybody.
#include <gtest/gtest.h>

#include <cmath>

#include "qdq/io.h"
#include "qdq/qdq.h"

namespace qdq {
namespace {

Program seed(const std::string& name) { return load(std::string(QDQ_TESTS_DIR) + "/e2e/data/" + name + ".pt2"); }

Tensor example_input() {
  Tensor x = Tensor::empty(DType::float32, {1, 3, 5, 7});
  for (std::int64_t i = 0; i < x.numel(); ++i) x.data<float>()[i] = std::sin(0.7f * static_cast<float>(i));
  return x;
}

bool is_dequantize(const Node& node) { return node.target().find(".dequantize_per_") != std::string::npos; }

class ByAnnotators : public Quantizer {
 public:
  explicit ByAnnotators(std::vector<std::string> annotators) : annotators_(std::move(annotators)) {}
  std::string name() const override { return "by annotators"; }
  void annotate(Program& program) override {
    const QuantizationConfig config = symmetric_config({.per_channel = true});
    for (const std::string& annotator : annotators_) op_to_annotator(annotator)(program, config, {});
  }

 private:
  std::vector<std::string> annotators_;
};

struct Result {
  Program program;
  double largest_error = 0;  // of the first output against float
};

Result quantize(const std::string& name, Quantizer& quantizer) {
  const Tensor x = example_input();
  const Program original = seed(name);
  const Tensor expected = make_executor(original)->run({x})[0];
  PreparedProgram prepared = prepare(seed(name), quantizer);
  prepared.calibrate({x});
  Result result{convert(std::move(prepared))};
  const Tensor actual = make_executor(result.program)->run({x})[0];
  for (std::int64_t i = 0; i < actual.numel(); ++i)
    result.largest_error =
        std::max<double>(result.largest_error, std::fabs(actual.data<float>()[i] - expected.data<float>()[i]));
  return result;
}

void expect_own_dequantize_for_annotated_nodes(const Program& program) {
  int annotated = 0;
  for (const Node& node : program.graph().nodes()) {
    if (!is_valid_annotation(node)) continue;
    ++annotated;
    for (const Node* input : node.inputs())
      EXPECT_TRUE(!is_dequantize(*input) || input->num_users() == 1)
          << input->name() << " is shared by " << node.name();
  }
  EXPECT_GE(annotated, 3);
}

int dequantizes_of(const Node& quantize) {
  int count = 0;
  for (const Node* user : quantize.users()) count += is_dequantize(*user);
  return count;
}

// The quantize behind `node`.
const Node& quantized(const Program& program, std::string_view node) {
  for (const Node* user : program.graph().find(node)->users())
    if (user->target().find(".quantize_per_") != std::string::npos) return *user;
  throw InternalError("nothing quantizes " + std::string(node));
}

TEST(DuplicateDQ, AChainOfSharingOpsNeedsNoDuplicate) {
  ByAnnotators quantizer({"linear", "conv", "adaptive_avg_pool2d"});
  const Result result = quantize("conv_with_obs_sharing_ops", quantizer);
  expect_own_dequantize_for_annotated_nodes(result.program);
  EXPECT_EQ(dequantizes_of(quantized(result.program, "conv2d")), 1);
  EXPECT_LT(result.largest_error, 0.05);
}

TEST(DuplicateDQ, ThreeAnnotatedConsumersGetOneEach) {
  ByAnnotators quantizer({"linear", "conv", "add"});
  const Result result = quantize("conv_with_shared_dq", quantizer);
  expect_own_dequantize_for_annotated_nodes(result.program);
  // conv2 and add have their own; view and mul, not annotated, share the original.
  EXPECT_EQ(dequantizes_of(quantized(result.program, "conv2d")), 3);
  EXPECT_LT(result.largest_error, 0.05);
}

TEST(DuplicateDQ, ConsumersWithoutAnnotationShareTheOriginal) {
  ByAnnotators quantizer({"linear", "conv"});
  const Result result = quantize("conv_with_shared_dq", quantizer);
  expect_own_dequantize_for_annotated_nodes(result.program);
  EXPECT_EQ(dequantizes_of(quantized(result.program, "conv2d")), 2);
  const Node* add = result.program.graph().find("add");
  const Node* mul = result.program.graph().find("mul");
  EXPECT_EQ(add->input(0), mul->input(0));
  EXPECT_LT(result.largest_error, 0.05);
}

// Average pooling with uint8 where the convolutions have int8: its input is quantized once more, behind the
// convolution's own dequantize.
class PoolingInUint8 : public ByAnnotators {
 public:
  PoolingInUint8() : ByAnnotators({"conv", "add"}) {}
  void annotate(Program& program) override {
    ByAnnotators::annotate(program);
    for (Node& node : program.graph().nodes()) {
      if (!node.is("aten.adaptive_avg_pool2d.default")) continue;
      QuantizationSpec spec;
      spec.dtype = DType::uint8;
      spec.observer_or_fake_quant_ctr = histogram_observer();
      spec.quant_min = 0;
      spec.quant_max = 255;
      spec.qscheme = QScheme::per_tensor_affine;
      auto& annotation = annotation_of(node);
      annotation.set_input_qspec(*node.input(0), spec);
      annotation.output_qspec = SharedQuantizationSpec{{*node.input(0), node}};
    }
  }
};

TEST(DuplicateDQ, PoolingWithAnotherConfigurationIsQuantizedTwice) {
  PoolingInUint8 quantizer;
  const Result result = quantize("different_qconfig", quantizer);
  expect_own_dequantize_for_annotated_nodes(result.program);
  const Node* pool = result.program.graph().find("adaptive_avg_pool2d");
  const Node* uint8_dq = pool->input(0);
  ASSERT_TRUE(is_dequantize(*uint8_dq));
  EXPECT_EQ(*uint8_dq->arg(5).get_if<DType>(), DType::uint8);
  const Node* int8_dq = uint8_dq->input(0)->input(0);
  ASSERT_TRUE(is_dequantize(*int8_dq));
  EXPECT_EQ(*int8_dq->arg(5).get_if<DType>(), DType::int8);
  EXPECT_LT(result.largest_error, 0.05);
}

TEST(Convert, KeepsNoFloatWeightThatNothingReads) {
  ByAnnotators quantizer({"linear", "conv"});
  const Result result = quantize("conv_with_shared_dq", quantizer);
  for (const Attribute& attribute : result.program.attributes) {
    EXPECT_FALSE(attribute.name.ends_with("weight")) << attribute.name << " is still there";
    EXPECT_EQ(attribute.value.dtype() == DType::int8, attribute.name.starts_with("_frozen_param")) << attribute.name;
  }
}

}  // namespace
}  // namespace qdq
