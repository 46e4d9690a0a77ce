#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/archive/byte_sink.h"

namespace qdq {

// Writes a zip archive of stored entries whose data starts at multiples of 64 bytes, for mapping. The same entries give
// the same bytes: there are no times. Zip64 where sizes ask for it.
class ZipWriter {
 public:
  explicit ZipWriter(ByteSink& sink) : sink_(sink) {}

  // Throws InvalidArgumentError for a name that readers refuse; finish() does for a name that was added twice.
  // The entry's data is the concatenation of `parts`.
  void add(std::string_view name, std::span<const std::span<const std::byte>> parts);
  void add(std::string_view name, std::span<const std::byte> data) { add(name, std::span(&data, 1)); }
  void add(std::string_view name, std::string_view text) { add(name, std::as_bytes(std::span(text))); }
  // Writes the directory.
  void finish();

 private:
  struct Entry {
    std::string name;
    std::uint64_t offset;
    std::uint64_t size;
    std::uint32_t crc32;
  };
  ByteSink& sink_;
  std::vector<Entry> entries_;
};

}  // namespace qdq
