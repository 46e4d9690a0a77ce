#include "formats/archive/zip_reader.h"

#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/checked.h"
#include "formats/archive/inflating_reader.h"
#include "formats/archive/zip_format.h"

namespace qdq {
namespace {

static_assert(std::endian::native == std::endian::little, "zip fields are read as they lie in the file");

template <typename T>
T read_at(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}
std::uint16_t u16(const std::byte* at) { return read_at<std::uint16_t>(at); }
std::uint32_t u32(const std::byte* at) { return read_at<std::uint32_t>(at); }
std::uint64_t u64(const std::byte* at) { return read_at<std::uint64_t>(at); }

// The zip64 field among the extra fields: replaces, in this order, those of the values that say kIn64. Returns false
// when the field is absent, too short, or the extra fields are damaged.
bool resolve_zip64(std::span<const std::byte> extra, std::initializer_list<std::uint64_t*> values) {
  const bool needed = std::any_of(values.begin(), values.end(), [](auto* v) { return *v == zip::kIn64; });
  if (!needed) return true;
  while (extra.size() >= 4) {
    const std::uint16_t id = u16(extra.data());
    const std::uint16_t length = u16(extra.data() + 2);
    if (extra.size() - 4 < length) return false;
    if (id == zip::kZip64Extra) {
      std::span<const std::byte> field = extra.subspan(4, length);
      for (std::uint64_t* value : values) {
        if (*value != zip::kIn64) continue;
        if (field.size() < 8) return false;
        *value = u64(field.data());
        field = field.subspan(8);
      }
      return true;
    }
    extra = extra.subspan(4u + length);
  }
  return false;
}

std::string in_quotes(std::string_view name) {
  std::string text = "'";
  for (char c : name.substr(0, 200)) text += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
  return text + "'";
}

}  // namespace

ZipReader::ZipReader(std::shared_ptr<MappedFile> file) : file_(std::move(file)) {
  const Directory directory = find_directory();
  read_directory(directory);
  check_overlaps(directory.offset);
}

void ZipReader::fail(std::uint64_t offset, const std::string& what) const {
  throw FormatError("[load] " + file_->path().string() + " at byte " + std::to_string(offset) + ": " + what);
}

FormatError ZipReader::error(const ZipEntry& entry, const std::string& what) const {
  return FormatError("[load] " + file_->path().string() + ", entry " + in_quotes(entry.name) + " at byte " +
                     std::to_string(entry.data_offset) + ": " + what);
}

const ZipEntry* ZipReader::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &entries_[found->second];
}

