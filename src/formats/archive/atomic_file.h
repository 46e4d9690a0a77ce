#pragma once
#include <filesystem>
#include <optional>
#include <vector>

#include "formats/archive/byte_sink.h"

namespace qdq {

// A file that appears under its name only when it is complete: bytes go to a temporary file beside it, commit() flushes
// that to the disk and renames it. Without commit() the temporary file is removed and the old file, if any, stays. That
// of a process that was killed is removed by the next one that saves under the same name, or under what that name begins
// with ("a.pt2" and "a.pt2.checkpoint").
// Everything throws IoError when the system refuses.
class AtomicFile : public ByteSink {
 public:
  explicit AtomicFile(const std::filesystem::path& target);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile() override;

  void commit();
  void rewrite(std::uint64_t position, std::span<const std::byte> bytes) override;

 protected:
  void append(std::span<const std::byte> bytes) override;

 private:
  void flush();
  void write_now(std::span<const std::byte> bytes, std::optional<std::uint64_t> position = {});  // at the end
  [[noreturn]] void fail(const char* doing) const;

  std::filesystem::path target_;
  std::filesystem::path temporary_;
  std::vector<std::byte> buffer_;
  int fd_ = -1;
};

}  // namespace qdq
