#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstdio>
#include <memory>
#include <new>

#include "qdq/graph_text.h"
#include "qdq/statistics.h"

namespace qdq {
namespace {

class Hash {
 public:
  Hash() {
    if (!state_ || XXH3_128bits_reset(state_.get()) != XXH_OK) throw std::bad_alloc();
  }

  void add(std::string_view text) { XXH3_128bits_update(state_.get(), text.data(), text.size()); }

  void add_elements(const Tensor& tensor) {
    if (!tensor.defined() || tensor.is_meta() || tensor.nbytes() == 0) return;
    const Tensor value = tensor.contiguous();
    XXH3_128bits_update(state_.get(), value.raw_data(), value.nbytes());
  }

  std::string to_text() const {
    const XXH128_hash_t hash = XXH3_128bits_digest(state_.get());
    char text[40];
    std::snprintf(text, sizeof text, "xxh3:%016llx%016llx", static_cast<unsigned long long>(hash.high64),
                  static_cast<unsigned long long>(hash.low64));
    return text;
  }

 private:
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> state_{XXH3_createState()};
};

}  // namespace

std::string fingerprint(const Program& program) {
  Hash hash;
  // The text has name, dtype and sizes of every tensor, so that their elements need no separators.
  hash.add(to_text(program, {.attributes = true, .data = TextOptions::Data::none}));
  for (const Attribute& attribute : program.attributes) hash.add_elements(attribute.value);
  return hash.to_text();
}

std::string fingerprint(std::span<const Tensor> tensors) {
  Hash hash;
  for (const Tensor& tensor : tensors) hash.add(std::string(name(tensor.dtype())) + to_string(tensor.sizes()));
  for (const Tensor& tensor : tensors) hash.add_elements(tensor);
  return hash.to_text();
}

}  // namespace qdq
