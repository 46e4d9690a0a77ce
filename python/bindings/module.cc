// The extension module qdq._core, put together from one function per area.
#include "bindings.h"

NB_MODULE(_core, m) {
  using namespace qdq::python;
  m.doc() = "The C++ core of qdq.";
  m.attr("VERSION") = QDQ_VERSION;
  bind_errors(m);
  bind_dtype(m);
  bind_tensor(m);
  bind_value_type(m);
  bind_graph(m);
  bind_graph_state(m);
  bind_program(m);
  bind_affine(m);
  bind_fake_quantize(m);
  bind_observer(m);
  bind_annotation(m);
  bind_quantizer(m);
  bind_quantizers(m);
  bind_passes(m);
  bind_executor(m);
  bind_quantize(m);
  bind_accuracy(m);
  bind_diagnose(m);
}
