#include <array>

#include "qdq/graph.h"

namespace qdq {
namespace {

// Almost all entries have one of a few keys, of which there is one text in the process.
SharedValue<std::string> shared_key(std::string_view key) {
  static const auto usual = [] {
    std::vector<SharedValue<std::string>> keys;
    for (const char* text :
         {"stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node", "quantization_tag",
          "quantization_tensor", "quantization_observer", "quantization_scheme", "quantization_observed",
          "quantization_rule", "quantization_why_not", "quantization_source"})
      keys.emplace_back(text);
    return keys;
  }();
  for (const auto& known : usual)
    if (*known == key) return known;
  return std::string(key);
}

}  // namespace

const Metadata::Entry* Metadata::find_entry(std::string_view key) const {
  if (entries_)
    for (const Entry& entry : *entries_)
      if (*entry.key == key) return &entry;
  return nullptr;
}

// Entries that no copy shares.
std::vector<Metadata::Entry>& Metadata::own_entries() {
  if (!entries_)
    entries_ = std::make_shared<std::vector<Entry>>();
  else if (entries_.use_count() > 1)
    entries_ = std::make_shared<std::vector<Entry>>(*entries_);
  return *entries_;
}

const std::string* Metadata::find(std::string_view key) const {
  const Entry* found = find_entry(key);
  return found ? found->value.get() : nullptr;
}

std::string_view Metadata::get(std::string_view key) const {
  const std::string* found = find(key);
  return found ? std::string_view(*found) : std::string_view();
}

void Metadata::set(std::string_view key, std::string value) { set(key, SharedValue<std::string>(std::move(value))); }

void Metadata::set(std::string_view key, SharedValue<std::string> value) {
  std::vector<Entry>& entries = own_entries();
  for (Entry& entry : entries)
    if (*entry.key == key) {
      entry.value = std::move(value);
      return;
    }
  entries.push_back({shared_key(key), std::move(value)});
}

void Metadata::copy_entry(std::string_view key, const Metadata& from) {
  if (const Entry* entry = from.find_entry(key))
    set(key, entry->value);
  else
    erase(key);
}

void Metadata::erase(std::string_view key) {
  if (find_entry(key)) std::erase_if(own_entries(), [&](const Entry& entry) { return *entry.key == key; });
}

bool operator==(const Metadata& a, const Metadata& b) {
  if (a.entries_ == b.entries_) return true;
  if (!a.entries_ || !b.entries_) return a.empty() && b.empty();
  return *a.entries_ == *b.entries_;
}

}  // namespace qdq
