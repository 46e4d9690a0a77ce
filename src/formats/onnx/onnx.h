#pragma once
#include <filesystem>

#include "qdq/io.h"

namespace qdq {

// ONNX: docs/onnx.md. Errors as qdq/io.h says.
Program load_onnx(const std::filesystem::path& path, const LoadOptions& options);
void save_onnx(const Program& program, const std::filesystem::path& path, const SaveOptions& options);

}  // namespace qdq
