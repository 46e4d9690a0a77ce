#pragma once
#include <tsl/robin_map.h>
#include <tsl/robin_set.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

namespace qdq {

// Spreads pointers, whose low bits are all alike, over the low bits that a table looks at (Fibonacci hashing, Knuth 6.4).
struct FlatHash {
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  std::size_t operator()(const void* pointer) const {
    const std::uint64_t product = reinterpret_cast<std::uintptr_t>(pointer) * std::uint64_t{0x9E3779B97F4A7C15};
    return static_cast<std::size_t>(product ^ (product >> 32));
  }
};

// Hash tables whose elements lie side by side, for maps of as many elements as a graph has nodes: a lookup there costs one
// cache miss where std::unordered_map follows a chain of blocks. Keys are pointers, or views of text that outlives the
// table; `Hash` is for other ones. Elements move when others are added or erased: keep no pointer or iterator over that.
template <typename Key, typename Value, typename Hash = FlatHash>
using FlatMap =
    tsl::robin_map<Key, Value, Hash, std::equal_to<Key>, std::allocator<std::pair<Key, Value>>,
                   std::is_same_v<Key, std::string_view>>;  // the text's hash is kept: equal texts alone are read
template <typename Key>
using FlatSet =
    tsl::robin_set<Key, FlatHash, std::equal_to<Key>, std::allocator<Key>, std::is_same_v<Key, std::string_view>>;

}  // namespace qdq
