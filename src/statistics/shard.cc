#include <charconv>

#include "qdq/error.h"
#include "qdq/statistics.h"

namespace qdq {
namespace {

constexpr std::int64_t kMostShards = 1'000'000;

}  // namespace

std::string to_string(const Shard& shard) { return std::to_string(shard.number) + "/" + std::to_string(shard.count); }

Shard shard_from_text(std::string_view text) {
  Shard shard;
  const char* const end = text.data() + text.size();
  auto read = std::from_chars(text.data(), end, shard.number);
  bool fits = read.ec == std::errc() && read.ptr != end && *read.ptr == '/';
  if (fits) read = std::from_chars(read.ptr + 1, end, shard.count);
  fits = fits && read.ec == std::errc() && read.ptr == end;
  if (!fits || shard.number < 1 || shard.number > shard.count || shard.count > kMostShards)
    throw InvalidArgumentError("a shard such as 1/4 expected, found '" + std::string(text) + "'");
  return shard;
}

}  // namespace qdq
