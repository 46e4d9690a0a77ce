#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

namespace qdq {

// A file that appears under its name only when it is complete: bytes go to a temporary file beside it, commit() flushes
// that to the disk and renames it. Without commit() the temporary file is removed and the old file, if any, stays.
// Everything throws IoError when the system refuses.
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& target);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  void write_zeros(std::size_t count);
  std::uint64_t position() const { return position_; }  // bytes written so far
  void commit();

 private:
  void flush();
  void write_now(std::span<const std::byte> bytes);
  [[noreturn]] void fail(const char* doing) const;

  std::filesystem::path target_;
  std::filesystem::path temporary_;
  std::vector<std::byte> buffer_;
  std::uint64_t position_ = 0;
  int fd_ = -1;
};

}  // namespace qdq
