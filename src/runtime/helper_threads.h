#pragma once
#include "qdq/thread_pool.h"

namespace qdq::runtime {

// The calling thread and the process's helper threads, which all pools of this class share: a helper works for one run at a time, and for
// whichever asks first. For many short tasks one after the other: a helper that has just finished looks out for the next task for a
// while before it sleeps, and nobody waits for one that is not there. What no helper has begun when the caller has finished its own
// task, the caller does.
class HelperThreads : public ThreadPool {
 public:
  explicit HelperThreads(int size) : size_(size) {}  // with the calling thread

  int size() const override { return size_; }
  // Throws nothing and allocates nothing, but for the first run, which starts the threads that are missing. Those that the system does
  // not grant are done without.
  void run(int count, const std::function<void(int task)>& task) override;

 private:
  int size_;
};

}  // namespace qdq::runtime
