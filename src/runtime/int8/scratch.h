#pragma once
#include <cstdint>
#include <memory>

#include "qdq/tensor.h"

namespace qdq::runtime::int8 {

// Memory of this thread, aligned to 64 bytes, until the next call for the same type. It stays for later runs.
template <typename T>
T* scratch(std::int64_t count) {
  static thread_local std::shared_ptr<Storage> memory;
  const auto bytes = static_cast<std::size_t>(count) * sizeof(T);
  if (!memory || memory->size() < bytes) memory = Storage::allocate(bytes);
  return reinterpret_cast<T*>(memory->data());
}

}  // namespace qdq::runtime::int8
