#pragma once
#include <cstdint>
#include <filesystem>
#include <string>

#include "cli/batches.h"
#include "qdq/io.h"
#include "qdq/program.h"
#include "qdq/statistics.h"

namespace qdq::cli {

// As qdq::save, qdq::save_tensors and qdq::save_statistics; SIGINT and its like wait until the file is complete.
void save_program(const Program& program, const std::string& path, const SaveOptions& options = {});
void save_text(const std::string& path, const std::string& text);  // in the same way; throws IoError
void save_arrays(const std::string& path, const Arrays& arrays);
void save_statistics_file(const Statistics& statistics, const std::string& path);

// Whether the name ends as those of files of arrays: .npy, .npz or .safetensors.
bool is_array_name(const std::filesystem::path& path);
std::int64_t file_size(const std::string& path);  // bytes; throws IoError

}  // namespace qdq::cli
