#pragma once
#include <algorithm>
#include <cstdint>

namespace qdq {
class ThreadPool;
}

namespace qdq::runtime {

// While it lives, what the calling thread runs is spread over `threads` OpenMP threads, or over a pool if there is one; OpenMP
// loops of others, such as oneDNN's, then stay on the calling thread.
class ThreadScope {
 public:
  ThreadScope(int threads, ThreadPool* pool);
  ~ThreadScope();
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

 private:
  int saved_threads_;
  ThreadPool* saved_pool_;
};

// How many threads share the chunks of a loop. What is cut by it must have the same results however it is cut.
int worker_count();

// Calls run_chunk(context, chunk) for each of [0, count), on the threads of the calling thread's scope.
void run_chunks(std::int64_t count, void (*run_chunk)(const void* context, std::int64_t chunk), const void* context);

// Calls fn(begin, end) for ranges that cover [0, count), each a multiple of `grain` long but the last. Ranges run on the
// threads of the current run; which thread gets which never changes what fn is called with, so that results do not depend
// on the number of threads: nor does what is thrown, which is the exception of the first range that throws. fn must not call
// parallel_for.
template <typename Fn>
void parallel_for(std::int64_t count, std::int64_t grain, Fn&& fn) {
  const std::int64_t chunks = (count + grain - 1) / grain;
  if (chunks <= 1) {
    if (count > 0) fn(std::int64_t{0}, count);
    return;
  }
  const auto run_chunk = [&](std::int64_t chunk) { fn(chunk * grain, std::min(count, (chunk + 1) * grain)); };
  using RunChunk = decltype(run_chunk);
  run_chunks(
      chunks, [](const void* context, std::int64_t chunk) { (*static_cast<const RunChunk*>(context))(chunk); },
      &run_chunk);
}

}  // namespace qdq::runtime
