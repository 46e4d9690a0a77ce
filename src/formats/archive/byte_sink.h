#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace qdq {

// Where bytes are written to, one after the other.
class ByteSink {
 public:
  virtual ~ByteSink() = default;
  void write(std::span<const std::byte> bytes) {
    position_ += bytes.size();
    append(bytes);
  }
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  std::uint64_t position() const { return position_; }  // bytes written so far
  // Other bytes in the place of some that were written.
  virtual void rewrite(std::uint64_t position, std::span<const std::byte> bytes) = 0;

 protected:
  virtual void append(std::span<const std::byte> bytes) = 0;

 private:
  std::uint64_t position_ = 0;
};

}  // namespace qdq
