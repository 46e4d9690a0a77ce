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
  // An entry whose data comes piece by piece, until end(): for what is not worth holding in memory as a whole.
  void begin(std::string_view name);
  void append(std::span<const std::byte> part);
  void end();
  // Writes the directory.
  void finish();

 private:
  struct Entry {
    std::string name;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    std::uint32_t crc32 = 0;

    void count(std::span<const std::byte> part);
    // `may_grow`: as long for any size.
    std::string local_header(bool may_grow) const;
  };
  Entry new_entry(std::string_view name) const;

  ByteSink& sink_;
  std::vector<Entry> entries_;
};

}  // namespace qdq
