// Tensors cross by DLPack and the buffer protocol, in both directions without a copy.
#include <nanobind/ndarray.h>

#include <array>
#include <string>

#include "bindings.h"

namespace qdq::python {
namespace {

using Array = nb::ndarray<nb::ro, nb::device::cpu>;

struct DlpackName {
  DType dtype;
  nb::dlpack::dtype_code code;
  std::uint8_t bits;
};

using Code = nb::dlpack::dtype_code;
constexpr std::array kDlpackNames = {
    DlpackName{DType::uint8, Code::UInt, 8},
    DlpackName{DType::uint16, Code::UInt, 16},
    DlpackName{DType::uint32, Code::UInt, 32},
    DlpackName{DType::uint64, Code::UInt, 64},
    DlpackName{DType::int8, Code::Int, 8},
    DlpackName{DType::int16, Code::Int, 16},
    DlpackName{DType::int32, Code::Int, 32},
    DlpackName{DType::int64, Code::Int, 64},
    DlpackName{DType::float16, Code::Float, 16},
    DlpackName{DType::float32, Code::Float, 32},
    DlpackName{DType::float64, Code::Float, 64},
    DlpackName{DType::bfloat16, Code::Bfloat, 16},
    DlpackName{DType::complex32, Code::Complex, 32},
    DlpackName{DType::complex64, Code::Complex, 64},
    DlpackName{DType::complex128, Code::Complex, 128},
    DlpackName{DType::bool_, Code::Bool, 8},
    DlpackName{DType::float8_e4m3fn, Code::Float8_E4M3FN, 8},
    DlpackName{DType::float8_e5m2, Code::Float8_E5M2, 8},
    DlpackName{DType::float8_e4m3fnuz, Code::Float8_E4M3FNUZ, 8},
    DlpackName{DType::float8_e5m2fnuz, Code::Float8_E5M2FNUZ, 8},
};

DType dtype_of_dlpack(nb::dlpack::dtype type) {
  for (const DlpackName& row : kDlpackNames)
    if (static_cast<std::uint8_t>(row.code) == type.code && row.bits == type.bits && type.lanes == 1) return row.dtype;
  throw InvalidArgumentError("an array with a dtype that qdq knows expected, found DLPack's code " +
                             std::to_string(type.code) + " with " + std::to_string(type.bits) + " bits");
}

nb::dlpack::dtype dlpack_of(DType dtype) {
  const DType plain = plain_dtype(dtype);
  for (const DlpackName& row : kDlpackNames)
    if (row.dtype == plain) return {static_cast<std::uint8_t>(row.code), row.bits, 1};
  throw InvalidArgumentError("DLPack has no name for dtype " + std::string(name(dtype)));
}

// The bytes from the first to one behind the last element.
std::size_t extent(const Shape& sizes, const Shape& strides, DType dtype) {
  std::int64_t last = 0;
  for (std::size_t d = 0; d < sizes.size(); ++d) {
    if (sizes[d] == 0) return 0;
    if (strides[d] < 0) throw InvalidArgumentError("an array with negative strides cannot be shared; copy it first");
    last += (sizes[d] - 1) * strides[d];
  }
  return static_cast<std::size_t>(last + 1) * element_size(dtype);
}

// The array's memory as a tensor that keeps the array alive.
Tensor view_of(Array array) {
  Shape sizes, strides;
  for (std::size_t d = 0; d < array.ndim(); ++d) {
    sizes.push_back(static_cast<std::int64_t>(array.shape(d)));
    strides.push_back(array.stride(d));
  }
  const DType dtype = dtype_of_dlpack(array.dtype());
  // The core never writes to memory that it was given.
  auto* data = static_cast<std::byte*>(const_cast<void*>(array.data()));
  const std::shared_ptr<void> owner(new Array(std::move(array)), [](void* kept) {
    const nb::gil_scoped_acquire gil;
    delete static_cast<Array*>(kept);
  });
  auto storage = Storage::wrap(data, extent(sizes, strides, dtype), owner);
  return Tensor(std::move(storage), dtype, std::move(sizes), std::move(strides));
}

// A view of the tensor in the form of `Framework`, which keeps the tensor's storage alive.
template <typename... Framework>
nb::object array_of(const Tensor& tensor) {
  auto* kept = new std::shared_ptr<Storage>(tensor.storage());
  const nb::capsule owner(kept, [](void* storage) noexcept { delete static_cast<std::shared_ptr<Storage>*>(storage); });
  std::vector<std::size_t> sizes(tensor.sizes().begin(), tensor.sizes().end());
  nb::ndarray<Framework...> array(tensor.raw_data(), sizes.size(), sizes.data(), owner, tensor.strides().data(),
                                  dlpack_of(tensor.dtype()));
  return nb::cast(std::move(array));
}

nb::object numpy_of(const Tensor& tensor) { return array_of<nb::numpy>(tensor); }

std::string repr(const Tensor& tensor) {
  return "qdq.Tensor(" + std::string(name(tensor.dtype())) + to_string(tensor.sizes()) +
         (tensor.is_meta() ? ", meta)" : ")");
}

// What an object's __dlpack__ gives; null when it has none or refuses, so that other protocols may be tried. nanobind
// would call it too, and take Ctrl-C in there for such a refusal.
nb::object dlpack_capsule(nb::handle source) {
  if (!nb::hasattr(source.type(), "__dlpack__")) return {};
  try {
    return source.attr("__dlpack__")();
  } catch (const nb::python_error& error) {
    if (!error.matches(PyExc_Exception)) throw;
    return {};
  }
}

}  // namespace

Tensor tensor_from_python(nb::handle source) {
  if (nb::isinstance<Tensor>(source)) return nb::cast<Tensor>(source);
  Array array;
  const nb::object capsule = dlpack_capsule(source);
  if (!nb::try_cast(capsule ? nb::handle(capsule) : source, array))
    throw nb::type_error(
        "an array expected: a qdq.Tensor, or an object with DLPack or the buffer protocol (numpy, torch)");
  return view_of(std::move(array));
}

void bind_tensor(nb::module_& m) {
  nb::class_<Tensor>(m, "Tensor", R"(A strided array of numbers: dtype, shape, strides in elements.

``np.asarray(tensor)``, ``np.from_dlpack(tensor)`` and ``torch.from_dlpack(tensor)`` share its memory; ``Tensor(array)``
shares that of a numpy array, a torch tensor or anything else with DLPack or the buffer protocol, on the CPU.)")
      .def(
          "__init__", [](Tensor* self, const ArrayLike& array) { new (self) Tensor(array.get()); }, "array"_a)
      .def_static(
          "meta",
          [](DType dtype, const Shape& shape, const std::optional<Shape>& strides) {
            return strides ? Tensor::meta(dtype, shape, *strides) : Tensor::meta(dtype, shape);
          },
          "dtype"_a, "shape"_a, "strides"_a = nb::none(), "Sizes without data.")
      .def_prop_ro("dtype", &Tensor::dtype)
      .def_prop_ro("shape", [](const Tensor& self) { return nb::tuple(nb::cast(self.sizes())); })
      .def_prop_ro(
          "strides", [](const Tensor& self) { return nb::tuple(nb::cast(self.strides())); }, "In elements.")
      .def_prop_ro("is_meta", &Tensor::is_meta, "True for sizes without data.")
      .def_prop_ro("nbytes", &Tensor::nbytes)
      .def_prop_ro(
          "data_ptr", [](const Tensor& self) { return reinterpret_cast<std::uintptr_t>(self.raw_data()); },
          "The address of the first element.")
      .def("item", &Tensor::item, "The one element as a float. Raises InvalidArgumentError for more than one.")
      .def("numpy", numpy_of, nb::sig("def numpy(self) -> numpy.ndarray[typing.Any, typing.Any]"),
           "A numpy array that shares the memory. numpy has no bfloat16 and no float8.")
      .def(
          "view",
          [](const Tensor& self, DType dtype) {
            if (element_size(dtype) != element_size(self.dtype()))
              throw InvalidArgumentError("a dtype of " + std::to_string(element_size(self.dtype())) +
                                         " bytes expected, as that of the tensor; found " + std::string(name(dtype)));
            return Tensor(self.storage(), dtype, self.sizes(), self.strides(), self.storage_offset());
          },
          "dtype"_a, "The same bytes as elements of another dtype of the same size.")
      .def(
          "bit_equal", [](const Tensor& self, const ArrayLike& other) { return bit_equal(self, other.get()); },
          "other"_a, "Same dtype, shape and bits; NaNs compare by their bits.")
      .def(
          "__array__",
          [](const Tensor& self, nb::object dtype, nb::object copy) {
            nb::object array = numpy_of(self);
            if (!dtype.is_none()) return array.attr("astype")(dtype);
            return copy.is_none() || !nb::cast<bool>(copy) ? array : array.attr("copy")();
          },
          "dtype"_a = nb::none(), "copy"_a = nb::none(),
          nb::sig("def __array__(self, dtype: typing.Any = None, copy: bool | None = None) -> "
                  "numpy.ndarray[typing.Any, typing.Any]"))
      .def(
          "__dlpack__",
          [](const Tensor& self, nb::kwargs options) {
            return array_of<nb::array_api>(self).attr("__dlpack__")(**options);
          },
          nb::sig("def __dlpack__(self, **options: typing.Any) -> typing.Any"))
      .def(
          "__dlpack_device__", [](const Tensor&) { return nb::make_tuple(1, 0); },
          nb::sig("def __dlpack_device__(self) -> tuple[int, int]"))
      .def("__len__",
           [](const Tensor& self) {
             if (self.dim() == 0) throw nb::type_error("len() of a 0-dim tensor");
             return self.size(0);
           })
      .def("__repr__", repr);
}

}  // namespace qdq::python
