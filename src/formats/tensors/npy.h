#pragma once
#include <cstddef>
#include <cstdint>
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

struct Header {
  DType dtype;
  Shape sizes;
  bool fortran_order = false;
  std::size_t size = 0;        // of magic, version and header: where the data begins
  std::size_t data_bytes = 0;  // that the sizes ask for
};

// The bytes from which header_size() can tell how long the header is; every .npy has more.
constexpr std::size_t kPrefixSize = 12;
std::size_t header_size(std::span<const std::byte> prefix);
// `bytes` begin with a whole header. Both throw Error.
Header parse_header(std::span<const std::byte> bytes);

// Throws Error unless a .npy of `bytes` bytes holds what its header says.
void check_size(const Header& header, std::uint64_t bytes);

// The array whose data is `data`, header.data_bytes of them, which `owner` keeps alive; copied only when it is not aligned
// for its dtype.
Tensor array(const Header& header, std::span<std::byte> data, std::shared_ptr<void> owner);

// A tensor over the bytes of a .npy (versions 1 to 3), which `owner` keeps alive, as array() makes it. Throws Error.
Tensor parse(std::span<std::byte> bytes, std::shared_ptr<void> owner);

// Magic, version and header of a contiguous tensor; the data follows at a multiple of 64 bytes.
// Throws InvalidArgumentError for a dtype that numpy does not have, naming the tensor.
std::string header(const Tensor& tensor, const std::string& name);

}  // namespace qdq::npy
