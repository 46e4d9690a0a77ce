#include "convert/insert_qdq.h"

#include <gtest/gtest.h>

#include "qdq/graph_text.h"

namespace qdq {
namespace {

using Observers = std::map<std::string, std::shared_ptr<Observer>>;

std::string converted(const char* text, const Observers& observers) {
  Program program = parse_program(text);
  insert_qdq(program, observers);
  return to_text(program);
}

constexpr const char* kObserved = R"(graph(x: f32[2, 2]) {
  %obs: f32[2, 2] = call_module @obs(%x)
  return (%obs)
})";

ObserverOptions int8_options() {
  ObserverOptions options;
  options.dtype = DType::int8;
  options.quant_min = -127;
  options.quant_max = 127;
  return options;
}

TEST(InsertQDQ, WritesPerTensorParametersAsLiterals) {
  ObserverOptions options = int8_options();
  options.qscheme = QScheme::per_tensor_symmetric;
  const auto observer = min_max_observer()(options);
  observer->observe(Tensor::from<float>({-1.0f, 0.5f, 63.5f, 2.0f}, {2, 2}));  // 63.5 / 127 = 0.5
  EXPECT_EQ(converted(kObserved, {{"obs", observer}}), R"(graph(x: f32[2, 2]) {
  %quantize_per_tensor_default: i8[2, 2] = quantized_decomposed.quantize_per_tensor.default(%x, 0.5, 0, -127, 127, i8)
  %dequantize_per_tensor_default: f32[2, 2] = quantized_decomposed.dequantize_per_tensor.default(%quantize_per_tensor_default, 0.5, 0, -127, 127, i8)
  return (%dequantize_per_tensor_default)
}
)");
}

TEST(InsertQDQ, WritesPerChannelParametersAsBuffers) {
  ObserverOptions options = int8_options();
  options.qscheme = QScheme::per_channel_symmetric;
  options.ch_axis = 0;
  const auto observer = per_channel_min_max_observer()(options);
  observer->observe(Tensor::from<float>({-127.0f, 0.5f, 63.5f, 2.0f}, {2, 2}));
  Program program = parse_program(kObserved);
  EXPECT_EQ(insert_qdq(program, {{"obs", observer}}), 1);
  EXPECT_TRUE(bit_equal(program.attributes.tensor("_scale_0"), Tensor::from<float>({1.0f, 0.5f}, {2})));
  EXPECT_TRUE(bit_equal(program.attributes.tensor("_zero_point_0"), Tensor::from<std::int64_t>({0, 0}, {2})));
  EXPECT_NE(to_text(program).find("quantize_per_channel.default(%x, %_scale_0, %_zero_point_0, 0, -127, 127, i8)"),
            std::string::npos)
      << to_text(program);
}

TEST(InsertQDQ, ChoosesDynamicParametersAtRunTime) {
  ObserverOptions options = int8_options();
  options.is_dynamic = true;
  options.eps = 0.25;
  options.qscheme = QScheme::per_tensor_affine;
  EXPECT_EQ(converted(kObserved, {{"obs", placeholder_observer()(options)}}), R"(graph(x: f32[2, 2]) {
  %choose_qparams_tensor: (f64[1], i64[1]) = quantized_decomposed.choose_qparams.tensor(%x, -127, 127, 0.25, i8)
  %getitem: f64[1] = operator.getitem(%choose_qparams_tensor, 0)
  %getitem_1: i64[1] = operator.getitem(%choose_qparams_tensor, 1)
  %quantize_per_tensor_tensor: i8[2, 2] = quantized_decomposed.quantize_per_tensor.tensor(%x, %getitem, %getitem_1, -127, 127, i8)
  %dequantize_per_tensor_tensor: f32[2, 2] = quantized_decomposed.dequantize_per_tensor.tensor(%quantize_per_tensor_tensor, %getitem, %getitem_1, -127, 127, i8)
  return (%dequantize_per_tensor_tensor)
}
)");
}

TEST(InsertQDQ, ReturnsToTheObservedDtype) {
  const auto observer = min_max_observer()(int8_options());
  observer->observe(Tensor::from<float>({127.0f, -127.0f}, {2}));
  const std::string text = converted(R"(graph(x: bf16[2]) {
  %obs: bf16[2] = call_module @obs(%x)
  return (%obs)
})",
                                     {{"obs", observer}});
  EXPECT_NE(text.find("out_dtype=bf16)"), std::string::npos) << text;
  EXPECT_NE(text.find("%dequantize_per_tensor_default: bf16[2]"), std::string::npos) << text;
}

TEST(InsertQDQ, CastsThroughFloat16) {
  ObserverOptions options;
  options.dtype = DType::float16;
  EXPECT_EQ(converted(kObserved, {{"obs", placeholder_observer()(options)}}), R"(graph(x: f32[2, 2]) {
  %convert_element_type_no_fuse: f16[2, 2] = quantized_decomposed.convert_element_type.no_fuse(%x, f16)
  %convert_element_type_no_fuse_1: f32[2, 2] = quantized_decomposed.convert_element_type.no_fuse(%convert_element_type_no_fuse, f32)
  return (%convert_element_type_no_fuse_1)
}
)");
}

TEST(InsertQDQ, DropsAPlaceholderObserver) {
  EXPECT_EQ(converted(kObserved, {{"obs", placeholder_observer()()}}), "graph(x: f32[2, 2]) {\n  return (%x)\n}\n");
}

TEST(InsertQDQ, RefusesAnObserverThatIsNotThere) {
  Program program = parse_program(kObserved);
  EXPECT_THROW(insert_qdq(program, {}), InvalidArgumentError);
}

}  // namespace
}  // namespace qdq
