#pragma once
#include <zlib.h>

#include <cstdint>
#include <string>
#include <vector>

#include "formats/archive/zip_format.h"

namespace qdq {

// Little-endian fields, put together by hand so that each can be wrong.
struct Bytes {
  std::string text;
  Bytes& u16(std::uint64_t v) { return put(v, 2); }
  Bytes& u32(std::uint64_t v) { return put(v, 4); }
  Bytes& u64(std::uint64_t v) { return put(v, 8); }
  Bytes& add(const std::string& s) {
    text += s;
    return *this;
  }
  Bytes& put(std::uint64_t v, int width) {
    for (int i = 0; i < width; ++i) text += static_cast<char>(v >> (8 * i) & 0xff);
    return *this;
  }
};

inline std::uint32_t checksum(const std::string& data) {
  return static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(data.data()), data.size()));
}

// What one entry says about itself, in both places.
struct ZipEntryBytes {
  std::string name = "a";
  std::string local_name = "a";
  std::string data = "hello";
  std::uint32_t size = 5;
  std::uint32_t crc = checksum("hello");
  std::uint32_t offset = 0;
  std::uint16_t flags = 0;
  std::uint16_t method = 0;
  std::string extra = {};  // of the directory
};

inline std::string local_part(const ZipEntryBytes& e) {
  Bytes b;
  b.u32(zip::kLocalHeader)
      .u16(20)
      .u16(e.flags)
      .u16(e.method)
      .u32(0)
      .u32(checksum(e.data))
      .u32(e.data.size())
      .u32(e.data.size());
  b.u16(e.local_name.size()).u16(0).add(e.local_name).add(e.data);
  return b.text;
}

inline std::string directory_part(const ZipEntryBytes& e) {
  Bytes b;
  b.u32(zip::kDirectoryHeader).u16(20).u16(20).u16(e.flags).u16(e.method).u32(0).u32(e.crc).u32(e.size).u32(e.size);
  b.u16(e.name.size()).u16(e.extra.size()).u16(0).u16(0).u16(0).u32(0).u32(e.offset).add(e.name).add(e.extra);
  return b.text;
}

inline std::string end_part(std::size_t count, std::size_t size, std::size_t offset, const std::string& comment = "") {
  Bytes b;
  b.u32(zip::kEndOfDirectory)
      .u16(0)
      .u16(0)
      .u16(count)
      .u16(count)
      .u32(size)
      .u32(offset)
      .u16(comment.size())
      .add(comment);
  return b.text;
}

// An archive of stored entries without any alignment.
inline std::string archive(const std::vector<ZipEntryBytes>& entries) {
  std::string locals;
  std::string directory;
  for (const ZipEntryBytes& entry : entries) locals += local_part(entry);
  for (const ZipEntryBytes& entry : entries) directory += directory_part(entry);
  return locals + directory + end_part(entries.size(), directory.size(), locals.size());
}

}  // namespace qdq
