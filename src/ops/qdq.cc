// Quantize, dequantize and the choice of qparams: torch's quantized_decomposed and torchao's affine ops.
#include "ops/family.h"
#include "ops/shapes.h"

namespace qdq {
namespace {

std::vector<Value> infer_to_dtype(const Call& call) {  // quantize ops: argument "dtype" or "output_dtype"
  const Tensor& input = call.tensor("input");
  const std::string_view which = call.schema().find_arg("output_dtype") ? "output_dtype" : "dtype";
  return {meta_value(plain_dtype(call.dtype(which, input.dtype())), input.sizes())};
}

std::vector<Value> infer_dequantize(const Call& call) {
  const DType dtype = call.schema().find_arg("out_dtype") ? call.dtype("out_dtype", DType::float32) : DType::float32;
  return {meta_value(dtype, call.tensor("input").sizes())};
}

std::vector<Value> infer_choose_qparams(const Call&) {
  return {meta_value(DType::float64, {1}), meta_value(DType::int64, {1})};
}

// One scale and zero point per row of the last dimension. The plain form returns both as floats.
std::vector<Value> infer_choose_per_token(const Call& call) {
  const Tensor& input = call.tensor("input");
  Shape sizes = input.sizes();
  if (sizes.empty()) call.fail("a tensor with dimensions expected");
  sizes.back() = 1;
  if (call.schema().target.find("asymmetric") != std::string::npos)
    return {meta_value(DType::float64, sizes), meta_value(DType::int64, sizes)};
  const DType scale = input.dtype() == DType::float16 ? DType::float32 : input.dtype();
  return {meta_value(scale, sizes), meta_value(scale, sizes)};
}

std::vector<Value> infer_fake_quantize(const Call& call) {
  const Tensor& first = first_tensor(call);
  return {meta_value(first.dtype(), first.sizes())};
}

constexpr OpRow kRows[] = {
    {"quantized_decomposed::quantize_per_tensor(Tensor input, float scale, int zero_point, int quant_min, "
     "int quant_max, ScalarType dtype) -> Tensor",
     infer_to_dtype},
    {"quantized_decomposed::quantize_per_tensor.tensor(Tensor input, Tensor scale, Tensor zero_point, int "
     "quant_min, int quant_max, ScalarType dtype) -> Tensor",
     infer_to_dtype},
    {"quantized_decomposed::quantize_per_tensor.tensor2(Tensor input, Tensor scale, Tensor zero_point, "
     "Tensor quant_min, Tensor quant_max, ScalarType dtype) -> Tensor",
     infer_to_dtype},
    {"quantized_decomposed::quantize_per_channel(Tensor input, Tensor scales, Tensor zero_points, int "
     "axis, int quant_min, int quant_max, ScalarType dtype) -> Tensor",
     infer_to_dtype},
    {"quantized_decomposed::dequantize_per_tensor(Tensor input, float scale, int zero_point, int "
     "quant_min, int quant_max, ScalarType dtype, *, ScalarType? out_dtype=None) -> Tensor",
     infer_dequantize},
    {"quantized_decomposed::dequantize_per_tensor.tensor(Tensor input, Tensor scale, Tensor zero_point, "
     "int quant_min, int quant_max, ScalarType dtype, *, ScalarType? out_dtype=None) -> Tensor",
     infer_dequantize},
    {"quantized_decomposed::dequantize_per_tensor.tensor2(Tensor input, Tensor scale, Tensor zero_point, "
     "Tensor quant_min, Tensor quant_max, ScalarType dtype, *, ScalarType? out_dtype=None) -> Tensor",
     infer_dequantize},
    {"quantized_decomposed::dequantize_per_channel(Tensor input, Tensor scales, Tensor? zero_points, int "
     "axis, int quant_min, int quant_max, ScalarType dtype, *, ScalarType? out_dtype=None) -> Tensor",
     infer_dequantize},
    {"quantized_decomposed::choose_qparams.tensor(Tensor input, int quant_min, int quant_max, float eps, "
     "ScalarType dtype) -> (Tensor, Tensor)",
     infer_choose_qparams},
    {"quantized_decomposed::choose_qparams_symmetric.tensor(Tensor input, int quant_min, int quant_max, "
     "float eps, ScalarType dtype) -> (Tensor, Tensor)",
     infer_choose_qparams},
    {"quantized_decomposed::choose_qparams_per_token(Tensor input, ScalarType dtype) -> (Tensor, Tensor)",
     infer_choose_per_token},
    {"quantized_decomposed::_choose_qparams_per_token_asymmetric_impl(Tensor input, ScalarType dtype) -> "
     "(Tensor, Tensor)",
     infer_choose_per_token},
    {"quantized_decomposed::choose_qparams_per_token_asymmetric(Tensor input, ScalarType dtype) -> "
     "(Tensor, Tensor)",
     infer_choose_per_token},
    {"quantized_decomposed::quantize_per_token(Tensor input, Tensor scales, Tensor zero_points, int "
     "quant_min, int quant_max, ScalarType dtype) -> Tensor",
     infer_to_dtype},
    {"quantized_decomposed::quantize_per_channel_group(Tensor input, Tensor scales, Tensor zero_points, "
     "int quant_min, int quant_max, ScalarType dtype, int group_size) -> Tensor",
     infer_to_dtype},
    {"quantized_decomposed::dequantize_per_token(Tensor input, Tensor scales, Tensor zero_points, int "
     "quant_min, int quant_max, ScalarType dtype, ScalarType output_dtype) -> Tensor",
     infer_to_dtype},
    {"quantized_decomposed::dequantize_per_channel_group(Tensor input, Tensor scales, Tensor? zero_points,"
     " int quant_min, int quant_max, ScalarType dtype, int group_size, ScalarType output_dtype) -> Tensor",
     infer_to_dtype},
    {"quantized_decomposed::fake_quant_per_channel(Tensor input, Tensor scales, Tensor zero_points, int "
     "axis, int quant_min, int quant_max) -> Tensor",
     infer_fake_quantize},
    {"quantized_decomposed::convert_element_type.no_fuse(Tensor input, ScalarType dtype) -> Tensor", infer_to_dtype},
    {"torchao::quantize_affine(Tensor input, SymInt[] block_size, Tensor scale, Tensor? zero_point, "
     "ScalarType output_dtype, Scalar? quant_min=None, Scalar? quant_max=None) -> Tensor",
     infer_to_dtype},
    {"torchao::dequantize_affine(Tensor input, SymInt[] block_size, Tensor scale, Tensor? zero_point, "
     "ScalarType input_dtype, Scalar? quant_min=None, Scalar? quant_max=None, ScalarType output_dtype=6) "
     "-> Tensor",
     infer_to_dtype},
    {"torchao::choose_qparams_affine(Tensor? input, str mapping_type, SymInt[] block_size, ScalarType "
     "target_dtype, Scalar? quant_min=None, Scalar? quant_max=None, float? eps=None, ScalarType? "
     "scale_dtype=None, ScalarType? zero_point_dtype=None, bool keepdim=False) -> (Tensor, Tensor)"},
    {"aten::fake_quantize_per_tensor_affine(Tensor self, float scale, int zero_point, int quant_min, int "
     "quant_max) -> Tensor",
     infer_fake_quantize},
    {"aten::fake_quantize_per_tensor_affine.tensor_qparams(Tensor self, Tensor scale, Tensor zero_point, int "
     "quant_min, int quant_max) -> Tensor",
     infer_fake_quantize},
    {"aten::fake_quantize_per_channel_affine(Tensor self, Tensor scale, Tensor zero_point, int axis, int "
     "quant_min, int quant_max) -> Tensor",
     infer_fake_quantize},
};

}  // namespace

OpFamily qdq_ops() { return kRows; }

}  // namespace qdq
