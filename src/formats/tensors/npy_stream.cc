#include <algorithm>
#include <istream>

#include "formats/tensors/npy.h"
#include "qdq/data.h"
#include "qdq/error.h"

namespace qdq {
namespace {

constexpr std::size_t kLongestHeader = 1 << 20;
// What is allocated before anything has arrived. After that never more than has arrived.
constexpr std::size_t kFirstPart = 1 << 20;

}  // namespace

NpyStream::NpyStream(std::istream& stream, std::string name) : stream_(stream), name_(std::move(name)) {}

void NpyStream::fail(std::uint64_t at, const std::string& what) const {
  throw FormatError("[load] " + name_ + ", array " + std::to_string(count_) + " at byte " + std::to_string(at) + ": " +
                    what);
}

std::size_t NpyStream::read(std::byte* destination, std::size_t bytes) {
  stream_.read(reinterpret_cast<char*>(destination), static_cast<std::streamsize>(bytes));
  const auto found = static_cast<std::size_t>(stream_.gcount());
  position_ += found;
  return found;
}

std::optional<Tensor> NpyStream::next() {
  const std::uint64_t start = position_;
  auto bytes = std::make_shared<std::vector<std::byte>>(npy::kPrefixSize);
  bytes->resize(read(bytes->data(), bytes->size()));
  if (bytes->empty()) return std::nullopt;
  ++count_;
  // Reads on until there are `wanted` bytes; fails at the end of the stream.
  const auto grow = [&](std::size_t wanted) {
    for (std::size_t have = bytes->size(); have < wanted;) {
      const std::size_t part = std::min(wanted - have, std::max(have, kFirstPart));
      bytes->resize(have + part);
      const std::size_t found = read(bytes->data() + have, part);
      if (found < part)
        fail(position_, "the stream ends here, " + std::to_string(wanted - have - found) + " bytes too early");
      have += part;
    }
  };
  try {
    const std::size_t header_size = npy::header_size(*bytes);
    if (header_size > kLongestHeader) fail(start, "a header of " + std::to_string(header_size) + " bytes");
    grow(header_size);
    const npy::Header header = npy::parse_header(*bytes);
    // The data alone, so that it is aligned.
    bytes = std::make_shared<std::vector<std::byte>>();
    grow(header.data_bytes);
    return npy::array(header, *bytes, bytes);
  } catch (const npy::Error& error) {
    fail(start + error.offset, error.what);
  }
}

}  // namespace qdq
