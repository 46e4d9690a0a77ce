// Mutates one field of a protobuf message, at any depth, and states the lengths of the messages around it anew. A changed
// length, or a change that does not fit one, would end nearly every file as broken.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace qdq::fuzz {
namespace {

enum WireType : std::uint64_t { kVarint = 0, kFixed64 = 1, kLengthDelimited = 2, kFixed32 = 5 };

struct Field {
  std::uint64_t key = 0;  // number and wire type
  std::string payload;    // without its length

  std::uint64_t wire_type() const { return key & 7; }
};
using Message = std::vector<Field>;

std::optional<std::uint64_t> take_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<std::uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7FU} << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes += static_cast<char>(value);
}

// Nothing for bytes that are no message: a text, the numbers of a tensor.
std::optional<Message> parsed(std::string_view bytes) {
  Message message;
  while (!bytes.empty()) {
    const auto key = take_varint(bytes);
    if (!key || *key < 8) return std::nullopt;
    std::optional<std::uint64_t> size;
    switch (*key & 7) {
      case kVarint: {
        std::string_view rest = bytes;
        if (take_varint(rest)) size = bytes.size() - rest.size();
        break;
      }
      case kFixed64: size = 8; break;
      case kFixed32: size = 4; break;
      case kLengthDelimited: size = take_varint(bytes); break;
      default: break;
    }
    if (!size || *size > bytes.size()) return std::nullopt;
    message.push_back({*key, std::string(bytes.substr(0, *size))});
    bytes.remove_prefix(*size);
  }
  return message;
}

std::string written(const Message& message) {
  std::string bytes;
  for (const Field& field : message) {
    bytes += varint(field.key);
    if (field.wire_type() == kLengthDelimited) bytes += varint(field.payload.size());
    bytes += field.payload;
  }
  return bytes;
}

using Random = std::minstd_rand;

// Numbers that sizes, axes and counts break at.
std::uint64_t edge(Random& random) {
  constexpr std::uint64_t kOne = 1;
  constexpr std::uint64_t kEdges[] = {
      0, 1, 2, 3, 8, 255, kOne << 31, kOne << 32, kOne << 40, kOne << 61, kOne << 62, kOne << 63, (kOne << 63) - 1};
  const std::uint64_t value = kEdges[random() % std::size(kEdges)];
  return random() % 2 == 0 ? value : 0 - value;
}

void mutate_bytes(std::string& bytes) {
  const std::size_t used = bytes.size();
  bytes.resize(used + 64);
  bytes.resize(LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(bytes.data()), used, bytes.size()));
}

// Larger fields are chosen more often, so that every depth gets its share.
std::size_t chosen(const Message& message, Random& random) {
  std::size_t total = 0;
  for (const Field& field : message) total += field.payload.size() + 1;
  std::size_t at = random() % total;
  for (std::size_t i = 0;; ++i) {
    const std::size_t size = message[i].payload.size() + 1;
    if (at < size) return i;
    at -= size;
  }
}

void mutate(Message& message, Random& random);

void mutate_value(Field& field, Random& random) {
  if (field.wire_type() == kVarint) {
    field.payload = varint(edge(random));
  } else if (field.wire_type() == kLengthDelimited) {
    auto inner = field.payload.empty() ? std::nullopt : parsed(field.payload);
    if (!inner) return mutate_bytes(field.payload);
    mutate(*inner, random);
    field.payload = written(*inner);
  } else {
    for (char& byte : field.payload) byte = static_cast<char>(random());
  }
}

void mutate(Message& message, Random& random) {
  if (message.empty()) return;
  const std::size_t i = chosen(message, random);
  switch (random() % 12) {
    case 0: message.erase(message.begin() + static_cast<std::ptrdiff_t>(i)); return;
    case 1: message.push_back(Field(message[i])); return;
    case 2: {  // another field's content, which fits better than a random one
      const std::size_t other = random() % message.size();
      if (message[i].wire_type() == message[other].wire_type()) message[i].payload = message[other].payload;
      return;
    }
    case 3: std::swap(message[i], message[random() % message.size()]); return;
    default: mutate_value(message[i], random);
  }
}

}  // namespace
}  // namespace qdq::fuzz

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  qdq::fuzz::Random random(seed);
  auto message = qdq::fuzz::parsed({reinterpret_cast<const char*>(data), size});
  if (message && random() % 8 != 0) {  // the parser gets its share of broken files too
    for (std::uint64_t times = random() % 3 + 1; times > 0; --times) qdq::fuzz::mutate(*message, random);
    const std::string bytes = qdq::fuzz::written(*message);
    if (bytes.size() <= max_size) {
      std::memcpy(data, bytes.data(), bytes.size());
      return bytes.size();
    }
  }
  return LLVMFuzzerMutate(data, size, max_size);
}
