// The readers of .npy, .npz and .safetensors, by the first bytes: each file is refused with a FormatError or gives
// tensors whose every element can be read.
#include <cstring>

#include "bytes_file.h"
#include "formats/tensors/tensor_files.h"
#include "qdq/error.h"

namespace {

std::vector<qdq::NamedTensor> load(const std::uint8_t* data, std::size_t size) {
  const qdq::fuzz::BytesFile file(data, size);
  const qdq::LoadOptions options{.verify_weights = true};
  if (size > 0 && data[0] == 0x93) return qdq::load_npy(file.path(), options);
  if (size > 1 && std::memcmp(data, "PK", 2) == 0) return qdq::load_npz(file.path(), options);
  return qdq::load_safetensors(file.path(), options);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    for (const qdq::NamedTensor& tensor : load(data, size))
      if (!qdq::bit_equal(tensor.value, tensor.value.clone())) std::abort();
  } catch (const qdq::FormatError&) {
  }
  return 0;
}