ZipReader::Directory ZipReader::find_directory() const {
  const std::byte* base = file_->data();
  const std::size_t size = file_->size();
  if (size < zip::kEndOfDirectorySize)
    fail(0, "expected a zip archive, found a file of " + std::to_string(size) + " bytes");
  // The end record is the last thing in the file but for a comment of at most 65535 bytes.
  const std::size_t lowest = size - std::min<std::size_t>(size, zip::kEndOfDirectorySize + 0xffff);
  std::size_t end = size - zip::kEndOfDirectorySize;
  auto is_end = [&](std::size_t at) {
    return u32(base + at) == zip::kEndOfDirectory && u16(base + at + 20) == size - at - zip::kEndOfDirectorySize;
  };
  while (end > lowest && !is_end(end)) --end;
  if (!is_end(end)) fail(end, "expected a zip archive, found no end-of-directory record (is the file truncated?)");

  const std::byte* record = base + end;
  if (u16(record + 4) != 0 || u16(record + 6) != 0) fail(end, "the archive is split over several disks");
  Directory directory{u32(record + 16), u32(record + 12), u16(record + 10), end};
  if (u16(record + 8) != u16(record + 10)) fail(end, "the archive is split over several disks");

  const bool has_locator =
      end >= zip::kZip64LocatorSize && u32(base + end - zip::kZip64LocatorSize) == zip::kZip64Locator;
  if (has_locator) {
    const std::size_t locator = end - zip::kZip64LocatorSize;
    const std::uint64_t at = u64(base + locator + 8);
    if (locator < zip::kZip64EndSize || at > locator - zip::kZip64EndSize || u32(base + at) != zip::kZip64End)
      fail(locator, "expected a zip64 end record at byte " + std::to_string(at));
    const std::byte* end64 = base + at;
    if (u64(end64 + 4) != locator - at - 12) fail(at, "the zip64 end record has a wrong size");
    if (u32(end64 + 16) != 0 || u32(end64 + 20) != 0 || u64(end64 + 24) != u64(end64 + 32))
      fail(at, "the archive is split over several disks");
    const Directory wide{u64(end64 + 48), u64(end64 + 40), u64(end64 + 32), at};
    const bool agrees = (directory.offset == zip::kIn64 || directory.offset == wide.offset) &&
                        (directory.size == zip::kIn64 || directory.size == wide.size) &&
                        (directory.count == zip::kIn64Short || directory.count == wide.count);
    if (!agrees) fail(at, "the two end records contradict each other");
    directory = wide;
  } else if (directory.offset == zip::kIn64 || directory.size == zip::kIn64) {
    fail(end, "the zip64 end record is missing");
  }
  if (directory.offset > directory.end || directory.size != directory.end - directory.offset)
    fail(end, "the directory (" + std::to_string(directory.size) + " bytes at " + std::to_string(directory.offset) +
                  ") does not end at byte " + std::to_string(directory.end));
  if (directory.count > directory.size / zip::kDirectoryHeaderSize)
    fail(end, "a directory of " + std::to_string(directory.size) + " bytes cannot hold " +
                  std::to_string(directory.count) + " entries");
  return directory;
}

void ZipReader::read_directory(const Directory& directory) {
  const std::byte* base = file_->data();
  std::uint64_t at = directory.offset;
  entries_.reserve(directory.count);
  for (std::uint64_t i = 0; i < directory.count; ++i) {
    if (directory.end - at < zip::kDirectoryHeaderSize || u32(base + at) != zip::kDirectoryHeader)
      fail(at, "expected the directory record of entry " + std::to_string(i));
    const std::byte* record = base + at;
    const std::uint64_t name_length = u16(record + 28);
    const std::uint64_t extra_length = u16(record + 30);
    const std::uint64_t length = zip::kDirectoryHeaderSize + name_length + extra_length + u16(record + 32);
    if (directory.end - at < length) fail(at, "the directory record of entry " + std::to_string(i) + " is truncated");

    ZipEntry entry;
    entry.name.assign(reinterpret_cast<const char*>(record + zip::kDirectoryHeaderSize), name_length);
    if (const char* problem = zip::name_problem(entry.name))
      fail(at, "entry " + in_quotes(entry.name) + ": " + problem);
    const std::uint16_t flags = u16(record + 8);
    if (flags & (zip::kFlagEncrypted | zip::kFlagPatch | zip::kFlagStrongEncryption | zip::kFlagMasked))
      fail(at, "entry " + in_quotes(entry.name) + " is encrypted or a patch");
    const std::uint16_t method = u16(record + 10);
    if (method != 0 && method != 8)
      fail(at, "entry " + in_quotes(entry.name) + ": expected method 0 (stored) or 8 (deflated), found " +
                   std::to_string(method));
    entry.method = static_cast<ZipMethod>(method);
    entry.crc32 = u32(record + 16);
    entry.compressed_size = u32(record + 20);
    entry.size = u32(record + 24);
    entry.header_offset = u32(record + 42);
    const std::span<const std::byte> extra(record + zip::kDirectoryHeaderSize + name_length, extra_length);
    if (!resolve_zip64(extra, {&entry.size, &entry.compressed_size, &entry.header_offset}))
      fail(at, "entry " + in_quotes(entry.name) + ": the zip64 field is missing or damaged");
    if (entry.method == ZipMethod::stored && entry.size != entry.compressed_size)
      fail(at, "stored entry " + in_quotes(entry.name) + " has two different sizes");
    check_local_header(entry, flags);
    if (entry.data_offset > directory.offset || entry.compressed_size > directory.offset - entry.data_offset)
      fail(entry.header_offset, "entry " + in_quotes(entry.name) + " of " + std::to_string(entry.compressed_size) +
                                    " bytes reaches into the directory");
    entries_.push_back(std::move(entry));
    at += length;
  }
  if (at != directory.end) fail(at, "expected the end of the directory");
  by_name_.reserve(entries_.size());
  for (std::size_t i = 0; i < entries_.size(); ++i)
    if (!by_name_.emplace(entries_[i].name, i).second)
      fail(entries_[i].header_offset, "a second entry has the name " + in_quotes(entries_[i].name));
}

