#pragma once
#include <algorithm>
#include <cstdint>

namespace qdq::runtime {

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
#ifdef _OPENMP
#pragma omp parallel for schedule(static)
#endif
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) fn(chunk * grain, std::min(count, (chunk + 1) * grain));
}

}  // namespace qdq::runtime
