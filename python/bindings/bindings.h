#pragma once
// What the files of this folder share: one function per area, and how the core's values cross to Python.
#include <nanobind/nanobind.h>
#include <nanobind/stl/complex.h>
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/function.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <memory>

#include "qdq/qdq.h"

namespace qdq::python {

namespace nb = nanobind;
using namespace nb::literals;

void bind_errors(nb::module_& m);
void bind_dtype(nb::module_& m);
void bind_tensor(nb::module_& m);
void bind_value_type(nb::module_& m);
void bind_graph(nb::module_& m);
void bind_graph_state(nb::module_& m);
void bind_program(nb::module_& m);
void bind_affine(nb::module_& m);
void bind_fake_quantize(nb::module_& m);
void bind_observer(nb::module_& m);
void bind_annotation(nb::module_& m);
void bind_quantizer(nb::module_& m);
void bind_quantizers(nb::module_& m);
void bind_quantize(nb::module_& m);
void bind_accuracy(nb::module_& m);
void bind_diagnose(nb::module_& m);
void bind_passes(nb::module_& m);
void bind_executor(nb::module_& m);

// Copies of the entries, as pairs for a dict.
inline std::vector<std::pair<std::string, std::string>> items_of(const Metadata& meta) {
  std::vector<std::pair<std::string, std::string>> items;
  for (const auto& [key, value] : meta) items.emplace_back(key, value);
  return items;
}

// A node that keeps its graph alive.
inline std::shared_ptr<Node> shared(Node* node) {
  return node ? std::shared_ptr<Node>(node->graph().shared_from_this(), node) : nullptr;
}
inline std::vector<std::shared_ptr<Node>> shared(const std::vector<Node*>& nodes) {
  std::vector<std::shared_ptr<Node>> result;
  result.reserve(nodes.size());
  for (Node* node : nodes) result.push_back(shared(node));
  return result;
}

// A copy whose annotations name the nodes of the copy. Graphs share theirs with their copies.
Program clone_with_annotations(const Program& program);
// What `program` holds; it is empty afterwards.
inline Program taken(Program& program) { return std::exchange(program, Program()); }

// An annotation as Python holds it: with the graph whose nodes it names.
class HeldAnnotation {
 public:
  HeldAnnotation() : annotation_(std::make_shared<QuantizationAnnotation>()) {}
  HeldAnnotation(std::shared_ptr<QuantizationAnnotation> annotation, std::shared_ptr<Graph> graph)
      : annotation_(std::move(annotation)), graph_(std::move(graph)) {}

  const std::shared_ptr<QuantizationAnnotation>& get() const { return annotation_; }
  QuantizationAnnotation* operator->() const { return annotation_.get(); }
  const std::shared_ptr<Graph>& graph() const { return graph_; }
  // Says that nodes of `graph` are named. Throws InvalidArgumentError when others are already.
  void name_nodes_of(const std::shared_ptr<Graph>& graph);

 private:
  std::shared_ptr<QuantizationAnnotation> annotation_;
  std::shared_ptr<Graph> graph_;  // null until a node is named
};

// The tensor of a qdq.Tensor, or a view of the memory of anything that speaks DLPack or the buffer protocol; the Python
// object lives as long as the view. Throws TypeError for other objects.
Tensor tensor_from_python(nb::handle source);

// A parameter that becomes a T. What refuses to is an error when the function asks: nanobind converts the items of lists where nothing
// may be thrown.
template <typename T>
class Converted {
 public:
  const T& get() const {
    if (error_) std::rethrow_exception(error_);
    return value_;
  }
  template <typename Fn>
  void convert(Fn&& fn) {
    try {
      value_ = fn();
    } catch (...) {
      error_ = std::current_exception();
    }
  }

