// The arithmetic of fake quantizers. Results go to tensors of the caller's, whose memory torch has allocated.
#include "bindings.h"

namespace qdq::python {
namespace {

void bind_affine_fake_quantize(nb::module_& m) {
  nb::class_<AffineQParams>(m, "_AffineQParams",
                            "How the blocks of a tensor are quantized; quantized values lie within the bounds.")
      .def(
          "__init__",
          [](AffineQParams* self, Shape block_size, const ArrayLike& scale, const std::optional<ArrayLike>& zero_point,
             double quant_min, double quant_max, ZeroPointDomain zero_point_domain) {
            new (self) AffineQParams{
                std::move(block_size), scale.get(), zero_point ? zero_point->get() : Tensor(), quant_min, quant_max,
                zero_point_domain};
          },
          "block_size"_a, "scale"_a, "zero_point"_a.none(), "quant_min"_a, "quant_max"_a, "zero_point_domain"_a);
  m.def(
      "_fake_quantize_affine",
      [](const ArrayLike& input, const AffineQParams& qparams) {
        const nb::gil_scoped_release nogil;
        FakeQuantized result = fake_quantize_affine(input.get(), qparams);
        return std::pair(std::move(result.values), std::move(result.inside));
      },
      "input"_a, "qparams"_a,
      "The quantized and dequantized values, and a mask of those that a gradient goes through.");
  m.def(
      "_fake_quantize_affine_backward",
      [](const ArrayLike& gradient, const ArrayLike& inside, const AffineQParams& qparams) {
        const nb::gil_scoped_release nogil;
        return fake_quantize_affine_backward(gradient.get(), inside.get(), qparams);
      },
      "gradient"_a, "inside"_a, "qparams"_a, "The gradient of the input.");
}

using Axis = std::optional<std::int64_t>;

UniformQParams uniform_qparams(const ArrayLike& scale, const ArrayLike& zero_point, Axis ch_axis,
                               std::int64_t quant_min, std::int64_t quant_max) {
  return {scale.get(), zero_point.get(), ch_axis, quant_min, quant_max};
}

}  // namespace

void bind_fake_quantize(nb::module_& m) {
  bind_affine_fake_quantize(m);
  m.def(
      "_fake_quantize",
      [](const ArrayLike& input, const ArrayLike& scale, const ArrayLike& zero_point, Axis ch_axis,
         std::int64_t quant_min, std::int64_t quant_max, const ArrayLike& values, const ArrayLike& inside) {
        const nb::gil_scoped_release nogil;
        fake_quantize(input.get(), uniform_qparams(scale, zero_point, ch_axis, quant_min, quant_max), values.get(),
                      inside.get());
      },
      "input"_a, "scale"_a, "zero_point"_a, "ch_axis"_a.none(), "quant_min"_a, "quant_max"_a, "values"_a, "inside"_a,
      "Writes the quantized and dequantized values, and the mask of those that a gradient goes through.");
  m.def(
      "_fake_quantize_backward",
      [](const ArrayLike& gradient, const ArrayLike& inside, const ArrayLike& result) {
        const nb::gil_scoped_release nogil;
        fake_quantize_backward(gradient.get(), inside.get(), result.get());
      },
      "gradient"_a, "inside"_a, "result"_a, "Writes the gradient of the input.");
  m.def(
      "_fake_quantize_learnable_backward",
      [](const ArrayLike& gradient, const ArrayLike& input, const ArrayLike& scale, const ArrayLike& zero_point,
         Axis ch_axis, std::int64_t quant_min, std::int64_t quant_max, double factor, const ArrayLike& input_gradient) {
        const nb::gil_scoped_release nogil;
        LearnedGradients found = fake_quantize_learnable_backward(
            gradient.get(), input.get(), uniform_qparams(scale, zero_point, ch_axis, quant_min, quant_max), factor,
            input_gradient.get());
        return std::pair(std::move(found.scale), std::move(found.zero_point));
      },
      "gradient"_a, "input"_a, "scale"_a, "zero_point"_a, "ch_axis"_a.none(), "quant_min"_a, "quant_max"_a, "factor"_a,
      "input_gradient"_a, "Writes the gradient of the input; returns those of scale and zero point.");
  nb::class_<MovingAverageFakeQuantizer>(m, "_MovingAverageFakeQuantizer",
                                         "A moving-average observer and a fake quantizer on four tensors of the "
                                         "caller's, which it writes to.")
      .def(
          "__init__",
          [](MovingAverageFakeQuantizer* self, const ArrayLike& min_val, const ArrayLike& max_val,
             const ArrayLike& scale, const ArrayLike& zero_point, double averaging_constant, std::int64_t quant_min,
             std::int64_t quant_max, Axis ch_axis, bool is_symmetric) {
            new (self) MovingAverageFakeQuantizer{min_val.get(), max_val.get(), averaging_constant, is_symmetric,
                                                  uniform_qparams(scale, zero_point, ch_axis, quant_min, quant_max)};
          },
          "min_val"_a, "max_val"_a, "scale"_a, "zero_point"_a, "averaging_constant"_a, "quant_min"_a, "quant_max"_a,
          "ch_axis"_a.none(), "is_symmetric"_a)
      .def(
          "observe",
          [](const MovingAverageFakeQuantizer& self, const ArrayLike& input) {
            const nb::gil_scoped_release nogil;
            observe_moving_average(input.get(), self);
          },
          "input"_a, "Updates min_val and max_val.")
      .def(
          "fake_quantize",
          [](const MovingAverageFakeQuantizer& self, const ArrayLike& input, bool observe, const ArrayLike& values,
             const ArrayLike& inside) {
            const nb::gil_scoped_release nogil;
            if (observe) observe_moving_average(input.get(), self);
            choose_moving_average_qparams(self);
            fake_quantize(input.get(), self.qparams, values.get(), inside.get());
          },
          "input"_a, "observe"_a, "values"_a, "inside"_a,
          "Observes if asked to, updates scale and zero_point, and writes values and mask.");
}

}  // namespace qdq::python
