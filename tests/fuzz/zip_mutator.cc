// Mutates what is inside an archive and writes a valid archive around it again. Changed bytes of a whole archive would
// nearly always stop at a checksum, and the readers of the entries would see nothing.
#include <cstring>
#include <random>
#include <string>

#include "bytes_file.h"
#include "formats/archive/zip_reader.h"
#include "formats/archive/zip_writer.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace qdq::fuzz {
namespace {

class StringSink : public ByteSink {
 public:
  std::string text;

  void rewrite(std::uint64_t position, std::span<const std::byte> bytes) override {
    std::memcpy(text.data() + position, bytes.data(), bytes.size());
  }

 protected:
  void append(std::span<const std::byte> bytes) override {
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
};

std::string entry_text(const ZipReader& zip, const ZipEntry& entry) {
  if (entry.method == ZipMethod::stored) {
    const auto bytes = zip.stored_bytes(entry);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  const auto bytes = zip.inflate(entry);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The archive with one entry mutated. Throws Error for what is no archive.
std::string mutate_entry(const std::uint8_t* data, std::size_t size, std::minstd_rand& random) {
  const BytesFile file(data, size);
  const ZipReader zip(MappedFile::open(file.path()));
  if (zip.entries().empty()) return {};
  const std::size_t chosen = random() % zip.entries().size();
  StringSink sink;
  ZipWriter writer(sink);
  for (std::size_t i = 0; i < zip.entries().size(); ++i) {
    std::string text = entry_text(zip, zip.entries()[i]);
    if (i == chosen) {
      const std::size_t used = text.size();
      text.resize(used + 256);
      text.resize(LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(text.data()), used, text.size()));
    }
    writer.add(zip.entries()[i].name, std::string_view(text));
  }
  writer.finish();
  return sink.text;
}

}  // namespace
}  // namespace qdq::fuzz

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  std::minstd_rand random(seed);
  if (random() % 8 != 0) {  // the container's own reader gets its share too
    try {
      const std::string archive = qdq::fuzz::mutate_entry(data, size, random);
      if (!archive.empty() && archive.size() <= max_size) {
        std::memcpy(data, archive.data(), archive.size());
        return archive.size();
      }
    } catch (const qdq::Error&) {
    }
  }
  return LLVMFuzzerMutate(data, size, max_size);
}
