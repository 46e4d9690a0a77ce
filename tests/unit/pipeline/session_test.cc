// Runs at the same time on several threads; `make tsan` looks for races between them.
#include "qdq/session.h"

#include <atomic>
#include <thread>

#include "qdq/error.h"
#include "support/count_allocations.h"
#include "unit/lower/lower_testing.h"

namespace qdq {
namespace {

using lower::testing::random_tensor;
using lower::testing::TestProgram;

Node& quantized(TestProgram& t, Node& x, double scale) {
  const Argument::List grid = {scale, 128, 0, 255, Argument(DType::uint8)};
  Argument::List quantize = {x};
  quantize.insert(quantize.end(), grid.begin(), grid.end());
  Argument::List dequantize = {t.g.call_function("quantized_decomposed.quantize_per_tensor.default", quantize)};
  dequantize.insert(dequantize.end(), grid.begin(), grid.end());
  return t.g.call_function("quantized_decomposed.dequantize_per_tensor.default", dequantize);
}

// linear -> gelu -> quantize -> linear with int8 weights, for any number of rows.
void build(TestProgram& t) {
  Node& x = t.input("x", {1, 24});
  TensorMeta meta = *x.type.tensor();
  meta.sizes[0] = SymInt::symbolic("s0", 1);
  x.type.v = meta;
  Node* value = &x;
  for (int layer = 0; layer < 2; ++layer) {
    const Tensor weight = Tensor::empty(DType::int8, {24, 24});
    for (std::int64_t i = 0; i < weight.numel(); ++i)
      weight.data<std::int8_t>()[i] = static_cast<std::int8_t>(i * 37 % 255 - 127);
    const std::string name = "w" + std::to_string(layer);
    Node& w = t.g.call_function("quantized_decomposed.dequantize_per_tensor.default",
                                {t.weight(name, weight), 0.002, 0, -127, 127, Argument(DType::int8)});
    Node& linear = t.g.call_function("aten.linear.default", {quantized(t, *value, 0.03), w});
    value = layer == 0 ? &t.g.call_function("aten.gelu.default", {linear}) : &linear;
  }
  t.output({value});
}

TEST(Session, GivesTheSameResultsOnEveryThread) {
  TestProgram t;
  build(t);
  constexpr int kCallers = 4;
  for (const int threads : {1, 3}) {  // of each run; with several, the runs share the helpers
    const Session session(t.program, {.threads = threads});
    std::vector<std::thread> callers;
    std::vector<int> wrong(kCallers, 0);
    for (int i = 0; i < kCallers; ++i)
      callers.emplace_back([&, i, mine = session] {
        for (unsigned run = 0; run < 20; ++run) {
          const Tensor input = random_tensor({1 + (run + static_cast<unsigned>(i)) % 5 * 90, 24}, run);
          const auto alone = make_executor(t.program, {.threads = 1});
          wrong[static_cast<std::size_t>(i)] += !bit_equal(mine.run({input})[0], alone->run({input})[0]);
        }
      });
    for (std::thread& caller : callers) caller.join();
    EXPECT_EQ(wrong, std::vector<int>(kCallers, 0)) << threads << " threads";
  }
}

TEST(Session, WritesIntoTheCallersMemoryAndAllocatesNothing) {
  TestProgram t;
  build(t);
  const Session session(t.program, {.threads = 1});
  const Tensor input = random_tensor({3, 24}, 7);
  const Tensor wanted = session.run({input})[0];
  const std::vector<Tensor> inputs = {input};
  std::vector<Tensor> outputs;
  session.run_into(inputs, outputs);
  EXPECT_TRUE(bit_equal(outputs[0], wanted));
  const std::byte* memory = outputs[0].raw_data();
  outputs[0].copy_from(Tensor::full(DType::float32, {3, 24}, 0));
  const std::int64_t before = testing::allocations();
  session.run_into(inputs, outputs);
  EXPECT_EQ(testing::allocations() - before, 0);
  EXPECT_EQ(outputs[0].raw_data(), memory);
  EXPECT_TRUE(bit_equal(outputs[0], wanted));
}

TEST(Session, ReplacesOutputsThatDoNotFit) {
  TestProgram t;
  build(t);
  const Session session(t.program, {.threads = 1});
  std::vector<Tensor> outputs = {Tensor::empty(DType::float32, {2, 24}), Tensor::empty(DType::float32, {1})};
  const Tensor input = random_tensor({3, 24}, 7);
  session.run_into({input}, outputs);
  ASSERT_EQ(outputs.size(), 1u);
  EXPECT_TRUE(bit_equal(outputs[0], session.run({input})[0]));
}

// Runs tasks backwards on a thread of its own each, and counts them.
class BackwardPool : public ThreadPool {
 public:
  int size() const override { return 3; }
  void run(int count, const std::function<void(int)>& task) override {
    for (int i = count; i-- > 0;) std::thread([&, i] { task(i); }).join();
    tasks += count;
  }
  std::atomic<int> tasks = 0;
};

TEST(Session, RunsOnTheThreadsOfItsCaller) {
  TestProgram t;
  build(t);
  const auto pool = std::make_shared<BackwardPool>();
  const Session alone(t.program, {.threads = 1});
  const Session lent(t.program, {.pool = pool});
  const Tensor input = random_tensor({200, 24}, 7);
  EXPECT_TRUE(bit_equal(lent.run({input})[0], alone.run({input})[0]));
  EXPECT_GT(pool->tasks, 3);
}

TEST(Session, SharesPackedWeightsWithOthersOfItsProgram) {
  TestProgram t;
  build(t);
  const Tensor input = random_tensor({3, 24}, 7);
  const Session first(t.program, {.threads = 1});
  const auto allocations_of = [&](const Session& session) {
    const std::int64_t before = testing::allocations();
    session.run({input});
    return testing::allocations() - before;
  };
  const std::int64_t packing = allocations_of(first);
  const std::int64_t alone = allocations_of(Session(t.program, {.threads = 2}));
  const Session shared = first.share({.threads = 2});
  EXPECT_LT(allocations_of(shared), std::min(packing, alone));
  EXPECT_TRUE(bit_equal(shared.run({input})[0], first.run({input})[0]));
}

TEST(Session, KeepsAProgramThatItIsGiven) {
  TestProgram t;
  build(t);
  const Tensor input = random_tensor({3, 24}, 7);
  const Tensor wanted = make_executor(t.program)->run({input})[0];
  const Session session(std::move(t.program));
  EXPECT_TRUE(bit_equal(session.run({input})[0], wanted));
}

std::string failure(const Session& session, const std::vector<Tensor>& inputs) {
  try {
    session.run(inputs);
  } catch (const InvalidArgumentError& error) {
    return error.what();
  }
  return "";
}

TEST(Session, NamesTheInputThatIsWrong) {
  TestProgram t;
  build(t);
  const Session session(t.program, {.threads = 1});
  EXPECT_EQ(failure(session, {}), "[run] the program takes 1 inputs, found 0");
  EXPECT_EQ(failure(session, {Tensor::empty(DType::int64, {1, 24})}),
            "[run] input 'x': dtype float32 expected, found int64");
  EXPECT_EQ(failure(session, {Tensor::empty(DType::float32, {24})}),
            "[run] input 'x': 2 dimensions expected, found sizes [24]");
  EXPECT_EQ(failure(session, {Tensor::empty(DType::float32, {1, 25})}),
            "[run] input 'x': dimension 1: 24 expected, found 25");
  const Tensor input = random_tensor({2, 24}, 1);
  input.data<float>()[30] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(failure(session, {input}), "[run] input 'x': it has a NaN");
  input.data<float>()[30] = 0;
  EXPECT_EQ(session.run({input})[0].sizes(), (Shape{2, 24}));  // an error does no harm to later runs
}

}  // namespace
}  // namespace qdq
