#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>

#include "qdq/tensor.h"

namespace qdq::npy {

// What is wrong with a .npy, and at which of its bytes. The caller knows the file and makes a FormatError of it.
struct Error {
  std::size_t offset;
  std::string what;
};

// A tensor over the bytes of a .npy (versions 1 to 3), which `owner` keeps alive. The data is copied only when it is not
// aligned for its dtype. Throws Error.
Tensor parse(std::span<std::byte> bytes, std::shared_ptr<void> owner);

// Magic, version and header of a contiguous tensor; the data follows at a multiple of 64 bytes.
// Throws InvalidArgumentError for a dtype that numpy does not have, naming the tensor.
std::string header(const Tensor& tensor, const std::string& name);

}  // namespace qdq::npy
