#include "formats/pt2/payloads.h"

#include <cstring>

#include "formats/pt2/read_values.h"
#include "formats/pt2/schema.h"

namespace qdq::pt2 {
namespace {

// What torch calls the pickles of custom objects (TorchScript objects, opaque Python values).
bool is_object_file(std::string_view path) {
  return path.starts_with("custom_obj_") || path.starts_with("opaque_obj_");
}

Shape concrete(const std::vector<SymInt>& values) {
  Shape result;
  for (const SymInt& value : values) {
    if (value.is_symbolic()) json::fail("expected a number, found the expression " + value.expr);
    result.push_back(value.value);
  }
  return result;
}

}  // namespace

const ZipEntry& require_entry(const ZipReader& zip, std::string_view name) {
  if (const ZipEntry* entry = zip.find(name)) return *entry;
  throw FormatError("[load] " + zip.file()->path().string() + ": expected an entry '" + std::string(name) + "'");
}

void read_json_entry(const ZipReader& zip, const ZipEntry& entry, const std::function<void(json::Element)>& fn) {
  zip.verify_checksum(entry);
  try {
    const std::span<std::byte> text = zip.stored_bytes(entry);
    const std::byte* const file_end = zip.file()->data() + zip.file()->size();
    const json::Document document(text, static_cast<std::size_t>(file_end - (text.data() + text.size())));
    fn(document.root());
  } catch (const json::Error& error) {
    const std::string_view path = error.path;
    throw zip.error(entry, (path.empty() ? "" : std::string(path.substr(path[0] == '.' ? 1 : 0)) + ": ") + error.what);
  }
}

Payloads::Payloads(const ZipReader& zip, std::string folder, std::string_view config_name, bool verify)
    : zip_(zip), folder_(std::move(folder)), config_path_(folder_ + std::string(config_name)), verify_(verify) {
  read_json_entry(zip_, require_entry(zip_, config_path_), [&](json::Element root) { read_config(root); });
}

void Payloads::read_config(json::Element root) {
  json::at(json::object(root), "config", [&](json::Element config) {
    for (const auto& [name, element] : json::object(config))
      json::within([&, key = name] { return json::member(key); },
                   [&, key = name, value = element] {
                     const json::Object object = json::object(value);
                     Meta meta;
                     meta.path = json::at(object, "path_name", json::string);
                     meta.pickled = json::at(object, "use_pickle", json::boolean);
                     if (const auto tensor = json::find(object, "tensor_meta")) {
                       meta.meta = json::within([] { return std::string(".tensor_meta"); },
                                                [&] { return read_tensor_meta(*tensor); });
                       meta.is_tensor = true;
                     }
                     if (!config_.emplace(key, std::move(meta)).second) json::fail("this name occurs twice");
                   });
  });
}

const ZipEntry& Payloads::entry_of(const std::string& name, const Meta& meta) const {
  if (const ZipEntry* entry = zip_.find(folder_ + meta.path)) return *entry;
  throw FormatError("[load] " + zip_.file()->path().string() + ", entry '" + config_path_ + "': '" + name +
                    "' is said to be in the entry '" + folder_ + meta.path + "', which is absent");
}

std::shared_ptr<Storage> Payloads::storage(const ZipEntry& entry) {
  // Of the widest element: names of other dtypes may share the entry.
  constexpr std::size_t alignment = alignof(double);
  std::shared_ptr<Storage>& storage = storages_[&entry];
  if (storage) return storage;
  if (verify_) zip_.verify_checksum(entry);
  const std::span<std::byte> bytes = zip_.stored_bytes(entry);
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignment == 0) {
    storage = Storage::wrap(bytes.data(), bytes.size(), zip_.file());
  } else {  // torch aligns to 64 bytes; another writer may not
    storage = Storage::allocate(bytes.size());
    std::memcpy(storage->data(), bytes.data(), bytes.size());
  }
  return storage;
}

Payload Payloads::tensor(const std::string& name) {
  const auto found = config_.find(name);
  if (found == config_.end())
    throw FormatError("[load] " + zip_.file()->path().string() + ", entry '" + config_path_ + "': expected a member '" +
                      name + "'");
  const Meta& meta = found->second;
  const ZipEntry& entry = entry_of(name, meta);
  if (meta.pickled || !meta.is_tensor)
    throw zip_.error(entry, "'" + name + "' is a Python pickle (a tensor subclass?), which is never opened");
  if (meta.meta.layout != Layout::strided) throw zip_.error(entry, "'" + name + "': expected a strided tensor");
  try {
    if (meta.meta.storage_offset.is_symbolic()) json::fail("expected a number as storage offset");
    Tensor value(storage(entry), meta.meta.dtype, concrete(meta.meta.sizes), concrete(meta.meta.strides),
                 meta.meta.storage_offset.value);
    return {std::move(value), meta.meta.requires_grad};
  } catch (const InvalidArgumentError& error) {
    throw zip_.error(entry, "'" + name + "': " + error.what());
  } catch (const json::Error& error) {
    throw zip_.error(entry, "'" + name + "': " + error.what);
  }
}

void Payloads::keep_pickled_objects(Passthrough& passthrough) const {
  for (const auto& [name, meta] : config_) {
    if (!is_object_file(meta.path)) continue;
    const std::span<std::byte> bytes = zip_.stored_bytes(entry_of(name, meta));
    passthrough[std::string(kPickledObject) + meta.path + ":" + name] =
        std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
}

}  // namespace qdq::pt2
