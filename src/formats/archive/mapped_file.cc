#include "formats/archive/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "qdq/error.h"

namespace qdq {

std::shared_ptr<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  auto fail = [&](const std::string& why) { return IoError("[load] " + path.string() + ": " + why); };
  auto system_error = [] { return std::generic_category().message(errno); };
  struct Descriptor {
    int fd;
    ~Descriptor() {
      if (fd >= 0) ::close(fd);
    }
  };
  // O_NONBLOCK: opening a pipe must not wait for a writer.
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) throw fail(system_error());
  struct stat info {};
  if (::fstat(file.fd, &info) != 0) throw fail(system_error());
  if (!S_ISREG(info.st_mode)) throw fail("expected a regular file");

  std::shared_ptr<MappedFile> mapped(new MappedFile());
  mapped->path_ = path;
  mapped->size_ = static_cast<std::size_t>(info.st_size);
  if (mapped->size_ == 0) return mapped;
  void* address = ::mmap(nullptr, mapped->size_, PROT_READ | PROT_WRITE, MAP_PRIVATE, file.fd, 0);
  if (address == MAP_FAILED) throw fail("cannot be mapped: " + system_error());
  mapped->data_ = static_cast<std::byte*>(address);
  return mapped;
}

void MappedFile::forget_pages() const {
  if (data_) ::madvise(data_, size_, MADV_DONTNEED);
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(data_, size_);
}

}  // namespace qdq
