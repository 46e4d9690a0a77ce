#include "base/flat_map.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace qdq {
namespace {

TEST(FlatMap, FindsTextByItsCharactersAndNotByItsAddress) {
  const std::string key = "features.0.conv.weight";
  FlatMap<std::string_view, int> map;
  map[key] = 3;
  const std::string same = "features.0." + std::string("conv.weight");
  ASSERT_NE(same.data(), key.data());
  EXPECT_EQ(map.at(same), 3);
  EXPECT_FALSE(map.contains("features.0.conv"));
}

// Objects of one size lie at equal distances, and their addresses end in the same bits.
TEST(FlatMap, SpreadsPointersOverTheWholeTable) {
  constexpr std::size_t kCount = 1 << 12;
  FlatHash hash;
  std::vector<int> hits(kCount);
  for (std::size_t i = 0; i < kCount; ++i)
    ++hits[hash(reinterpret_cast<const void*>(0x7f0000000000 + i * 512)) % kCount];
  EXPECT_LE(*std::max_element(hits.begin(), hits.end()), 4);
}

TEST(FlatSet, HoldsEachElementOnce) {
  const auto owner = std::make_unique<int>(1);
  FlatSet<const int*> set;
  EXPECT_TRUE(set.insert(owner.get()).second);
  EXPECT_FALSE(set.insert(owner.get()).second);
  EXPECT_EQ(set.size(), 1u);
}

}  // namespace
}  // namespace qdq
