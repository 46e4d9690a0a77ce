#pragma once
#include <filesystem>

#include "qdq/io.h"

namespace qdq {

// The archive of torch.export, schema 8: docs/pt2_format.md. Errors as qdq/io.h says.
Program load_pt2(const std::filesystem::path& path, const LoadOptions& options);
void save_pt2(const Program& program, const std::filesystem::path& path);

}  // namespace qdq
