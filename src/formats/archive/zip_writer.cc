#include "formats/archive/zip_writer.h"

#include <zlib.h>

#include <algorithm>

#include "formats/archive/zip_format.h"
#include "qdq/error.h"

namespace qdq {
namespace {

constexpr std::uint64_t kAlignment = 64;
constexpr std::uint16_t kVersion = 20;     // "needed to extract": folders and stored entries
constexpr std::uint16_t kVersion64 = 45;   // zip64
constexpr std::uint16_t kFirstDay = 0x21;  // 1980-01-01, the earliest date that the format can say

class Record {
 public:
  Record& u16(std::uint64_t value) { return put(value, 2); }
  Record& u32(std::uint64_t value) { return put(value, 4); }
  Record& u64(std::uint64_t value) { return put(value, 8); }
  Record& text(std::string_view value) {
    bytes_ += value;
    return *this;
  }
  Record& zeros(std::size_t count) {
    bytes_.append(count, '\0');
    return *this;
  }
  std::string_view bytes() const { return bytes_; }

 private:
  Record& put(std::uint64_t value, int width) {
    for (int i = 0; i < width; ++i) bytes_ += static_cast<char>(value >> (8 * i) & 0xff);
    return *this;
  }
  std::string bytes_;
};

std::uint64_t clipped(std::uint64_t value) { return std::min<std::uint64_t>(value, zip::kIn64); }

}  // namespace

ZipWriter::Entry ZipWriter::new_entry(std::string_view name) const {
  const char* problem = name.size() > 0xffff ? "the name is too long" : zip::name_problem(name);
  if (problem) throw InvalidArgumentError("zip entry '" + std::string(name.substr(0, 200)) + "': " + problem);
  return {std::string(name), sink_.position()};
}

void ZipWriter::Entry::count(std::span<const std::byte> part) {
  size += part.size();
  if (!part.empty())
    crc32 = static_cast<std::uint32_t>(crc32_z(crc32, reinterpret_cast<const Bytef*>(part.data()), part.size()));
}

std::string ZipWriter::Entry::local_header(bool may_grow) const {
  constexpr std::uint64_t kWideExtra = 20;
  const bool wide = size >= zip::kIn64;
  const std::uint64_t reserved = wide || may_grow ? kWideExtra : 0;
  // The padding is an extra field: 4 bytes of head, then as many as the alignment needs.
  const std::uint64_t extra_start = offset + zip::kLocalHeaderSize + name.size() + reserved;
  const std::uint64_t aligning = (kAlignment - (extra_start + 4) % kAlignment) % kAlignment;
  const std::uint64_t padding = wide ? aligning : reserved + aligning;
  Record header;
  header.u32(zip::kLocalHeader).u16(wide ? kVersion64 : kVersion).u16(zip::kFlagUtf8).u16(0).u16(0).u16(kFirstDay);
  header.u32(crc32).u32(clipped(size)).u32(clipped(size));
  header.u16(name.size()).u16(reserved + 4 + aligning).text(name);
  if (wide) header.u16(zip::kZip64Extra).u16(16).u64(size).u64(size);
  header.u16(zip::kPaddingExtra).u16(padding).zeros(padding);
  return std::string(header.bytes());
}

void ZipWriter::add(std::string_view name, std::span<const std::span<const std::byte>> parts) {
  Entry entry = new_entry(name);
  for (const auto part : parts) entry.count(part);
  sink_.write(entry.local_header(/*may_grow=*/false));
  for (const auto part : parts) sink_.write(part);
  entries_.push_back(std::move(entry));
}

void ZipWriter::begin(std::string_view name) {
  entries_.push_back(new_entry(name));
  sink_.write(entries_.back().local_header(/*may_grow=*/true));
}

void ZipWriter::append(std::span<const std::byte> part) {
  entries_.back().count(part);
  sink_.write(part);
}

void ZipWriter::end() {
  const std::string header = entries_.back().local_header(/*may_grow=*/true);
  sink_.rewrite(entries_.back().offset, std::as_bytes(std::span(header)));
}

void ZipWriter::finish() {
  std::vector<std::string_view> names;
  for (const Entry& entry : entries_) names.push_back(entry.name);
  std::sort(names.begin(), names.end());
  const auto twin = std::adjacent_find(names.begin(), names.end());
  if (twin != names.end()) throw InvalidArgumentError("two zip entries have the name '" + std::string(*twin) + "'");

  const std::uint64_t start = sink_.position();
  for (const Entry& entry : entries_) {
    const bool wide_size = entry.size >= zip::kIn64;
    const bool wide_offset = entry.offset >= zip::kIn64;
    Record extra;
    if (wide_size || wide_offset) extra.u16(zip::kZip64Extra).u16((wide_size ? 16u : 0u) + (wide_offset ? 8u : 0u));
    if (wide_size) extra.u64(entry.size).u64(entry.size);
    if (wide_offset) extra.u64(entry.offset);
    const std::uint16_t version = wide_size || wide_offset ? kVersion64 : kVersion;
    Record record;
    record.u32(zip::kDirectoryHeader).u16(version).u16(version).u16(zip::kFlagUtf8).u16(0).u16(0).u16(kFirstDay);
    record.u32(entry.crc32).u32(clipped(entry.size)).u32(clipped(entry.size));
    record.u16(entry.name.size()).u16(extra.bytes().size()).u16(0).u16(0).u16(0).u32(0).u32(clipped(entry.offset));
    record.text(entry.name).text(extra.bytes());
    sink_.write(record.bytes());
  }
  const std::uint64_t size = sink_.position() - start;
  const std::uint64_t count = entries_.size();
  const bool wide = count >= zip::kIn64Short || size >= zip::kIn64 || start >= zip::kIn64;
  if (wide) {
    const std::uint64_t at = sink_.position();
    Record record;
    record.u32(zip::kZip64End).u64(zip::kZip64EndSize - 12).u16(kVersion64).u16(kVersion64).u32(0).u32(0);
    record.u64(count).u64(count).u64(size).u64(start);
    record.u32(zip::kZip64Locator).u32(0).u64(at).u32(1);
    sink_.write(record.bytes());
  }
  const std::uint64_t short_count = std::min<std::uint64_t>(count, zip::kIn64Short);
  Record end;
  end.u32(zip::kEndOfDirectory)
      .u16(0)
      .u16(0)
      .u16(short_count)
      .u16(short_count)
      .u32(clipped(size))
      .u32(clipped(start))
      .u16(0);
  sink_.write(end.bytes());
}

}  // namespace qdq
