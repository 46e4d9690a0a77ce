#include "runtime/parallel.h"

#ifdef _OPENMP
#include <omp.h>
#endif

#include <array>
#include <atomic>
#include <exception>
#include <mutex>

#include "qdq/thread_pool.h"

namespace qdq::runtime {
namespace {

thread_local ThreadPool* pool_of_thread = nullptr;

#ifdef _OPENMP
int openmp_threads() { return omp_get_max_threads(); }
void set_openmp_threads(int threads) { omp_set_num_threads(threads); }
#else
int openmp_threads() { return 1; }
void set_openmp_threads(int) {}
#endif

// Chunks in stretches of neighbours, one for each worker. A worker takes the chunks of its own stretch in order, then what is left of
// the others': layer after layer it finds in its cache what it wrote itself, and none waits for a chunk that nobody has begun.
class Stretches {
 public:
  Stretches(std::int64_t count, int workers) : stretches_(std::min(workers, kMost)) {
    for (int i = 0; i < stretches_; ++i) {
      at(i).next.store(count * i / stretches_, std::memory_order_relaxed);
      at(i).end = count * (i + 1) / stretches_;
    }
  }

  template <typename Fn>
  void work(int worker, Fn&& run_chunk) {
    for (int i = 0; i < stretches_; ++i) {
      Stretch& stretch = at((worker + i) % stretches_);
      while (stretch.next.load(std::memory_order_relaxed) < stretch.end) {
        const std::int64_t chunk = stretch.next.fetch_add(1, std::memory_order_relaxed);
        if (chunk < stretch.end) run_chunk(chunk);
      }
    }
  }

 private:
  static constexpr int kMost = 64;
  struct alignas(64) Stretch {
    std::atomic<std::int64_t> next = 0;
    std::int64_t end = 0;
  };
  Stretch& at(int index) { return memory_[static_cast<std::size_t>(index)]; }

  int stretches_;
  std::array<Stretch, kMost> memory_;
};

// An exception must not leave the thread that it was thrown on. All chunks run, so that the first one's is the same on any threads.
class FirstFailure {
 public:
  template <typename Fn>
  void watch(std::int64_t chunk, Fn&& fn) noexcept {
    try {
      fn();
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (exception_ && chunk_ < chunk) return;
      chunk_ = chunk;
      exception_ = std::current_exception();
    }
  }
  void throw_again() const {
    if (exception_) std::rethrow_exception(exception_);
  }

 private:
  std::mutex mutex_;
  std::int64_t chunk_ = 0;
  std::exception_ptr exception_;
};

}  // namespace

ThreadScope::ThreadScope(int threads, ThreadPool* pool)
    : saved_threads_(openmp_threads()), saved_pool_(pool_of_thread) {
  set_openmp_threads(pool ? 1 : threads);
  pool_of_thread = pool;
}

ThreadScope::~ThreadScope() {
  set_openmp_threads(saved_threads_);
  pool_of_thread = saved_pool_;
}

int worker_count() { return std::max(1, pool_of_thread ? pool_of_thread->size() : openmp_threads()); }

void run_chunks(std::int64_t count, void (*run_chunk)(const void* context, std::int64_t chunk), const void* context) {
  const auto workers = static_cast<int>(std::min<std::int64_t>(count, worker_count()));
  if (workers <= 1) {
    for (std::int64_t chunk = 0; chunk < count; ++chunk) run_chunk(context, chunk);
    return;
  }
  Stretches stretches(count, workers);
  FirstFailure failure;
  const auto work = [&](int worker) {
    stretches.work(worker, [&](std::int64_t chunk) { failure.watch(chunk, [&] { run_chunk(context, chunk); }); });
  };
  if (pool_of_thread) {
    pool_of_thread->run(workers, std::ref(work));  // a reference: nothing is allocated
  } else {
#ifdef _OPENMP
#pragma omp parallel num_threads(workers)
    work(omp_get_thread_num());
#endif
  }
  failure.throw_again();
}

}  // namespace qdq::runtime
