#pragma once
#include <filesystem>

#include "qdq/io.h"

namespace qdq {

// .graph files: the text form of docs/graph_text.md. Saving writes everything, tensors included, so that loading gives
// the same program. Errors as load() and save() of qdq/io.h; those of the text have line and column.
Program load_text(const std::filesystem::path& path, const LoadOptions& options);
void save_text(const Program& program, const std::filesystem::path& path);

}  // namespace qdq
