#include <limits>

#include "lower_testing.h"

namespace qdq::lower::testing {
namespace {

using P = TestProgram;

// One op on one input.
void check_op(const std::string& target, const Shape& sizes, std::vector<Argument> more = {},
              Argument::Dict kwargs = {}) {
  SCOPED_TRACE(target);
  P t;
  Argument::List args = {t.input("x", sizes)};
  args.insert(args.end(), more.begin(), more.end());
  t.output({&t.g.call_function(target, std::move(args), std::move(kwargs))});
  expect_like_reference(t.program, {random_tensor(sizes, 3)});
}

TEST(FastExecutor, ElementwiseOpsOnOddSizes) {
  for (const char* target : {"aten.relu.default", "aten.sigmoid.default", "aten.tanh.default", "aten.gelu.default",
                             "aten.silu.default", "aten.hardswish.default", "aten.hardsigmoid.default",
                             "aten.exp.default", "aten.neg.default", "aten.abs.default", "aten.erf.default"})
    check_op(target, {3, 5, 7});
  check_op("aten.clamp.default", {33}, {-0.5, 0.75});
  check_op("aten.pow.Tensor_Scalar", {17, 3}, {2});
  check_op("aten.mul.Tensor", {4, 3}, {2.5});
  check_op("aten.rsub.Scalar", {4, 3}, {1});
}

TEST(FastExecutor, PoolsSoftmaxAndReductions) {
  check_op("aten.max_pool2d.default", {2, 3, 9, 11}, {P::ints({3, 3}), P::ints({2, 2}), P::ints({1, 1})});
  check_op("aten.max_pool2d.default", {1, 5, 8, 8},
           {P::ints({3, 3}), P::ints({2, 2}), P::ints({0, 0}), P::ints({1, 1}), true});
  check_op("aten.avg_pool2d.default", {2, 3, 9, 11}, {P::ints({3, 2}), P::ints({2, 2}), P::ints({1, 1}), false, false});
  check_op("aten.adaptive_avg_pool2d.default", {2, 3, 9, 6}, {P::ints({1, 1})});
  check_op("aten.adaptive_avg_pool2d.default", {2, 3, 9, 6}, {P::ints({3, 2})});
  check_op("aten.adaptive_avg_pool2d.default", {2, 3, 9, 7}, {P::ints({4, 3})});
  check_op("aten.softmax.int", {3, 4, 19}, {-1});
  check_op("aten.softmax.int", {3, 4, 19}, {1});
  check_op("aten.log_softmax.int", {5, 300}, {-1});
  check_op("aten.mean.dim", {2, 3, 9, 7}, {P::ints({2, 3}), true});
  check_op("aten.mean.dim", {2, 3, 9}, {P::ints({1})});
  check_op("aten.sum.dim_IntList", {4, 3, 9}, {P::ints({0, 2})});
  check_op("aten.constant_pad_nd.default", {2, 3, 4}, {P::ints({1, 2, 0, 1}), 0.5});
}

TEST(FastExecutor, EnlargesByRepeatingElements) {
  check_op("aten.upsample_nearest2d.vec", {2, 3, 4, 5}, {P::ints({8, 20}), Argument()});
  check_op("aten.upsample_nearest2d.vec", {2, 3, 4, 5}, {P::ints({7, 15}), Argument()});
}

TEST(FastExecutor, ViewsOfAChannelsLastValue) {
  P t;
  Node& conv = t.conv(t.input("x", {2, 3, 5, 4}), 3, 6, 1);
  Node& flat = t.g.call_function("aten.flatten.using_ints", {conv, 1});
  Node& turned = t.g.call_function("aten.permute.default", {conv, P::ints({0, 2, 3, 1})});
  Node& tokens = t.g.call_function("aten.reshape.default", {turned, P::ints({2, 20, 6})});
  t.output({&flat, &tokens, &t.g.call_function("aten.cat.default", {Argument(Argument::List{conv, conv}), 1})});
  expect_like_reference(t.program, {random_tensor({2, 3, 5, 4}, 5)});
}

// As vision transformers do with their class token.
TEST(FastExecutor, ATokenInFrontOfEachSampleLeavesTheSamplesInOrder) {
  P t;
  Node& token = t.weight("token", random_tensor({1, 1, 6}, 1));
  Node& expanded = t.g.call_function("aten.expand.default", {token, P::ints({3, -1, -1})});
  Node& cat = t.g.call_function("aten.cat.default", {Argument(Argument::List{expanded, t.input("x", {3, 4, 6})}), 1});
  t.output({&t.g.call_function("aten.layer_norm.default", {cat, P::ints({6})})});
  const Tensor x = random_tensor({3, 4, 6}, 2);
  EXPECT_EQ(step_kinds(t.program, {x}), (std::vector<std::string>{"copy", "copy", "layer_norm"}));
  expect_like_reference(t.program, {x});
}

TEST(FastExecutor, SkipTakenBeforeAnInPlaceReluSeesItsResult) {
  P t;
  Node& conv = t.conv(t.input("x", {1, 3, 5, 4}), 3, 3, 1);
  Node& relu = t.g.call_function("aten.relu_.default", {conv});
  Node& next = t.conv(relu, 3, 3, 7);
  t.output({&t.g.call_function("aten.add.Tensor", {next, conv})});  // conv, not relu: it has changed
  expect_like_reference(t.program, {random_tensor({1, 3, 5, 4}, 5)});
}

TEST(FastExecutor, WritesThroughAViewShowInItsBase) {
  P t;
  Node& conv = t.conv(t.input("x", {1, 3, 5, 4}), 3, 3, 1);
  Node& view = t.g.call_function("aten.view.default", {conv, P::ints({3, 20})});
  Node& relu = t.g.call_function("aten.relu_.default", {view});
  t.output({&conv, &relu});
  expect_like_reference(t.program, {random_tensor({1, 3, 5, 4}, 5)});
}

TEST(FastExecutor, LinearMatmulAndAttention) {
  P t;
  Node& x = t.input("x", {2, 9, 24});
  Node& w = t.weight("w", random_tensor({24, 24}, 1));
  Node& b = t.weight("b", random_tensor({24}, 2));
  const auto heads = [&](Node& n) -> Node& {
    Node& split = t.g.call_function("aten.view.default", {n, P::ints({2, 9, 4, 6})});
    return t.g.call_function("aten.transpose.int", {split, 1, 2});
  };
  Node& q = heads(t.g.call_function("aten.linear.default", {x, w, b}));
  Node& k = heads(t.g.call_function("aten.linear.default", {x, w}));
  Node& attended = t.g.call_function("aten.scaled_dot_product_attention.default", {q, k, heads(x)});
  Node& causal = t.g.call_function("aten.scaled_dot_product_attention.default", {q, k, k, Argument(), 0.0, true});
  Node& turned = t.g.call_function("aten.transpose.int", {k, -2, -1});
  Node& scores = t.g.call_function("aten.matmul.default", {q, turned});
  Node& back = t.g.call_function("aten.reshape.default",
                                 {t.g.call_function("aten.transpose.int", {attended, 1, 2}), P::ints({2, 9, 24})});
  Node& gamma = t.weight("gamma", random_tensor({24}, 3));
  Node& norm = t.g.call_function("aten.layer_norm.default", {back, P::ints({24}), gamma, b});
  t.output({&norm, &causal, &scores});
  expect_like_reference(t.program, {random_tensor({2, 9, 24}, 5)});
}

// Strides of dimensions of one element say nothing of how a matrix lies in memory.
TEST(FastExecutor, AttentionWithHeadsOfWidthOne) {
  for (const std::int64_t heads : {1, 3}) {
    P t;
    Node& x = t.input("x", {2, 9, heads});
    Node& split = t.g.call_function("aten.view.default", {x, P::ints({2, 9, heads, 1})});
    Node& q = t.g.call_function("aten.transpose.int", {split, 1, 2});
    Node& attended = t.g.call_function("aten.scaled_dot_product_attention.default", {q, q, q});
    Node& scores = t.g.call_function("aten.matmul.default", {q, t.g.call_function("aten.transpose.int", {q, -2, -1})});
    Node& sums = t.g.call_function("aten.matmul.default", {t.g.call_function("aten.softmax.int", {scores, -1}), q});
    Node& outer = t.g.call_function("aten.matmul.default", {q, t.g.call_function("aten.transpose.int", {q, -2, -1})});
    Node& inner = t.g.call_function("aten.matmul.default", {t.g.call_function("aten.transpose.int", {q, -2, -1}), q});
    t.output({&attended, &sums, &outer, &inner});
    expect_like_reference(t.program, {random_tensor({2, 9, heads}, 5)});
  }
}

TEST(FastExecutor, GroupedDilatedStridedAndOneDimensionalConvolutions) {
  P t;
  Node& x = t.input("x", {2, 6, 13, 11});
  const auto conv = [&](const std::string& name, const Shape& w, std::int64_t s, std::int64_t d,
                        std::int64_t groups) -> Node* {
    Node& weight = t.weight(name, random_tensor(w, 21));
    return &t.g.call_function("aten.conv2d.default",
                              {x, weight, Argument(), P::ints({s, s}), P::ints({1, 1}), P::ints({d, d}), groups});
  };
  Node& row = t.g.call_function("aten.mean.dim", {x, P::ints({3})});
  Node& w1 = t.weight("w1", random_tensor({5, 6, 3}, 22));
  Node& line = t.g.call_function("aten.conv1d.default", {row, w1, Argument(), P::ints({2}), P::ints({1})});
  t.output({conv("depthwise", {6, 1, 3, 3}, 2, 1, 6), conv("grouped", {4, 3, 3, 3}, 1, 1, 2),
            conv("dilated", {5, 6, 3, 3}, 1, 2, 1), &line});
  expect_like_reference(t.program, {random_tensor({2, 6, 13, 11}, 5)});
}

TEST(FastExecutor, PlansAnewForOtherSizesAndRemembersOldOnes) {
  P t;
  Node& x = t.input("x", {2, 3, 5, 4});
  TensorMeta meta = *x.type.tensor();
  meta.sizes[0] = SymInt::symbolic("s0", 2);
  x.type.v = meta;
  t.output({&t.conv(x, 3, 4, 1)});
  const auto executor = make_fast_executor(t.program, {.threads = 1});
  const Tensor two = random_tensor({2, 3, 5, 4}, 5);
  const Tensor three = random_tensor({3, 3, 5, 4}, 6);
  const Tensor first = executor->run({two})[0];
  EXPECT_EQ(executor->run({three})[0].sizes(), (Shape{3, 4, 5, 4}));
  EXPECT_TRUE(bit_equal(executor->run({two})[0], first));
}

TEST(FastExecutor, AForkOutlivesItsParentAndComputesTheSame) {
  P t;
  Node& conv = t.conv(t.input("x", {1, 3, 5, 4}), 3, 4, 1);
  t.output({&conv});
  const Tensor input = random_tensor({1, 3, 5, 4}, 5);
  auto executor = make_fast_executor(t.program, {.threads = 1});
  const Tensor wanted = executor->run({input})[0];
  const auto fork = executor->fork();
  ASSERT_NE(fork, nullptr);
  executor.reset();
  EXPECT_TRUE(bit_equal(fork->run({input})[0], wanted));
}

TEST(FastExecutor, DoesNotForkWhereRunsDependOnEachOther) {
  P t;
  Node& count = t.weight("count", Tensor::from<float>({1.0f}, {1}));
  Node& sum = t.g.call_function("aten.add_.Tensor", {count, t.input("x", {1})});
  t.output({&sum});
  EXPECT_EQ(make_fast_executor(t.program, {.threads = 1})->fork(), nullptr);
  EXPECT_EQ(make_reference_executor(t.program)->fork(), nullptr);
}

TEST(FastExecutor, ObserversSeeTheValueAndKeptValuesAreThere) {
  P t;
  Node& x = t.input("x", {1, 3, 5, 4});
  Node& seen_input = t.g.call_module("observer_0", {x});
  Node& conv = t.conv(seen_input, 3, 4, 1);
  Node& seen = t.g.call_module("observer_1", {t.g.call_function("aten.relu.default", {conv})});
  t.output({&seen});
  const Tensor input = random_tensor({1, 3, 5, 4}, 5);
  const auto executor = make_fast_executor(t.program, {.threads = 1});
  std::map<std::string, Tensor> values;
  executor->set_observe([&](const std::string& name, const Tensor& value) { values[name] = value.clone(); });
  executor->keep_values({conv.name()});
  const auto results = executor->run({input});
  EXPECT_TRUE(bit_equal(values.at("observer_0"), input));
  EXPECT_TRUE(bit_equal(values.at("observer_1"), results[0]));
  ASSERT_NE(executor->kept_value(conv.name()), nullptr);
  EXPECT_EQ(executor->kept_value(conv.name())->sizes(), (Shape{1, 4, 5, 4}));
  EXPECT_EQ(executor->kept_value("nobody"), nullptr);
}

TEST(FastExecutor, ShowsWhatIsWrittenAtAnObservationPointToItsReadersAlone) {
  P t;
  Node& x = t.input("x", {1, 2});
  Node& seen = t.g.call_module("observer", {x});
  t.output({&t.g.call_function("aten.mul.Tensor", {seen, 2.0}), &t.g.call_function("aten.mul.Tensor", {x, 2.0})});
  const Tensor input = Tensor::from<float>({1, 3}, {1, 2});
  for (const auto& executor : {make_fast_executor(t.program, {.threads = 1, .writable_observations = true}),
                               make_reference_executor(t.program, {.writable_observations = true})}) {
    executor->set_observe([](const std::string&, const Tensor& value) { value.data<float>()[0] = 5; });
    const auto results = executor->run({input});
    EXPECT_TRUE(bit_equal(results[0], Tensor::from<float>({10, 6}, {1, 2})));
    EXPECT_TRUE(bit_equal(results[1], Tensor::from<float>({2, 6}, {1, 2})));
    EXPECT_EQ(input.data<float>()[0], 1);
  }
}

TEST(FastExecutor, QuantizesTo16BitsAsTheReferenceDoes) {
  P t;
  const auto with_grid = [](Node& value) -> Argument::List { return {value, 0.25, -7, -32768, 32767, DType::int16}; };
  Node& q = t.g.call_function("quantized_decomposed.quantize_per_tensor.default", with_grid(t.input("x", {3, 5})));
  Node& d = t.g.call_function("quantized_decomposed.dequantize_per_tensor.default", with_grid(q));
  t.output({&q, &d});
  const float inf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor input = Tensor::from<float>(
      {0, 0.125F, 0.375F, -0.125F, -0.375F, 0.13F, 8193.6F, 8193.75F, -8190.3F, 1e6F, -1e6F, 3e9F, inf, -inf, nan},
      {3, 5});
  const auto fast = make_fast_executor(t.program, {.threads = 1});
  fast->set_profiling(true);
  const auto found = fast->run({input});
  const auto expected = make_reference_executor(t.program, {})->run({input});
  EXPECT_TRUE(bit_equal(found[0], expected[0]));
  EXPECT_TRUE(bit_equal(found[1], expected[1]));
  for (const StepTime& step : fast->step_times()) EXPECT_FALSE(step.kind.starts_with("reference")) << step.node;
}

TEST(FastExecutor, PlansArithmeticOnSizes) {
  P t;
  Node& x = t.input("x", {3, 2, 4});
  Node& rows = t.g.call_function("aten.sym_size.int", {x, 0});
  Node& all = t.g.call_function("_operator.mul", {rows, 2});
  t.output(
      {&t.g.call_function("aten.relu.default", {t.g.call_function("aten.view.default", {x, Argument::List{all, 4}})})});
  expect_like_reference(t.program, {random_tensor({3, 2, 4}, 5)});
  const auto fast = make_fast_executor(t.program, {.threads = 1});
  fast->set_profiling(true);
  fast->run({random_tensor({3, 2, 4}, 5)});
  for (const StepTime& step : fast->step_times()) EXPECT_EQ(step.kind, "unary") << step.node;
  EXPECT_EQ(fast->step_times().size(), 1U);
}

TEST(FastExecutor, SaysOfWhatItCannotPlanThatNothingRunsInIntegers) {
  P t;
  Node& found = t.g.call_function("aten.nonzero.default", {t.input("x", {3, 4})});
  Node& relu = t.g.call_function("aten.relu.default", {found});
  t.output({&relu});
  const auto fast = make_fast_executor(t.program, {.threads = 1});
  fast->run({random_tensor({3, 4}, 5)});
  const auto notes = fast->notes();
  ASSERT_EQ(notes.size(), 2U);
  EXPECT_EQ(notes[1].node, relu.name());
  EXPECT_EQ(notes[1].kind, "int8");
  EXPECT_NE(notes[1].reason.find("no plan can hold 'nonzero_default'"), std::string::npos) << notes[1].reason;
}

TEST(FastExecutor, DividesNumbersByNumbers) {
  P t;
  Node& quotient = t.g.call_function("aten.div.Tensor", {0.75, 0.5});
  t.output({&t.g.call_function("aten.mul.Tensor", {t.input("x", {3, 4}), quotient})});
  expect_like_reference(t.program, {random_tensor({3, 4}, 5)}, 0.0);
}

TEST(FastExecutor, MeasuresItsStepsWhenAsked) {
  P t;
  Node& conv = t.conv(t.input("x", {1, 3, 5, 4}), 3, 4, 1);
  t.output({&t.g.call_function("aten.softmax.int", {conv, 1})});
  const Tensor input = random_tensor({1, 3, 5, 4}, 5);
  const auto executor = make_fast_executor(t.program, {.threads = 1});
  executor->run({input});
  EXPECT_TRUE(executor->step_times().empty());
  executor->set_profiling(true);
  for (int run = 0; run < 2; ++run) executor->run({input});
  const std::vector<StepTime> times = executor->step_times();
  ASSERT_GE(times.size(), 2U);
  const auto is_conv = [&](const StepTime& step) { return step.node == conv.name(); };
  EXPECT_EQ(std::count_if(times.begin(), times.end(), is_conv), 1);
  for (std::size_t i = 1; i < times.size(); ++i) EXPECT_GE(times[i].start, times[i - 1].start + times[i - 1].seconds);
}

TEST(FastExecutor, MutatedBuffersKeepTheirValueForTheNextRun) {
  P t;
  Node& x = t.input("x", {3});
  Node& count = t.weight("count", random_tensor({3}, 1));
  Node& sum = t.g.call_function("aten.add.Tensor", {count, x});
  Node& twice = t.g.call_function("aten.mul.Tensor", {sum, 2.0});
  t.program.outputs = {{OutputSpec::Kind::buffer_mutation, "count"}};
  t.g.output({sum, twice});
  t.program.outputs.push_back({});
  const auto fast = make_fast_executor(t.program, {.threads = 1});
  const auto reference = make_reference_executor(t.program);
  const Tensor input = random_tensor({3}, 5);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(bit_equal(fast->run({input})[0], reference->run({input})[0])) << i;
}

TEST(FastExecutor, QuantizeAndDequantizeGiveTheReferenceBits) {
  for (const DType dtype : {DType::int8, DType::uint8}) {
    P t;
    const std::int64_t low = dtype == DType::int8 ? -128 : 0;
    Node& x = t.input("x", {3, 37});
    Node& q = t.g.call_function("quantized_decomposed.quantize_per_tensor.default",
                                {x, 0.0173, 3, low, low + 255, Argument(dtype)});
    Node& dq = t.g.call_function("quantized_decomposed.dequantize_per_tensor.default",
                                 {q, 0.0173, 3, low, low + 255, Argument(dtype)});
    t.output({&q, &dq});
    expect_like_reference(t.program, {random_tensor({3, 37}, 5, -4.0f, 4.0f)}, 0.0);
  }
}

TEST(FastExecutor, ResultsHaveTheSameBitsAtAnyNumberOfThreads) {
  P t;
  Node& x = t.input("x", {1, 3, 56, 48});
  Node& a = t.g.call_function("aten.relu.default", {t.conv(x, 3, 32, 1)});
  Node& b = t.g.call_function("aten.relu.default", {t.conv(a, 32, 64, 3)});
  Node& flat = t.g.call_function("aten.flatten.using_ints", {b, 1});
  Node& w = t.weight("fc", random_tensor({10, 64 * 56 * 48}, 9, -0.01f, 0.01f));
  Node& logits = t.g.call_function("aten.linear.default", {flat, w});
  Node& pooled = t.g.call_function("aten.mean.dim", {b, P::ints({2, 3})});
  t.output({&b, &logits, &pooled, &t.g.call_function("aten.softmax.int", {logits, -1})});
  const Tensor input = random_tensor({1, 3, 56, 48}, 5);
  const auto one = make_fast_executor(t.program, {.threads = 1})->run({input});
  const auto two = make_fast_executor(t.program, {.threads = 2})->run({input});
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(bit_equal(one[i], two[i])) << "result " << i;
}

// Without AVX-512 oneDNN multiplies by a GEMM that adds up in another order for each number of threads.
TEST(FastExecutor, LinearsOfAnyShapeHaveTheSameBitsAtAnyNumberOfThreads) {
  for (const std::int64_t rows : {1, 2, 7, 64, 130})
    for (const std::int64_t depth : {64, 700, 4096})
      for (const std::int64_t columns : {1, 10, 100, 384}) {
        P t;
        Node& x = t.input("x", {rows, depth});
        Node& y = t.input("y", {rows, columns});
        Node& w = t.weight("w", random_tensor({columns, depth}, 9, -0.1f, 0.1f));
        Node& bias = t.weight("bias", random_tensor({columns}, 10));
        Node& linear = t.g.call_function("aten.linear.default", {x, w, bias});
        t.output({&t.g.call_function("aten.gelu.default", {t.g.call_function("aten.add.Tensor", {linear, y})})});
        const std::vector<Tensor> inputs = {random_tensor({rows, depth}, 5), random_tensor({rows, columns}, 6)};
        const Tensor one = make_fast_executor(t.program, {.threads = 1})->run(inputs)[0];
        for (const int threads : {2, 3, 8})
          EXPECT_TRUE(bit_equal(one, make_fast_executor(t.program, {.threads = threads})->run(inputs)[0]))
              << rows << " x " << depth << " x " << columns << " on " << threads;
        expect_like_reference(t.program, inputs, 2e-5);
      }
}

TEST(FastExecutor, ProductsOfTwoMatricesHaveTheSameBitsAtAnyNumberOfThreads) {
  for (const std::int64_t batch : {1, 3}) {
    P t;
    Node& a = t.input("a", {batch, 7, 4096});
    Node& b = t.input("b", {batch, 4096, 10});
    t.output({&t.g.call_function("aten.bmm.default", {a, b})});
    const std::vector<Tensor> inputs = {random_tensor({batch, 7, 4096}, 5), random_tensor({batch, 4096, 10}, 6)};
    const Tensor one = make_fast_executor(t.program, {.threads = 1})->run(inputs)[0];
    for (const int threads : {2, 3, 8})
      EXPECT_TRUE(bit_equal(one, make_fast_executor(t.program, {.threads = threads})->run(inputs)[0])) << threads;
  }
}

TEST(FastExecutor, RefusesInputsOfTheWrongSize) {
  P t;
  t.output({&t.conv(t.input("x", {1, 3, 5, 4}), 3, 4, 1)});
  const auto executor = make_fast_executor(t.program, {.threads = 1});
  EXPECT_THROW(executor->run({random_tensor({1, 3, 5, 9}, 1)}), InvalidArgumentError);
  EXPECT_THROW(executor->run({}), InvalidArgumentError);
}

// torch lets the output padding reach the dilation where that is more than the stride; oneDNN does not.
TEST(FastExecutor, TransposedConvolutionsWhoseOutputPaddingReachesTheirStride) {
  TestProgram t;
  Node& x = t.input("x", {2, 6, 3});
  Node& w = t.weight("w", random_tensor({6, 3, 3}, 1));
  t.output({&t.g.call_function("aten.conv_transpose1d.default",
                               {x, w, Argument(), P::ints({1}), P::ints({0}), P::ints({1}), 2, P::ints({2})})});
  expect_like_reference(t.program, {random_tensor({2, 6, 3}, 5)});
}

}  // namespace
}  // namespace qdq::lower::testing