 private:
  T value_;
  std::exception_ptr error_;
};
using ArrayLike = Converted<Tensor>;  // any array
using ArgumentLike = Converted<Argument>;

template <typename T>
std::vector<T> all_of(const std::vector<Converted<T>>& parameters) {
  std::vector<T> values;
  for (const Converted<T>& parameter : parameters) values.push_back(parameter.get());
  return values;
}

// "fast", "simulated" or "reference"; threads: 0 for all cores. Throws InvalidArgumentError for other names.
ExecutorOptions executor_options(std::string_view executor, int threads);

nb::object argument_to_python(const Argument& argument);
Argument argument_from_python(nb::handle source);  // throws TypeError

// A Python object inside a C++ value: copied and destroyed without the GIL.
class Kept {
 public:
  explicit Kept(nb::object object)
      : object_(new nb::object(std::move(object)), [](nb::object* kept) {
          const nb::gil_scoped_acquire gil;
          delete kept;
        }) {}
  const nb::object& get() const { return *object_; }

 private:
  std::shared_ptr<nb::object> object_;
};

// Lets Ctrl-C through: throws KeyboardInterrupt when it was pressed. Call with the GIL.
inline void check_signals() {
  if (PyErr_CheckSignals() != 0) throw nb::python_error();
}

}  // namespace qdq::python

namespace nanobind::detail {

template <>
struct type_caster<qdq::python::ArrayLike> {
  NB_TYPE_CASTER(qdq::python::ArrayLike, const_name("qdq.typing.ArrayLike"))
  bool from_python(handle source, uint8_t, cleanup_list*) {
    value.convert([&] { return qdq::python::tensor_from_python(source); });
    return true;
  }
  static handle from_cpp(const qdq::python::ArrayLike& source, rv_policy, cleanup_list*) {
    return nanobind::cast(source.get()).release();
  }
};

template <>
struct type_caster<qdq::python::ArgumentLike> {
  NB_TYPE_CASTER(qdq::python::ArgumentLike, const_name("qdq.typing.Argument"))
  bool from_python(handle source, uint8_t, cleanup_list*) {
    value.convert([&] { return qdq::python::argument_from_python(source); });
    return true;
  }
  static handle from_cpp(const qdq::python::ArgumentLike& source, rv_policy, cleanup_list*) {
    return qdq::python::argument_to_python(source.get()).release();
  }
};

// A node, or a (producer, consumer) pair.
template <>
struct type_caster<qdq::EdgeOrNode> {
  NB_TYPE_CASTER(qdq::EdgeOrNode, const_name("Node | tuple[Node, Node]"))
  bool from_python(handle source, uint8_t, cleanup_list*) {
    if (isinstance<qdq::Node>(source)) {
      value = qdq::EdgeOrNode(*nanobind::cast<qdq::Node*>(source));
      return true;
    }
    if (!isinstance<nanobind::tuple>(source) || nanobind::len(source) != 2) return false;
    if (!isinstance<qdq::Node>(source[0]) || !isinstance<qdq::Node>(source[1])) return false;
    value = qdq::EdgeOrNode(*nanobind::cast<qdq::Node*>(source[0]), *nanobind::cast<qdq::Node*>(source[1]));
    return true;
  }
  static handle from_cpp(const qdq::EdgeOrNode& source, rv_policy, cleanup_list*) {
    object producer = nanobind::cast(qdq::python::shared(source.producer));
    if (!source.is_edge()) return producer.release();
    return nanobind::make_tuple(producer, qdq::python::shared(source.consumer)).release();
  }
};

// Scale and zero point; the zero point may be missing.
template <>
struct type_caster<qdq::QParams> {
  NB_TYPE_CASTER(qdq::QParams, const_name("tuple[Tensor, Tensor | None]"))
  bool from_python(handle source, uint8_t, cleanup_list*) {
    if (!isinstance<nanobind::sequence>(source) || nanobind::len(source) != 2) return false;
    value.scale = qdq::python::tensor_from_python(source[0]);
    if (!source[1].is_none()) value.zero_point = qdq::python::tensor_from_python(source[1]);
    return true;
  }
  static handle from_cpp(const qdq::QParams& source, rv_policy, cleanup_list*) {
    object zero_point = source.zero_point.defined() ? nanobind::cast(source.zero_point) : none();
    return nanobind::make_tuple(source.scale, zero_point).release();
  }
};

}  // namespace nanobind::detail
