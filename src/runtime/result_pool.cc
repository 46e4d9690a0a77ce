#include "runtime/result_pool.h"

#include <algorithm>
#include <mutex>
#include <vector>

namespace qdq::runtime {
namespace {

constexpr std::size_t kLeast = 1 << 16;  // bytes: smaller results are not worth a lock
constexpr std::size_t kMost = 4;         // results that nobody uses

}  // namespace

struct ResultPool::Spare {
  std::mutex mutex;
  std::vector<std::shared_ptr<Storage>> storages;

  std::shared_ptr<Storage> take(std::size_t bytes) {
    const std::lock_guard lock(mutex);
    const auto found =
        std::find_if(storages.begin(), storages.end(), [bytes](const auto& s) { return s->size() == bytes; });
    if (found == storages.end()) return nullptr;
    std::shared_ptr<Storage> taken = std::move(*found);
    storages.erase(found);
    return taken;
  }

  // Allocates nothing: deleters call it.
  void give_back(std::shared_ptr<Storage> storage) {
    const std::lock_guard lock(mutex);
    if (storages.size() < kMost) storages.push_back(std::move(storage));
  }
};

ResultPool::ResultPool() : spare_(std::make_shared<Spare>()) { spare_->storages.reserve(kMost); }

Tensor ResultPool::empty(DType dtype, const Shape& sizes) {
  const std::size_t bytes = static_cast<std::size_t>(numel(sizes)) * element_size(dtype);
  if (bytes < kLeast) return Tensor::empty(dtype, sizes);
  std::shared_ptr<Storage> storage = spare_->take(bytes);
  if (!storage) storage = Storage::allocate(bytes);
  Storage* const lent = storage.get();
  std::shared_ptr<void> loan(lent, [storage = std::move(storage), spare = std::weak_ptr(spare_)](void*) mutable {
    if (const auto pool = spare.lock()) pool->give_back(std::move(storage));
  });
  return Tensor(Storage::wrap(lent->data(), bytes, std::move(loan)), dtype, sizes, contiguous_strides(sizes));
}

}  // namespace qdq::runtime
