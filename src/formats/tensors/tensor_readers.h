#pragma once
#include <cstddef>
#include <memory>
#include <string>

#include "formats/archive/mapped_file.h"
#include "qdq/data.h"

namespace qdq {

// Reads a row-major tensor that lies at `data` in `file`, at any alignment, and gives the pages back each time.
std::unique_ptr<TensorReader> mapped_reader(std::string name, DType dtype, Shape sizes, const std::byte* data,
                                            std::shared_ptr<MappedFile> file);

}  // namespace qdq
