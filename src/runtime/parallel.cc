#include "runtime/parallel.h"

#ifdef _OPENMP
#include <omp.h>
#endif

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

ThreadPool* current_pool() { return pool_of_thread; }

void run_on(ThreadPool& pool, std::int64_t count, void (*task)(void* context, std::int64_t first, std::int64_t last),
            void* context) {
  const auto parts = static_cast<int>(std::min<std::int64_t>(count, std::max(1, pool.size())));
  const auto run_part = [=](int part) { task(context, count * part / parts, count * (part + 1) / parts); };
  pool.run(parts, std::ref(run_part));  // a reference: nothing is allocated
}

}  // namespace qdq::runtime
