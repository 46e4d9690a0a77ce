#include "support/count_allocations.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::int64_t> calls_of_new = 0;

}  // namespace

// std::stable_sort calls it; what it gives must fit the operators delete below.
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  ++calls_of_new;
  return std::malloc(bytes ? bytes : 1);
}
void* operator new(std::size_t bytes) {
  if (void* memory = operator new(bytes, std::nothrow)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace qdq::testing {

std::int64_t allocations() { return calls_of_new; }

}  // namespace qdq::testing
