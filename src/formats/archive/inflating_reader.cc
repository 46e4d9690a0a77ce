#include "formats/archive/inflating_reader.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <new>

namespace qdq {
namespace {

constexpr std::uint64_t kSlice = 1u << 30;  // zlib counts in 32 bits

}  // namespace

InflatingReader::InflatingReader(const ZipReader& zip, const ZipEntry& entry)
    : zip_(zip), entry_(entry), stream_(std::make_unique<z_stream>()) {
  // Deflate cannot do better than 258 bytes from 2 bits: a small file must not ask for much memory.
  constexpr std::uint64_t kBestRatio = 1032;
  if (entry.size / kBestRatio > entry.compressed_size)
    throw zip.error(entry,
                    std::to_string(entry.compressed_size) + " bytes cannot expand to " + std::to_string(entry.size));
  if (inflateInit2(stream_.get(), -MAX_WBITS) != Z_OK) throw std::bad_alloc();
}

InflatingReader::~InflatingReader() { inflateEnd(stream_.get()); }

void InflatingReader::read(std::uint64_t offset, std::span<std::byte> destination) {
  if (offset < produced_) restart();
  skip(offset - produced_);
  produce(destination);
  if (produced_ == entry_.size) check_end();
}

void InflatingReader::restart() {
  inflateReset(stream_.get());
  consumed_ = produced_ = crc32_ = 0;
}

void InflatingReader::skip(std::uint64_t bytes) {
  std::array<std::byte, 1 << 16> ignored;
  while (bytes > 0) {
    const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, ignored.size()));
    produce(std::span(ignored).first(part));
    bytes -= part;
  }
}

void InflatingReader::produce(std::span<std::byte> destination) {
  const auto* source = reinterpret_cast<const Bytef*>(zip_.file()->data() + entry_.data_offset);
  std::size_t done = 0;
  int status = Z_OK;
  while (done < destination.size() && status == Z_OK) {
    stream_->next_in = const_cast<Bytef*>(source + consumed_);
    stream_->avail_in = static_cast<uInt>(std::min(entry_.compressed_size - consumed_, kSlice));
    stream_->next_out = reinterpret_cast<Bytef*>(destination.data() + done);
    stream_->avail_out = static_cast<uInt>(std::min<std::uint64_t>(destination.size() - done, kSlice));
    const uInt in = stream_->avail_in;
    const uInt out = stream_->avail_out;
    status = ::inflate(stream_.get(), Z_NO_FLUSH);
    consumed_ += in - stream_->avail_in;
    done += out - stream_->avail_out;
  }
  if (done < destination.size()) throw zip_.error(entry_, "the compressed data is damaged");
  crc32_ = static_cast<std::uint32_t>(
      crc32_z(crc32_, reinterpret_cast<const Bytef*>(destination.data()), destination.size()));
  produced_ += done;
}

void InflatingReader::check_end() {
  // The end of the stream may not have been looked at yet: it makes no bytes.
  Bytef nothing = 0;
  int status = Z_OK;
  while (status == Z_OK) {
    stream_->next_in =
        const_cast<Bytef*>(reinterpret_cast<const Bytef*>(zip_.file()->data() + entry_.data_offset + consumed_));
    stream_->avail_in = static_cast<uInt>(std::min(entry_.compressed_size - consumed_, kSlice));
    stream_->next_out = &nothing;
    stream_->avail_out = 0;
    const uInt in = stream_->avail_in;
    status = ::inflate(stream_.get(), Z_NO_FLUSH);
    consumed_ += in - stream_->avail_in;
  }
  if (status != Z_STREAM_END || consumed_ != entry_.compressed_size)
    throw zip_.error(entry_, "the compressed data is damaged");
  if (crc32_ != entry_.crc32)
    throw zip_.error(entry_, "the checksum of the decompressed data is wrong: the file is damaged");
}

}  // namespace qdq
