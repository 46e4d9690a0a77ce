#include "support/count_allocations.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::int64_t> calls_of_new = 0;

}  // namespace

void* operator new(std::size_t bytes) {
  ++calls_of_new;
  if (void* memory = std::malloc(bytes ? bytes : 1)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace qdq::testing {

std::int64_t allocations() { return calls_of_new; }

}  // namespace qdq::testing
