#include "accuracy/matmul.h"

#include "qdq/graph_text.h"

namespace qdq {

Matmul::Matmul(const ExecutorOptions& options)
    : plain_(parse_program(R"(graph(a: f32[s0, s1], b: f32[s1, s2]) {
  %mm: f32[s0, s2] = aten.mm.default(%a, %b)
  return (%mm)
})")),
      transposed_(parse_program(R"(graph(a: f32[s0, s1], b: f32[s0, s2]) {
  %t: f32[s1, s0] = aten.t.default(%a)
  %mm: f32[s1, s2] = aten.mm.default(%t, %b)
  return (%mm)
})")),
      run_plain_(make_executor(plain_, options)),
      run_transposed_(make_executor(transposed_, options)) {}

Tensor Matmul::operator()(const Tensor& a, const Tensor& b) { return run_plain_->run({a, b}).front(); }
Tensor Matmul::transposed(const Tensor& a, const Tensor& b) { return run_transposed_->run({a, b}).front(); }

}  // namespace qdq