void ZipReader::check_local_header(ZipEntry& entry, std::uint16_t flags) const {
  const std::byte* base = file_->data();
  const std::uint64_t at = entry.header_offset;
  const std::string who = "entry " + in_quotes(entry.name) + ": ";
  if (at > file_->size() || file_->size() - at < zip::kLocalHeaderSize || u32(base + at) != zip::kLocalHeader)
    fail(at, who + "expected its local header here");
  const std::byte* header = base + at;
  const std::uint64_t name_length = u16(header + 26);
  const std::uint64_t extra_length = u16(header + 28);
  if (file_->size() - at < zip::kLocalHeaderSize + name_length + extra_length)
    fail(at, who + "its local header is truncated");
  const std::string_view name(reinterpret_cast<const char*>(header + zip::kLocalHeaderSize), name_length);
  if (name != entry.name) fail(at, who + "its local header says " + in_quotes(name));
  if (u16(header + 6) != flags || u16(header + 8) != static_cast<std::uint16_t>(entry.method))
    fail(at, who + "flags or method differ between local header and directory");
  entry.data_offset = at + zip::kLocalHeaderSize + name_length + extra_length;
  if (flags & zip::kFlagDataDescriptor) return;  // sizes and checksum follow the data; the directory has them too
  std::uint64_t size = u32(header + 22);
  std::uint64_t compressed = u32(header + 18);
  if (!resolve_zip64({header + zip::kLocalHeaderSize + name_length, extra_length}, {&size, &compressed}))
    fail(at, who + "the zip64 field is missing or damaged");
  if (u32(header + 14) != entry.crc32 || size != entry.size || compressed != entry.compressed_size)
    fail(at, who + "sizes or checksum differ between local header and directory");
}

void ZipReader::check_overlaps(std::uint64_t directory_offset) const {
  std::vector<const ZipEntry*> order;
  order.reserve(entries_.size());
  for (const ZipEntry& entry : entries_) order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](auto* a, auto* b) { return a->header_offset < b->header_offset; });
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::uint64_t limit = i + 1 < order.size() ? order[i + 1]->header_offset : directory_offset;
    if (order[i]->data_offset + order[i]->compressed_size > limit)
      fail(order[i]->header_offset, "entry " + in_quotes(order[i]->name) + " overlaps the next one");
  }
}

std::span<std::byte> ZipReader::stored_bytes(const ZipEntry& entry) const {
  if (entry.method != ZipMethod::stored) throw error(entry, "expected a stored entry, found a compressed one");
  return {file_->data() + entry.data_offset, entry.size};
}

void ZipReader::verify_checksum(const ZipEntry& entry) const {
  const std::span<std::byte> bytes = stored_bytes(entry);
  const auto found = crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
  if (found != entry.crc32)
    throw error(entry, "the checksum is " + std::to_string(found) + ", expected " + std::to_string(entry.crc32) +
                           ": the file is damaged");
}

std::vector<std::byte> ZipReader::inflate(const ZipEntry& entry) const {
  InflatingReader reader(*this, entry);
  std::vector<std::byte> result(entry.size);
  reader.read(0, result);
  return result;
}

}  // namespace qdq
