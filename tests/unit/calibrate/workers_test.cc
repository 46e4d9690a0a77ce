#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <random>
#include <thread>

#include "qdq/error.h"
#include "qdq/graph_text.h"
#include "qdq/quantize.h"

namespace qdq {
namespace {

// Writes down what it sees, slowly and with an irregular pace, and notices when it is called twice at a time.
class Diary : public Observer {
 public:
  std::string_view kind() const override { return "Diary"; }
  void observe(const Tensor& value) override {
    EXPECT_FALSE(busy_.exchange(true));
    const float first = value.contiguous().data<float>()[0];
    std::this_thread::sleep_for(std::chrono::microseconds(static_cast<int>(first * 37) % 400));
    seen.push_back(first);
    if (first == fail_at) throw InvalidArgumentError("value " + std::to_string(static_cast<int>(first)));
    busy_ = false;
  }
  QParams calculate_qparams() const override { return {}; }
  bool is_idempotent() const override { return idempotent; }

  std::vector<float> seen;
  float fail_at = -1;
  bool idempotent = false;

 private:
  std::atomic<bool> busy_ = false;
};

struct Diaries {
  std::shared_ptr<Diary> input = std::make_shared<Diary>();
  std::shared_ptr<Diary> shared = std::make_shared<Diary>();  // at two nodes
  std::shared_ptr<Diary> weight = std::make_shared<Diary>();
  std::shared_ptr<Diary> twice = std::make_shared<Diary>();

  Diaries() { weight->idempotent = true; }

  PreparedProgram program() const {
    Program program = parse_program(R"(
graph(x: f32[1]) {
  %w: f32[1] = get_attr @w
  %seen_w = call_module @weight(%w)
  %seen_x = call_module @input(%x)
  %add: f32[1] = aten.add.Tensor(%seen_x, %seen_w)
  %seen_add = call_module @shared(%add)
  %mul: f32[1] = aten.mul.Tensor(%seen_add, %seen_add)
  %seen_mul = call_module @also_shared(%mul)
  %seen_again = call_module @twice(%seen_mul)
  return (%seen_again)
})");
    program.attributes.add({"w", AttributeKind::parameter, Tensor::from<float>({1.0f}, {1}), true, false, ""});
    PreparedProgram prepared(
        std::move(program),
        {{"weight", weight}, {"input", input}, {"shared", shared}, {"also_shared", shared}, {"twice", twice}});
    prepared.set_executor({ExecutorOptions::Kind::reference, 1});
    return prepared;
  }
};

// Batches whose value is their number.
NextBatch numbers(int count) {
  return [next = 0, count]() mutable -> std::optional<std::vector<Tensor>> {
    if (next == count) return std::nullopt;
    return std::vector<Tensor>{Tensor::from<float>({static_cast<float>(next++)}, {1})};
  };
}

class Workers : public ::testing::TestWithParam<int> {};

TEST_P(Workers, ShowEveryObserverTheBatchesInOrder) {
  const Diaries diaries;
  PreparedProgram prepared = diaries.program();
  std::vector<std::int64_t> reported;
  EXPECT_EQ(prepared.calibrate(numbers(40), {GetParam(), [&](std::int64_t done) { reported.push_back(done); }}), 40);
  std::vector<float> plain, squares, both;
  for (int i = 0; i < 40; ++i) {
    const auto x = static_cast<float>(i), y = x + 1;
    plain.push_back(x);
    squares.push_back(y * y);
    both.push_back(y);
    both.push_back(y * y);
  }
  EXPECT_EQ(diaries.input->seen, plain);
  EXPECT_EQ(diaries.shared->seen, both);
  EXPECT_EQ(diaries.twice->seen, squares);
  EXPECT_EQ(diaries.weight->seen, std::vector<float>{1});  // a constant teaches an idempotent observer once
  ASSERT_EQ(reported.size(), 40U);
  EXPECT_EQ(reported.back(), 40);
}

TEST_P(Workers, ReportTheErrorOfTheFirstBatchThatFails) {
  const Diaries diaries;
  diaries.twice->fail_at = 64;  // batch 7, at the end of its way
  diaries.input->fail_at = 9;   // batch 9, at the beginning of its way: it may well get there first
  PreparedProgram prepared = diaries.program();
  try {
    prepared.calibrate(numbers(40), {GetParam(), {}});
    FAIL() << "no error";
  } catch (const InvalidArgumentError& error) {
    EXPECT_STREQ(error.what(), "[calibrate] 'mul' (aten.mul.Tensor): value 64");
  }
}

TEST_P(Workers, StopWhenTheDataCannotBeRead) {
  const Diaries diaries;
  PreparedProgram prepared = diaries.program();
  int asked = 0;
  const NextBatch next = [&]() -> std::optional<std::vector<Tensor>> {
    if (++asked == 5) throw FormatError("torn");
    return std::vector<Tensor>{Tensor::from<float>({1.0f}, {1})};
  };
  EXPECT_THROW(prepared.calibrate(next, {GetParam(), {}}), FormatError);
  EXPECT_EQ(asked, 5);
  EXPECT_EQ(diaries.twice->seen.size(), 4U);  // the batches before it went all the way
}

TEST_P(Workers, GoOnWhereTheCallBeforeEnded) {
  const Diaries diaries;
  PreparedProgram prepared = diaries.program();
  prepared.calibrate(numbers(3), {GetParam(), {}});
  prepared.calibrate(std::vector<Tensor>{Tensor::from<float>({7.0f}, {1})});
  prepared.calibrate(numbers(2), {GetParam(), {}});
  EXPECT_EQ(diaries.input->seen, (std::vector<float>{0, 1, 2, 7, 0, 1}));
  EXPECT_EQ(diaries.weight->seen.size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(Counts, Workers, ::testing::Values(1, 2, 3, 8));

TEST(WorkersOfAProgramThatChangesItsBuffers, AreOne) {
  Program program = parse_program(R"(
graph(x: f32[1]) {
  %count: f32[1] = get_attr @count
  %add: f32[1] = aten.add.Tensor(%count, %x)
  %seen = call_module @input(%add)
  return (%add, %seen)
})");
  program.attributes.add({"count", AttributeKind::buffer, Tensor::from<float>({0.0f}, {1}), true, false, ""});
  program.outputs = {{OutputSpec::Kind::buffer_mutation, "count"}, {OutputSpec::Kind::user_output, ""}};
  for (const auto kind : {ExecutorOptions::Kind::reference, ExecutorOptions::Kind::fast}) {
    const auto diary = std::make_shared<Diary>();
    PreparedProgram prepared(program.clone(), {{"input", diary}});
    prepared.set_executor({kind, 1});
    EXPECT_EQ(prepared.workers_possible(4), 1);
    prepared.calibrate(numbers(5), {4, {}});
    EXPECT_EQ(diary->seen, (std::vector<float>{0, 1, 3, 6, 10}));
  }
}

TEST(WorkerCount, IsOneOrMore) {
  const Diaries diaries;
  PreparedProgram prepared = diaries.program();
  EXPECT_THROW(prepared.calibrate(numbers(1), {0, {}}), InvalidArgumentError);
}

}  // namespace
}  // namespace qdq
