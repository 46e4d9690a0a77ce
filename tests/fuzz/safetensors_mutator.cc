// Mutates the header or the data of a .safetensors and states the header's length anew. A length that does not fit would
// stop nearly every file at its first check.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  constexpr std::size_t kLengthSize = 8;
  std::uint64_t length = 0;
  if (size >= kLengthSize) std::memcpy(&length, data, kLengthSize);
  const bool is_whole = size >= kLengthSize && length <= size - kLengthSize && max_size >= size;
  if (!is_whole || seed % 8 == 0) return LLVMFuzzerMutate(data, size, max_size);
  std::uint8_t* text = data + kLengthSize;
  const std::size_t room = max_size - size;
  const std::size_t rest = size - kLengthSize - length;
  if (seed % 4 == 1 && rest > 0) return kLengthSize + length + LLVMFuzzerMutate(text + length, rest, rest);
  const std::vector<std::uint8_t> tensors(text + length, text + length + rest);
  length = LLVMFuzzerMutate(text, length, length + std::min<std::size_t>(room, 256));
  std::copy(tensors.begin(), tensors.end(), text + length);
  std::memcpy(data, &length, kLengthSize);
  return kLengthSize + length + rest;
}
