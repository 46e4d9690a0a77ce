#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "lower/fast_executor.h"
#include "lower/specialise.h"
#include "qdq/program.h"
#include "reference/inputs.h"
#include "reference/interpreter.h"

namespace qdq::lower::testing {

inline Tensor random_tensor(const Shape& sizes, unsigned seed, float low = -2.0f, float high = 2.0f) {
  std::mt19937 engine(seed);
  Tensor t = Tensor::empty(DType::float32, sizes);
  for (std::int64_t i = 0; i < t.numel(); ++i)
    t.data<float>()[i] = low + (high - low) * static_cast<float>(engine() % 10007) / 10006.0f;
  return t;
}

// A program under construction: inputs and weights by name.
struct TestProgram {
  Program program;
  Graph& g = program.graph();

  Node& input(const std::string& name, const Shape& sizes, DType dtype = DType::float32) {
    Node& node = g.placeholder(name);
    TensorMeta meta;
    meta.dtype = dtype;
    meta.sizes.assign(sizes.begin(), sizes.end());
    const Shape strides = contiguous_strides(sizes);
    meta.strides.assign(strides.begin(), strides.end());
    node.type.v = meta;
    program.inputs.push_back({InputSpec::Kind::user_input, name, {}});
    return node;
  }
  Node& weight(const std::string& name, Tensor value) {
    return program.add_attribute({name, AttributeKind::buffer, std::move(value), true, false, ""});
  }
  Node& conv(Node& x, std::int64_t in, std::int64_t out, unsigned seed) {
    Node& w = weight("w" + std::to_string(seed), random_tensor({out, in, 3, 3}, seed, -0.3f, 0.3f));
    Node& b = weight("b" + std::to_string(seed), random_tensor({out}, seed + 1));
    return g.call_function("aten.conv2d.default", {x, w, b, ints({1, 1}), ints({1, 1})});
  }
  void output(std::initializer_list<Node*> results) {
    Argument::List list;
    for (Node* node : results) {
      list.emplace_back(*node);
      program.outputs.push_back({});
    }
    g.output(std::move(list));
  }
  static Argument ints(std::initializer_list<std::int64_t> values) {
    Argument::List list;
    for (std::int64_t value : values) list.emplace_back(value);
    return Argument(std::move(list));
  }
};

// What the plan for these inputs consists of: the part of each step's kind before the colon, in order.
inline std::vector<std::string> step_kinds(const Program& program, const std::vector<Tensor>& inputs,
                                           std::vector<Graph::Note>* notes = nullptr, const std::string& kept = "") {
  Shared shared(program);
  prepare_state(shared);
  if (!kept.empty()) shared.kept.insert(kept);
  const Specialisation made = specialise(shared, bind_inputs(program, inputs));
  std::vector<std::string> kinds;
  if (!made.plan) return {"no plan"};
  for (const auto& step : made.plan->steps()) kinds.push_back(step.kind.substr(0, step.kind.find(':')));
  if (notes) *notes = made.notes;
  return kinds;
}

inline std::string only_reason(const std::vector<Graph::Note>& notes) {
  return notes.size() == 1 ? notes[0].reason : std::to_string(notes.size()) + " notes";
}

// The fast executor's results against the interpreter's, element by element, within `tolerance` of the largest.
inline void expect_like_reference(const Program& program, const std::vector<Tensor>& inputs, double tolerance = 1e-5) {
  const auto fast = make_fast_executor(program, {.threads = 1});
  const auto reference = make_reference_executor(program);
  const auto got = fast->run(inputs);
  const auto wanted = reference->run(inputs);
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(got[i].sizes(), wanted[i].sizes());
    ASSERT_EQ(got[i].dtype(), wanted[i].dtype());
    const Tensor a = got[i].to(DType::float64);
    const Tensor b = wanted[i].to(DType::float64).contiguous();
    double largest = 1e-3;
    double worst = 0;
    for (std::int64_t k = 0; k < b.numel(); ++k) largest = std::max(largest, std::abs(b.data<double>()[k]));
    for (std::int64_t k = 0; k < b.numel(); ++k)
      worst = std::max(worst, std::abs(a.data<double>()[k] - b.data<double>()[k]));
    EXPECT_LE(worst / largest, tolerance) << "result " << i;
  }
}

}  // namespace qdq::lower::testing
