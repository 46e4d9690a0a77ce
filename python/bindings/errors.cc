// The classes of qdq/error.h as Python exceptions. Each is also the built-in exception that a Python user expects there.
#include <exception>

#include "bindings.h"

namespace qdq::python {
namespace {

struct ErrorClasses {
  PyObject* invalid_argument;
  PyObject* bad_file;
  PyObject* unsupported_op;
  PyObject* io;
  PyObject* internal;

  PyObject* of(ErrorCode code) const {
    switch (code) {
      case ErrorCode::invalid_argument: return invalid_argument;
      case ErrorCode::bad_file: return bad_file;
      case ErrorCode::unsupported_op: return unsupported_op;
      case ErrorCode::io: return io;
      case ErrorCode::internal: break;
    }
    return internal;
  }
};

ErrorClasses classes;  // filled once, when the module is imported; the module keeps the objects

PyObject* add_class(nb::module_& m, const char* name, const char* doc, const nb::object& bases) {
  const std::string full_name = std::string("qdq._core.") + name;
  nb::object type = nb::steal(PyErr_NewExceptionWithDoc(full_name.c_str(), doc, bases.ptr(), nullptr));
  if (!type.is_valid()) throw nb::python_error();
  m.attr(name) = type;
  return type.ptr();
}

void translate(const std::exception_ptr& exception, void*) {
  try {
    std::rethrow_exception(exception);
  } catch (const Error& error) {
    PyErr_SetString(classes.of(error.code()), error.what());
  }
}

}  // namespace

void bind_errors(nb::module_& m) {
  const nb::handle error =
      add_class(m, "Error", "Every exception of qdq. The message says what was expected, what was found and where.",
                nb::borrow(PyExc_Exception));
  const auto with = [&](PyObject* builtin) { return nb::make_tuple(error, nb::handle(builtin)); };
  classes.invalid_argument =
      add_class(m, "InvalidArgumentError", "Something was asked for that cannot be done.", with(PyExc_ValueError));
  classes.bad_file = add_class(m, "FormatError", "A file is damaged, hostile or of a version that qdq does not read.",
                               with(PyExc_ValueError));
  classes.unsupported_op =
      add_class(m, "UnsupportedOpError", "An operator has no kernel.", with(PyExc_NotImplementedError));
  classes.io =
      add_class(m, "IoError", "The operating system refused: a missing file, a full disk.", with(PyExc_OSError));
  classes.internal = add_class(m, "InternalError", "A promise inside qdq was broken: a bug.", with(PyExc_RuntimeError));
  nb::register_exception_translator(translate);
}

}  // namespace qdq::python
