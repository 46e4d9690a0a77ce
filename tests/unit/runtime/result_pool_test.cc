#include "runtime/result_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace qdq::runtime {
namespace {

constexpr std::int64_t kLarge = 1 << 15;  // floats: 128 KB

TEST(ResultPool, TakesMemoryAgainThatTheCallerHasLetGo) {
  ResultPool pool;
  Tensor first = pool.empty(DType::float32, {kLarge});
  const std::byte* const memory = first.raw_data();
  first = Tensor();
  EXPECT_EQ(pool.empty(DType::float32, {2, kLarge / 2}).raw_data(), memory);
  EXPECT_EQ(pool.empty(DType::int8, {4 * kLarge}).raw_data(), memory);
}

TEST(ResultPool, LeavesMemoryAloneThatAViewStillLooksAt) {
  ResultPool pool;
  Tensor first = pool.empty(DType::float32, {kLarge});
  const Tensor view = first.narrow(0, 7, 1);
  view.data<float>()[0] = 5;
  first = Tensor();
  const Tensor second = pool.empty(DType::float32, {kLarge});
  second.data<float>()[7] = 6;
  EXPECT_EQ(view.data<float>()[0], 5);
}

TEST(ResultPool, GivesOtherSizesOtherMemory) {
  ResultPool pool;
  Tensor first = pool.empty(DType::float32, {kLarge});
  first = Tensor();
  const Tensor larger = pool.empty(DType::float32, {2 * kLarge});
  EXPECT_EQ(larger.storage()->size(), static_cast<std::size_t>(8 * kLarge));
  larger.data<float>()[2 * kLarge - 1] = 1;
}

TEST(ResultPool, ResultsOutliveIt) {
  Tensor result;
  {
    ResultPool pool;
    result = pool.empty(DType::float32, {kLarge});
  }
  result.data<float>()[kLarge - 1] = 3;
  EXPECT_EQ(result.data<float>()[kLarge - 1], 3);
}

TEST(ResultPool, TwoThreadsNeverHaveTheSameMemory) {
  ResultPool pool;
  std::atomic<int> clashes = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, mark = static_cast<float>(t)] {
      for (int i = 0; i < 200; ++i) {
        const Tensor result = pool.empty(DType::float32, {kLarge});
        result.data<float>()[i] = mark;
        std::this_thread::yield();
        if (result.data<float>()[i] != mark) ++clashes;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(clashes, 0);
}

}  // namespace
}  // namespace qdq::runtime
