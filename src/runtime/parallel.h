#pragma once
#include <algorithm>
#include <cstdint>

namespace qdq {
class ThreadPool;
}

namespace qdq::runtime {

// While it lives, what the calling thread runs is spread over `threads` OpenMP threads, or over a caller's pool if there is one; OpenMP
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

// The pool of the calling thread's scope, or null.
ThreadPool* current_pool();
// Calls task(context, first, last) for parts of [0, count), on the pool's threads.
void run_on(ThreadPool& pool, std::int64_t count, void (*task)(void* context, std::int64_t first, std::int64_t last),
            void* context);

// Calls fn(begin, end) for ranges that cover [0, count), each a multiple of `grain` long but the last. Ranges run on the
// threads of the current run; which thread gets which never changes what fn is called with, so that results do not depend
// on the number of threads. fn must not throw.
template <typename Fn>
void parallel_for(std::int64_t count, std::int64_t grain, Fn&& fn) {
  const std::int64_t chunks = (count + grain - 1) / grain;
  if (chunks <= 1) {
    if (count > 0) fn(std::int64_t{0}, count);
    return;
  }
  const auto run_chunk = [&](std::int64_t chunk) { fn(chunk * grain, std::min(count, (chunk + 1) * grain)); };
  if (ThreadPool* pool = current_pool()) {
    using RunChunk = decltype(run_chunk);
    const auto task = [](void* context, std::int64_t first, std::int64_t last) {
      for (std::int64_t chunk = first; chunk < last; ++chunk) (*static_cast<RunChunk*>(context))(chunk);
    };
    return run_on(*pool, chunks, task, const_cast<void*>(static_cast<const void*>(&run_chunk)));
  }
#ifdef _OPENMP
#pragma omp parallel for schedule(static)
#endif
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) run_chunk(chunk);
}

}  // namespace qdq::runtime
