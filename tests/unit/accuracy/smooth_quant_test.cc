#include <gtest/gtest.h>

#include <cmath>

#include "qdq/accuracy.h"
#include "qdq/graph_text.h"
#include "qdq/quantizers.h"

namespace qdq {
namespace {

const ExecutorOptions kReference = {.kind = ExecutorOptions::Kind::reference};

// A norm whose second channel is large, in front of two linears; `result` is what is returned.
Program norm_and_linears(const std::string& result) {
  Program program = parse_program(R"(graph(x: f32[s0, 4]) {
  %gamma: f32[4] = get_attr @gamma
  %beta: f32[4] = get_attr @beta
  %w1: f32[2, 4] = get_attr @w1
  %w2: f32[2, 4] = get_attr @w2
  %norm: f32[s0, 4] = aten.layer_norm.default(%x, [4], %gamma, %beta)
  %one: f32[s0, 2] = aten.linear.default(%norm, %w1)
  %two: f32[s0, 2] = aten.linear.default(%norm, %w2)
  return ()" + result + R"()
})");
  const auto add = [&](const char* name, Tensor value) {
    program.attributes.add({name, AttributeKind::parameter, std::move(value), true, false, ""});
  };
  add("gamma", Tensor::from<float>({1, 100, 1, 1}, {4}));
  add("beta", Tensor::from<float>({0.5F, 0, 0, -0.5F}, {4}));
  add("w1", Tensor::from<float>({1, 0.01F, -0.7F, 0.3F, 0.2F, -0.012F, 0.9F, -0.4F}, {2, 4}));
  add("w2", Tensor::from<float>({0.6F, 0.011F, 0.5F, -0.9F, -1, 0.004F, 0.1F, 0.8F}, {2, 4}));
  return program;
}

const Tensor kX = Tensor::from<float>({0.3F, 1, -2, 0.7F, 1.5F, -0.2F, 0.1F, -1, 2, 2.2F, -0.4F, 0.9F}, {3, 4});

std::vector<Tensor> run(const Program& program) { return make_executor(program, kReference)->run({kX}); }

double error(const Program& program, Quantizer& quantizer) {
  PreparedProgram prepared = prepare(program.clone(), quantizer);
  prepared.calibrate({kX});
  const std::vector<Tensor> expected = run(program);
  const std::vector<Tensor> found = run(convert(std::move(prepared)));
  double sum = 0;
  for (std::size_t i = 0; i < expected.size(); ++i)
    for (std::int64_t k = 0; k < expected[i].numel(); ++k)
      sum += std::pow(static_cast<double>(expected[i].data<float>()[k]) - found[i].data<float>()[k], 2);
  return sum;
}

void expect_close(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::int64_t k = 0; k < a[i].numel(); ++k) EXPECT_NEAR(a[i].data<float>()[k], b[i].data<float>()[k], 1e-4);
}

TEST(SmoothQuant, HandsALargeChannelOverToTheWeights) {
  Program program = norm_and_linears("%one, %two");
  const std::vector<Tensor> before = run(program);
  const auto quantizer = quantizer_by_name("xnnpack", {.observer = "MinMaxObserver"});
  const double plain = error(program, *quantizer);
  const AccuracyReport report = smooth_quant(program, *quantizer, {{kX}}, {.strengths = {0.5}, .executor = kReference});
  EXPECT_EQ(report.changed, 1);
  EXPECT_TRUE(report.skipped.empty());
  expect_close(run(program), before);
  EXPECT_LT(error(program, *quantizer), plain / 4);
  // s = sqrt(max|X| / max|W|) of channel 1: X is 100 times the normalised value, W at most 0.012.
  const Node& norm = *program.graph().find("one")->input(0);
  const float smoothed = program.tensor_of(*norm.input(2)).data<float>()[1];
  EXPECT_NEAR(smoothed, 100 / std::sqrt(100 * 0.99F / 0.012F), 0.01);
}

TEST(SmoothQuant, LeavesANormToThoseWhoReadItToo) {
  Program program = norm_and_linears("%one, %two, %norm");
  const std::vector<Tensor> before = run(program);
  const auto quantizer = quantizer_by_name("xnnpack", {.observer = "MinMaxObserver"});
  EXPECT_EQ(smooth_quant(program, *quantizer, {{kX}}, {.strengths = {0.5}, .executor = kReference}).changed, 1);
  expect_close(run(program), before);
  EXPECT_EQ(program.graph().find("one")->input(0), program.graph().find("two")->input(0));
  EXPECT_NE(program.graph().find("one")->input(0), program.graph().find("norm"));
}

TEST(SmoothQuant, GoesThroughAttention) {
  Program program = parse_program(R"(graph(x: f32[1, 3, 4]) {
  %wv: f32[4, 4] = get_attr @wv
  %bv: f32[4] = get_attr @bv
  %wo: f32[4, 4] = get_attr @wo
  %v: f32[1, 3, 4] = aten.linear.default(%x, %wv, %bv)
  %view: f32[1, 3, 2, 2] = aten.view.default(%v, [1, 3, 2, 2])
  %heads: f32[1, 2, 3, 2] = aten.transpose.int(%view, 1, 2)
  %q: f32[1, 3, 2, 2] = aten.view.default(%x, [1, 3, 2, 2])
  %q_heads: f32[1, 2, 3, 2] = aten.transpose.int(%q, 1, 2)
  %attention: f32[1, 2, 3, 2] = aten.scaled_dot_product_attention.default(%q_heads, %q_heads, %heads)
  %together: f32[1, 3, 2, 2] = aten.transpose.int(%attention, 1, 2)
  %back: f32[1, 3, 4] = aten.reshape.default(%together, [1, 3, 4])
  %o: f32[1, 3, 4] = aten.linear.default(%back, %wo)
  return (%o)
})");
  const auto add = [&](const char* name, Tensor value) {
    program.attributes.add({name, AttributeKind::parameter, std::move(value), true, false, ""});
  };
  add("wv", Tensor::from<float>({50, 2, -30, 4, 1, 0.5F, -1, 0.2F, 0.1F, 1, 0.3F, -1, 0.7F, 0.7F, -0.2F, 1}, {4, 4}));
  add("bv", Tensor::from<float>({5, 0, 0.1F, 0}, {4}));
  add("wo",
      Tensor::from<float>({0.01F, 1, -1, 0.5F, 0.02F, -0.6F, 0.4F, 1, 0, 1, 1, 1, -0.015F, 0.3F, 0.9F, -1}, {4, 4}));
  const Tensor x = kX.reshape({1, 3, 4});
  const std::vector<Tensor> before = make_executor(program, kReference)->run({x});
  const auto quantizer = quantizer_by_name("xnnpack", {.observer = "MinMaxObserver"});
  const AccuracyReport report = smooth_quant(program, *quantizer, {{x}}, {.executor = kReference});
  EXPECT_EQ(report.changed, 1);
  ASSERT_EQ(report.skipped.size(), 1U);
  EXPECT_EQ(report.skipped[0].node, "v");
  EXPECT_LT(program.attributes.tensor("wv").data<float>()[0], 25);
  expect_close(make_executor(program, kReference)->run({x}), before);
}

}  // namespace
}  // namespace qdq
