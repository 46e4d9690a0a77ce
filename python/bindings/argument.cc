// Arguments of nodes as Python values, as torch.fx has them.
#include <type_traits>

#include "bindings.h"

namespace qdq::python {

nb::object argument_to_python(const Argument& argument) {
  return argument.visit([](const auto& value) -> nb::object {
    using T = std::decay_t<decltype(value)>;
    if constexpr (std::is_same_v<T, Argument::None>) {
      return nb::none();
    } else if constexpr (std::is_same_v<T, Node*>) {
      return nb::cast(shared(value));
    } else if constexpr (std::is_same_v<T, Argument::List>) {
      nb::list list;
      for (const Argument& item : value) list.append(argument_to_python(item));
      return list;
    } else if constexpr (std::is_same_v<T, Argument::Dict>) {
      nb::dict dict;
      for (const auto& [key, item] : value) dict[nb::str(key.c_str())] = argument_to_python(item);
      return dict;
    } else {
      return nb::cast(value);
    }
  });
}

Argument argument_from_python(nb::handle source) {
  if (source.is_none()) return {};
  if (nb::isinstance<Node>(source)) return Argument(nb::cast<Node*>(source));
  if (nb::isinstance<nb::bool_>(source)) return Argument(nb::cast<bool>(source));
  if (nb::isinstance<DType>(source)) return Argument(nb::cast<DType>(source));
  if (nb::isinstance<Layout>(source)) return Argument(Argument::Variant(nb::cast<Layout>(source)));
  if (nb::isinstance<MemoryFormat>(source)) return Argument(Argument::Variant(nb::cast<MemoryFormat>(source)));
  if (nb::isinstance<nb::int_>(source)) {
    int overflow = 0;
    const std::int64_t value = PyLong_AsLongLongAndOverflow(source.ptr(), &overflow);
    if (overflow != 0)
      throw InvalidArgumentError(std::string("an argument of a node: ") + nb::str(source).c_str() +
                                 " does not fit 64 bits");
    return Argument(value);
  }
  if (nb::isinstance<nb::float_>(source)) return Argument(nb::cast<double>(source));
  if (nb::isinstance<nb::str>(source)) return Argument(nb::cast<std::string>(source));
  if (nb::isinstance<Device>(source)) return Argument(Argument::Variant(nb::cast<Device>(source)));
  if (nb::isinstance<Argument::Subgraph>(source))
    return Argument(Argument::Variant(nb::cast<Argument::Subgraph>(source)));
  if (nb::isinstance<Argument::Operator>(source))
    return Argument(Argument::Variant(nb::cast<Argument::Operator>(source)));
  if (nb::isinstance<Argument::Opaque>(source)) return Argument(Argument::Variant(nb::cast<Argument::Opaque>(source)));
  if (nb::isinstance<nb::list>(source) || nb::isinstance<nb::tuple>(source)) {
    Argument::List list;
    for (nb::handle item : source) list.push_back(argument_from_python(item));
    return Argument(std::move(list));
  }
  if (nb::isinstance<nb::dict>(source)) {
    Argument::Dict dict;
    for (const auto& [key, item] : nb::borrow<nb::dict>(source))
      dict.emplace_back(nb::cast<std::string>(key), argument_from_python(item));
    return Argument(Argument::Variant(std::move(dict)));
  }
  if (PyComplex_Check(source.ptr())) return Argument(Argument::Variant(nb::cast<std::complex<double>>(source)));
  throw nb::type_error(("an argument of a node expected, found " +
                        std::string(nb::inst_name(source).is_valid() ? nb::str(source.type()).c_str() : "?"))
                           .c_str());
}

}  // namespace qdq::python
