#include "formats/archive/atomic_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <system_error>

#include "qdq/error.h"

namespace qdq {
namespace {

constexpr std::size_t kBufferSize = std::size_t{1} << 16;

constexpr std::string_view kSuffix = ".tmp";

std::string prefix(const std::filesystem::path& target) { return "." + target.filename().string() + "."; }

// ".<file>.<process>.<number>.tmp"
std::filesystem::path temporary_name(const std::filesystem::path& target) {
  static std::atomic<std::uint64_t> counter{0};
  std::string name = prefix(target) + std::to_string(::getpid()) + "." + std::to_string(counter.fetch_add(1));
  return target.parent_path() / name.append(kSuffix);
}

// Also of files whose names go on where that of `target` ends: a checkpoint lies beside the output that it is for.
bool is_temporary_of(const std::filesystem::path& target, std::string_view name) {
  const std::string before = prefix(target);
  if (!name.starts_with(before) || !name.ends_with(kSuffix)) return false;
  name.remove_suffix(kSuffix.size());
  for (int numbers = 0; numbers < 2; ++numbers) {
    const std::size_t dot = name.rfind('.');
    if (dot + 1 < before.size() || dot + 1 == name.size()) return false;
    if (name.find_first_not_of("0123456789", dot + 1) != std::string_view::npos) return false;
    name = name.substr(0, dot);
  }
  return true;
}

std::filesystem::path folder_of(const std::filesystem::path& target) {
  return target.has_parent_path() ? target.parent_path() : ".";
}

// The file that a symbolic link stands for, whether it is there yet or not: the link itself stays.
std::filesystem::path behind_links(std::filesystem::path target) {
  constexpr int kMost = 40;  // Linux's own limit: links can go in a circle
  std::error_code error;
  for (int i = 0; i < kMost && std::filesystem::is_symlink(target, error); ++i)
    target = target.parent_path() / std::filesystem::read_symlink(target, error);
  return target;
}

// Removes the temporary files of processes that were killed. Whoever writes one holds a lock on it, which ends with the
// process, on whatever machine that is. What cannot be read or removed stays: the save itself does not depend on it.
void remove_left_overs(const std::filesystem::path& target) {
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder_of(target), error), end; !error && at != end;
       at.increment(error)) {
    if (!is_temporary_of(target, at->path().filename().string())) continue;
    const int fd = ::open(at->path().c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) continue;
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) ::unlink(at->path().c_str());
    ::close(fd);
  }
}

// A new file, locked. Nothing (-1) when the system refuses.
int create_locked(const std::filesystem::path& name) {
  const int fd = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return fd;
  // A file system without locks gives none to those who look for left-overs either.
  ::flock(fd, LOCK_EX);
  return fd;
}

// Another process that looks for left-overs may have been faster than our lock.
bool is_gone(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 && info.st_nlink == 0;
}

}  // namespace

AtomicFile::AtomicFile(const std::filesystem::path& target) : target_(behind_links(target)) {
  if (!target.has_filename()) throw IoError("[save] '" + target.string() + "' is not a file name");
  remove_left_overs(target_);
  while (true) {
    temporary_ = temporary_name(target_);
    fd_ = create_locked(temporary_);
    if (fd_ < 0 && errno == EEXIST) continue;  // a left-over that could not be removed has our number: the next one
    if (fd_ < 0 || !is_gone(fd_)) break;
    ::close(fd_);
  }
  if (fd_ < 0) fail("cannot be created");
  buffer_.reserve(kBufferSize);
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::fail(const char* doing) const {
  throw IoError("[save] " + target_.string() + ": " + doing + ": " + std::generic_category().message(errno));
}

void AtomicFile::append(std::span<const std::byte> bytes) {
  if (buffer_.size() + bytes.size() > kBufferSize) flush();
  if (bytes.size() >= kBufferSize)
    write_now(bytes);
  else
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

void AtomicFile::flush() {
  write_now(buffer_);
  buffer_.clear();
}

void AtomicFile::write_now(std::span<const std::byte> bytes, std::optional<std::uint64_t> position) {
  while (!bytes.empty()) {
    const ssize_t written = position ? ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(*position))
                                     : ::write(fd_, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      fail("cannot be written");
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    if (position) *position += static_cast<std::uint64_t>(written);
  }
}

void AtomicFile::rewrite(std::uint64_t position, std::span<const std::byte> bytes) {
  flush();
  write_now(bytes, position);
}

void AtomicFile::commit() {
  flush();
  if (::fsync(fd_) != 0) fail("cannot be flushed to the disk");
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail("cannot be renamed to");
  ::close(fd_);
  fd_ = -1;
  // The rename itself survives a power cut only once the folder is on the disk. Not every file system can do that.
  const int folder_fd = ::open(folder_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_fd >= 0) {
    ::fsync(folder_fd);
    ::close(folder_fd);
  }
}

}  // namespace qdq
