#pragma once
#include "bindings.h"

namespace qdq::python {
void bind_observer_options(nb::module_& m);
}
