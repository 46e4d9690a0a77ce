#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/flat_map.h"
#include "formats/archive/mapped_file.h"
#include "qdq/error.h"

namespace qdq {

enum class ZipMethod : std::uint16_t { stored = 0, deflated = 8 };

struct ZipEntry {
  std::string name;
  std::uint64_t header_offset = 0;    // of the local header, in the file
  std::uint64_t data_offset = 0;      // of the first data byte, in the file
  std::uint64_t compressed_size = 0;  // bytes in the file
  std::uint64_t size = 0;             // bytes after decompression
  std::uint32_t crc32 = 0;
  ZipMethod method = ZipMethod::stored;
};

// The directory of a zip file (PKWARE APPNOTE 6.3, with zip64). Strict: everything must be said once and consistently,
// no entry may overlap another, leave the file, share a name or carry a name that would escape a folder. Encryption and
// methods other than stored and deflated are refused. Throws FormatError, which names file, entry and byte offset.
class ZipReader {
 public:
  explicit ZipReader(std::shared_ptr<MappedFile> file);

  const std::vector<ZipEntry>& entries() const { return entries_; }
  const ZipEntry* find(std::string_view name) const;  // null when absent
  // The bytes of a stored entry, in the mapping: nothing is copied and the CRC is not looked at.
  std::span<std::byte> stored_bytes(const ZipEntry& entry) const;
  std::vector<std::byte> inflate(const ZipEntry& entry) const;  // decompresses a deflated entry, checksum verified
  // Throws unless the stored bytes have the checksum of the directory.
  void verify_checksum(const ZipEntry& entry) const;

  const std::shared_ptr<MappedFile>& file() const { return file_; }
  FormatError error(const ZipEntry& entry, const std::string& what) const;

 private:
  struct Directory {
    std::uint64_t offset;
    std::uint64_t size;
    std::uint64_t count;
    std::uint64_t end;  // where the directory must stop
  };
  [[noreturn]] void fail(std::uint64_t offset, const std::string& what) const;
  Directory find_directory() const;
  void read_directory(const Directory& directory);
  void check_local_header(ZipEntry& entry, std::uint16_t flags) const;
  void check_overlaps(std::uint64_t directory_offset) const;

  std::shared_ptr<MappedFile> file_;
  std::vector<ZipEntry> entries_;
  FlatMap<std::string_view, std::size_t> by_name_;
};

}  // namespace qdq
