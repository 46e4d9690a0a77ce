#pragma once
#include <cstddef>
#include <filesystem>
#include <memory>

namespace qdq {

// A file in memory, mapped privately: writing to it copies the page and never reaches the file. The file must not
// shrink while it is mapped (the system ends the process then); saving replaces files and never shrinks them.
class MappedFile {
 public:
  // Throws IoError when `path` is no regular file that we may read.
  static std::shared_ptr<MappedFile> open(const std::filesystem::path& path);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  // Gives back the memory of all pages; they are read again from the file when somebody looks at them. What was written to
  // them is lost.
  void forget_pages() const;

  std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  MappedFile() = default;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::filesystem::path path_;
};

}  // namespace qdq
