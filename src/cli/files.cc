#include "cli/files.h"

#include <filesystem>

#include "cli/signals.h"
#include "qdq/error.h"
#include "qdq/io.h"

namespace qdq::cli {

void save_program(const Program& program, const std::string& path, const SaveOptions& options) {
  const HoldSignals hold;
  save(program, path, options);
}

void save_arrays(const std::string& path, const Arrays& arrays) {
  const HoldSignals hold;
  save_tensors(path, arrays);
}

void save_text(const std::string& path, const std::string& text) {
  const HoldSignals hold;
  save_bytes(path, text);
}

void save_statistics_file(const Statistics& statistics, const std::string& path) {
  const HoldSignals hold;
  save_statistics(path, statistics);
}

bool is_array_name(const std::filesystem::path& path) {
  const std::string extension = path.extension().string();
  return extension == ".npy" || extension == ".npz" || extension == ".safetensors";
}

std::int64_t file_size(const std::string& path) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) throw IoError("cannot tell the size of " + path + ": " + error.message());
  return static_cast<std::int64_t>(size);
}

}  // namespace qdq::cli
