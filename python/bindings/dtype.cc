// Element types and the quantization schemes, under PyTorch's names.
#include "bindings.h"

namespace qdq::python {

void bind_dtype(nb::module_& m) {
  auto dtype = nb::enum_<DType>(m, "DType", "Element types, under PyTorch's names.");
  for (int i = 0; i <= static_cast<int>(DType::int7); ++i) {
    const auto value = static_cast<DType>(i);
    const std::string_view text = name(value);
    dtype.value(value == DType::bool_ ? "bool_" : text.data(), value);
  }
  dtype.def_prop_ro(
      "itemsize", [](DType self) { return element_size(self); }, "Bytes of one element.");

  nb::enum_<QScheme>(m, "QScheme", "How scale and zero point are laid out and chosen.")
      .value("per_tensor_affine", QScheme::per_tensor_affine)
      .value("per_tensor_symmetric", QScheme::per_tensor_symmetric)
      .value("per_channel_affine", QScheme::per_channel_affine)
      .value("per_channel_symmetric", QScheme::per_channel_symmetric)
      .value("per_channel_affine_float_qparams", QScheme::per_channel_affine_float_qparams);
}

}  // namespace qdq::python
