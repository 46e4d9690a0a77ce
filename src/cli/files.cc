#include "cli/files.h"

#include <filesystem>

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

std::int64_t file_size(const std::string& path) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) throw IoError("cannot tell the size of " + path + ": " + error.message());
  return static_cast<std::int64_t>(size);
}

}  // namespace qdq::cli
