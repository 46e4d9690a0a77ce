#include "runtime/arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>

namespace qdq::runtime {
namespace {

TEST(Arena, IsZeroedAndLargeOnesBeginOnAPageOf2Megabytes) {
  constexpr std::size_t kMegabyte = std::size_t{1} << 20;
  for (const std::size_t bytes :
       {std::size_t{0}, std::size_t{100}, 8 * kMegabyte - 1, 8 * kMegabyte, 9 * kMegabyte + 1}) {
    const auto arena = allocate_arena(bytes);
    EXPECT_EQ(arena->size(), bytes);
    EXPECT_TRUE(std::all_of(arena->data(), arena->data() + bytes, [](std::byte b) { return b == std::byte{0}; }));
    const std::size_t alignment = bytes >= 8 * kMegabyte ? 2 * kMegabyte : 64;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(arena->data()) % alignment, 0U) << bytes;
  }
}

}  // namespace
}  // namespace qdq::runtime
