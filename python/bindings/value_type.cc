// What is known about a value without its data.
#include "bindings.h"

namespace qdq::python {
namespace {

// A size is an int where it is known.
SymInt sym_int_from(const std::variant<std::int64_t, SymInt>& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) return SymInt(*number);
  return std::get<SymInt>(value);
}

using Size = std::variant<std::int64_t, SymInt>;

std::vector<SymInt> sizes_from(const std::vector<Size>& values) {
  std::vector<SymInt> result;
  for (const Size& value : values) result.push_back(sym_int_from(value));
  return result;
}

std::vector<Size> sizes_of(const std::vector<SymInt>& values) {
  std::vector<Size> result;
  for (const SymInt& value : values) result.push_back(value.is_symbolic() ? Size(value) : Size(value.value));
  return result;
}

}  // namespace

void bind_value_type(nb::module_& m) {
  nb::class_<SymInt>(m, "SymInt", "A size that is an expression of symbols, as sympy text.")
      .def(
          "__init__",
          [](SymInt* self, std::string expr, std::optional<std::int64_t> hint) {
            new (self) SymInt(SymInt::symbolic(std::move(expr), hint));
          },
          "expr"_a, "hint"_a = nb::none())
      .def_ro("expr", &SymInt::expr)
      .def_prop_ro(
          "hint",
          [](const SymInt& self) { return self.has_hint ? std::optional(self.value) : std::optional<std::int64_t>(); },
          "The value at export time.")
      .def(
          "__eq__", [](const SymInt& a, const SymInt& b) { return a == b; },
          nb::sig("def __eq__(self, other: object) -> bool"))
      .def("__repr__", [](const SymInt& self) { return "qdq.SymInt('" + self.expr + "')"; });
  nb::class_<Device>(m, "Device", "Where a tensor lives: 'cpu', 'cuda' and an index.")
      .def(
          "__init__",
          [](Device* self, std::string type, std::optional<std::int64_t> index) {
            new (self) Device{std::move(type), index};
          },
          "type"_a, "index"_a = nb::none())
      .def_ro("type", &Device::type)
      .def_ro("index", &Device::index);
  nb::enum_<Layout>(m, "Layout")
      .value("strided", Layout::strided)
      .value("sparse_coo", Layout::sparse_coo)
      .value("sparse_csr", Layout::sparse_csr)
      .value("sparse_csc", Layout::sparse_csc)
      .value("sparse_bsr", Layout::sparse_bsr)
      .value("sparse_bsc", Layout::sparse_bsc)
      .value("mkldnn", Layout::mkldnn);
  nb::enum_<MemoryFormat>(m, "MemoryFormat")
      .value("contiguous", MemoryFormat::contiguous)
      .value("channels_last", MemoryFormat::channels_last)
      .value("channels_last_3d", MemoryFormat::channels_last_3d)
      .value("preserve", MemoryFormat::preserve);
  nb::class_<TensorMeta>(m, "TensorMeta", "dtype, shape and strides of a tensor; sizes may be symbolic.")
      .def(
          "__init__",
          [](TensorMeta* self, DType dtype, const std::vector<Size>& shape, const std::vector<Size>& strides,
             const Size& storage_offset, bool requires_grad, Device device, Layout layout) {
            new (self) TensorMeta{dtype,
                                  sizes_from(shape),
                                  sizes_from(strides),
                                  sym_int_from(storage_offset),
                                  requires_grad,
                                  std::move(device),
                                  layout};
          },
          "dtype"_a, "shape"_a, "strides"_a, "storage_offset"_a = Size(std::int64_t{0}), "requires_grad"_a = false,
          "device"_a = Device(), "layout"_a = Layout::strided)
      .def_ro("dtype", &TensorMeta::dtype)
      .def_prop_ro("shape", [](const TensorMeta& self) { return sizes_of(self.sizes); })
      .def_prop_ro("strides", [](const TensorMeta& self) { return sizes_of(self.strides); })
      .def_ro("requires_grad", &TensorMeta::requires_grad)
      .def("__repr__", [](const TensorMeta& self) {
        ValueType type;
        type.v = self;
        return "qdq.TensorMeta(" + to_text(type) + ")";
      });
  using SymBool = ValueType::SymBoolValue;
  using SymFloat = ValueType::SymFloatValue;
  nb::class_<SymBool>(m, "SymBool", "A symbolic bool, as sympy text.")
      .def(
          "__init__",
          [](SymBool* self, std::string expr, std::optional<bool> hint) {
            new (self) SymBool{std::move(expr), hint};
          },
          "expr"_a, "hint"_a = nb::none())
      .def_ro("expr", &SymBool::expr)
      .def_ro("hint", &SymBool::hint);
  nb::class_<SymFloat>(m, "SymFloat", "A symbolic float, as sympy text.")
      .def(
          "__init__",
          [](SymFloat* self, std::string expr, std::optional<double> hint) {
            new (self) SymFloat{std::move(expr), hint};
          },
          "expr"_a, "hint"_a = nb::none())
      .def_ro("expr", &SymFloat::expr)
      .def_ro("hint", &SymFloat::hint);
}

}  // namespace qdq::python
