#pragma once
#include <cstdint>
#include <functional>

namespace qdq {

// Threads that a caller lends to the runs of an executor or session instead of letting them start their own: a service's pool, or
// one that counts, pins or limits. See ExecutorOptions::pool.
class ThreadPool {
 public:
  virtual ~ThreadPool() = default;

  // How many tasks can run at the same time, one of them on the thread that calls run().
  virtual int size() const = 0;

  // Calls task(0) to task(count - 1), each once, on any threads and in any order, and returns when all have returned. Tasks do not
  // throw, nor do they wait for each other. Runs of different threads may call it at the same time.
  virtual void run(int count, const std::function<void(int task)>& task) = 0;
};

}  // namespace qdq
