#include "observer_options.h"

namespace qdq::python {

void bind_observer_options(nb::module_& m) {
  using O = ObserverOptions;
  nb::class_<O>(m, "ObserverOptions", R"(What an observer is built with, under the names of PyTorch's constructors.

Each observer reads the options that its PyTorch constructor has; one that is None takes that observer's default.)")
      .def(
          "__init__",
          [](O* self, decltype(O::dtype) dtype, decltype(O::qscheme) qscheme, decltype(O::quant_min) quant_min,
             decltype(O::quant_max) quant_max, decltype(O::ch_axis) ch_axis, decltype(O::is_dynamic) is_dynamic,
             decltype(O::reduce_range) reduce_range, decltype(O::eps) eps,
             decltype(O::averaging_constant) averaging_constant, decltype(O::bins) bins, decltype(O::scale) scale,
             decltype(O::zero_point) zero_point, decltype(O::percentile) percentile,
             decltype(O::mapping_type) mapping_type, decltype(O::granularity) granularity,
             decltype(O::scale_dtype) scale_dtype, decltype(O::zero_point_dtype) zero_point_dtype,
             decltype(O::preserve_zero) preserve_zero, decltype(O::zero_point_domain) zero_point_domain) {
            new (self) O{dtype,       qscheme,          quant_min,     quant_max,          ch_axis,
                         is_dynamic,  reduce_range,     eps,           averaging_constant, bins,
                         scale,       zero_point,       percentile,    mapping_type,       std::move(granularity),
                         scale_dtype, zero_point_dtype, preserve_zero, zero_point_domain};
          },
          nb::kw_only(), "dtype"_a = nb::none(), "qscheme"_a = nb::none(), "quant_min"_a = nb::none(),
          "quant_max"_a = nb::none(), "ch_axis"_a = nb::none(), "is_dynamic"_a = nb::none(),
          "reduce_range"_a = nb::none(), "eps"_a = nb::none(), "averaging_constant"_a = nb::none(),
          "bins"_a = nb::none(), "scale"_a = nb::none(), "zero_point"_a = nb::none(), "percentile"_a = nb::none(),
          "mapping_type"_a = nb::none(), "granularity"_a = nb::none(), "scale_dtype"_a = nb::none(),
          "zero_point_dtype"_a = nb::none(), "preserve_zero"_a = nb::none(), "zero_point_domain"_a = nb::none())
      .def_ro("dtype", &O::dtype)
      .def_ro("qscheme", &O::qscheme)
      .def_ro("quant_min", &O::quant_min)
      .def_ro("quant_max", &O::quant_max)
      .def_ro("ch_axis", &O::ch_axis)
      .def_ro("is_dynamic", &O::is_dynamic)
      .def_ro("reduce_range", &O::reduce_range)
      .def_ro("eps", &O::eps)
      .def_ro("averaging_constant", &O::averaging_constant)
      .def_ro("bins", &O::bins)
      .def_ro("scale", &O::scale)
      .def_ro("zero_point", &O::zero_point)
      .def_ro("percentile", &O::percentile)
      .def_ro("mapping_type", &O::mapping_type)
      .def_ro("granularity", &O::granularity)
      .def_ro("scale_dtype", &O::scale_dtype)
      .def_ro("zero_point_dtype", &O::zero_point_dtype)
      .def_ro("preserve_zero", &O::preserve_zero)
      .def_ro("zero_point_domain", &O::zero_point_domain);
}

}  // namespace qdq::python
