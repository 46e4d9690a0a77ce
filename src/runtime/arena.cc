#include "runtime/arena.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <new>

namespace qdq::runtime {

std::shared_ptr<Storage> allocate_arena(std::size_t bytes) {
  constexpr std::size_t kHugePage = std::size_t{2} << 20;
  if (bytes < 4 * kHugePage) return Storage::allocate(bytes);
  const std::size_t rounded = (bytes + kHugePage - 1) / kHugePage * kHugePage;
  std::shared_ptr<void> memory(std::aligned_alloc(kHugePage, rounded), std::free);
  if (!memory) throw std::bad_alloc();
  madvise(memory.get(), rounded, MADV_HUGEPAGE);  // a hint: refusing it changes nothing
  std::memset(memory.get(), 0, rounded);
  auto* data = static_cast<std::byte*>(memory.get());
  return Storage::wrap(data, bytes, std::move(memory));
}

}  // namespace qdq::runtime
