// Loops over several threads; `make tsan` looks for races between them.
#include "runtime/parallel.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "runtime/helper_threads.h"

namespace qdq::runtime {
namespace {

constexpr int kMostThreads = 4;

// How often each of `count` tasks ran.
std::vector<int> runs_of(HelperThreads& threads, int count) {
  std::vector<std::atomic<int>> runs(static_cast<std::size_t>(count));
  threads.run(count, [&](int task) { ++runs[static_cast<std::size_t>(task)]; });
  return {runs.begin(), runs.end()};
}

TEST(HelperThreads, RunEveryTaskOnce) {
  for (int size = 1; size <= kMostThreads; ++size) {
    HelperThreads threads(size);
    EXPECT_EQ(threads.size(), size);
    for (const int count : {0, 1, 2, 3, 5, 300})
      for (int repetition = 0; repetition < 50; ++repetition)
        ASSERT_EQ(runs_of(threads, count), std::vector<int>(static_cast<std::size_t>(count), 1)) << size << " threads";
  }
}

TEST(HelperThreads, WorkAtTheSameTimeAsTheCaller) {
  HelperThreads threads(kMostThreads);
  std::atomic<int> present = 0;
  threads.run(kMostThreads, [&](int) {
    ++present;
    while (present < kMostThreads) std::this_thread::yield();
  });
  EXPECT_EQ(present, kMostThreads);
}

TEST(HelperThreads, AreNotWaitedForWhileTheyWorkForAnother) {
  std::atomic<int> busy = 0;
  std::atomic<bool> is_over = false;
  HelperThreads all(kMostThreads), two(2);
  std::thread other([&] {
    all.run(kMostThreads, [&](int) {
      ++busy;
      while (!is_over) std::this_thread::yield();
    });
  });
  while (busy < kMostThreads) std::this_thread::yield();
  std::set<std::thread::id> workers;
  two.run(3, [&](int) { workers.insert(std::this_thread::get_id()); });
  EXPECT_EQ(workers, std::set<std::thread::id>{std::this_thread::get_id()});
  is_over = true;
  other.join();
}

TEST(HelperThreads, SleepAndWakeAgain) {
  HelperThreads threads(2);
  for (int repetition = 0; repetition < 20; ++repetition) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::atomic<int> present = 0;
    threads.run(2, [&](int) {
      ++present;
      while (present < 2) std::this_thread::yield();
    });
  }
}

#ifndef __SANITIZE_THREAD__  // which allows no threads in a child of a process with threads
TEST(HelperThreads, ServeAChildOfTheirProcess) {
  HelperThreads threads(2);
  threads.run(2, [](int) {});
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::atomic<int> present = 0;
    threads.run(2, [&](int) {
      ++present;
      while (present < 2) std::this_thread::yield();
    });
    _exit(present == 2 ? 0 : 1);
  }
  int status = 1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
#endif

// Runs the last task first, on the calling thread.
class Backward : public ThreadPool {
 public:
  int size() const override { return 3; }
  void run(int count, const std::function<void(int)>& task) override {
    while (count-- > 0) task(count);
  }
};

// The ranges that parallel_for calls its function with, ordered.
std::multiset<std::pair<std::int64_t, std::int64_t>> ranges(std::int64_t count, std::int64_t grain, int threads,
                                                            ThreadPool* pool) {
  const ThreadScope scope(threads, pool);
  std::vector<std::pair<std::int64_t, std::int64_t>> calls(static_cast<std::size_t>(count + 1));
  std::atomic<std::size_t> at = 0;
  parallel_for(count, grain, [&](std::int64_t begin, std::int64_t end) { calls[at++] = {begin, end}; });
  return {calls.begin(), calls.begin() + static_cast<std::ptrdiff_t>(at.load())};
}

TEST(ParallelFor, CallsTheSameRangesOnAnyThreads) {
  HelperThreads helpers(kMostThreads), alone(1);
  Backward backward;
  for (const std::int64_t count : {0, 1, 2, 7, 64, 1000})
    for (const std::int64_t grain : {1, 2, 5, 64}) {
      std::multiset<std::pair<std::int64_t, std::int64_t>> wanted;
      for (std::int64_t begin = 0; begin < count; begin += grain) wanted.emplace(begin, std::min(count, begin + grain));
      if (count > 0 && count <= grain) wanted = {{0, count}};
      EXPECT_EQ(ranges(count, grain, 1, nullptr), wanted);
#ifndef __SANITIZE_THREAD__  // libgomp's synchronisation is none that the sanitizer sees
      EXPECT_EQ(ranges(count, grain, kMostThreads, nullptr), wanted);
#endif
      EXPECT_EQ(ranges(count, grain, 0, &alone), wanted);
      EXPECT_EQ(ranges(count, grain, 0, &helpers), wanted);
      EXPECT_EQ(ranges(count, grain, 0, &backward), wanted);
    }
}

TEST(ParallelFor, ThrowsTheExceptionOfTheFirstRangeOnAnyThreads) {
  HelperThreads helpers(kMostThreads);
  Backward backward;
  const auto thrown = [](int threads, ThreadPool* pool) {
    const ThreadScope scope(threads, pool);
    try {
      parallel_for(100, 3, [](std::int64_t begin, std::int64_t) {
        if (begin >= 30) throw std::runtime_error(std::to_string(begin));
      });
    } catch (const std::runtime_error& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  EXPECT_EQ(thrown(1, nullptr), "30");
#ifndef __SANITIZE_THREAD__
  EXPECT_EQ(thrown(kMostThreads, nullptr), "30");
#endif
  EXPECT_EQ(thrown(0, &helpers), "30");
  EXPECT_EQ(thrown(0, &backward), "30");
  EXPECT_EQ(ranges(100, 3, 0, &helpers).size(), 34u);  // the threads live on
}

TEST(ParallelFor, RunsOnSeveralThreadsAtTheSameTime) {
  constexpr std::size_t kCallers = 3;
  std::vector<std::int64_t> sums(kCallers);
  std::vector<std::thread> callers;
  for (std::size_t caller = 0; caller < kCallers; ++caller)
    callers.emplace_back([&, caller] {
      HelperThreads helpers(2);
      const ThreadScope scope(2, &helpers);
      for (int repetition = 0; repetition < 200; ++repetition) {
        std::vector<std::int64_t> parts(50);
        parallel_for(50, 1, [&](std::int64_t begin, std::int64_t) { parts[static_cast<std::size_t>(begin)] = begin; });
        for (const std::int64_t part : parts) sums[caller] += part;
      }
    });
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(sums, std::vector<std::int64_t>(kCallers, 200 * 1225));
}

}  // namespace
}  // namespace qdq::runtime
