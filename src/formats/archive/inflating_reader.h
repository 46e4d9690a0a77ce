#pragma once
#include <cstdint>
#include <memory>
#include <span>

#include "formats/archive/zip_reader.h"

struct z_stream_s;

namespace qdq {

// The bytes of a deflated entry, decompressed piece by piece: in constant memory, fastest from front to back.
class InflatingReader {
 public:
  // `zip` and `entry` must stay. Throws FormatError for an entry that claims to be bigger than deflate can make it.
  InflatingReader(const ZipReader& zip, const ZipEntry& entry);
  ~InflatingReader();
  InflatingReader(const InflatingReader&) = delete;
  InflatingReader& operator=(const InflatingReader&) = delete;

  // Fills `destination` with the bytes from `offset` on, all of which must be inside the entry. Throws FormatError for
  // damaged data; the checksum is compared when the last byte is read.
  void read(std::uint64_t offset, std::span<std::byte> destination);

 private:
  void restart();
  void skip(std::uint64_t bytes);
  void produce(std::span<std::byte> destination);
  void check_end();

  const ZipReader& zip_;
  const ZipEntry& entry_;
  std::unique_ptr<z_stream_s> stream_;
  std::uint64_t consumed_ = 0;  // compressed bytes
  std::uint64_t produced_ = 0;
  std::uint32_t crc32_ = 0;  // of what was produced
};

}  // namespace qdq
