#include "cli/files.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "cli/signals.h"
#include "qdq/error.h"
#include "qdq/io.h"

namespace qdq::cli {

void save_program(const Program& program, const std::string& path) {
  const HoldSignals hold;
  save(program, path);
}

void save_arrays(const std::string& path, const Arrays& arrays) {
  const HoldSignals hold;
  save_tensors(path, arrays);
}

void save_text(const std::string& path, const std::string& text) {
  const HoldSignals hold;
  const std::string temporary = path + ".new." + std::to_string(::getpid());
  std::ofstream file(temporary, std::ios::binary);
  file << text;
  file.close();
  std::error_code error;
  if (file) std::filesystem::rename(temporary, path, error);
  if (file && !error) return;
  const std::string why = error ? error.message() : std::strerror(errno);
  std::filesystem::remove(temporary, error);
  throw IoError("cannot write " + path + ": " + why);
}

void save_statistics_file(const Statistics& statistics, const std::string& path) {
  const HoldSignals hold;
  save_statistics(path, statistics);
}

std::int64_t file_size(const std::string& path) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) throw IoError("cannot tell the size of " + path + ": " + error.message());
  return static_cast<std::int64_t>(size);
}

}  // namespace qdq::cli
