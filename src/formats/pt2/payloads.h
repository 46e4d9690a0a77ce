#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/flat_map.h"
#include "formats/archive/zip_reader.h"
#include "formats/json/json.h"
#include "qdq/program.h"

namespace qdq::pt2 {

// A tensor of the archive with what its configuration says about gradients.
struct Payload {
  Tensor value;
  bool requires_grad = false;
};

// The tensors of data/weights or data/constants: a configuration (JSON) maps names to entries of raw bytes.
class Payloads {
 public:
  // `folder` with the root, "model/data/weights/"; `model` names the configuration. Throws FormatError.
  Payloads(const ZipReader& zip, std::string folder, std::string_view config_name, bool verify);

  // A strided view of the mapped bytes; names that share an entry share the Storage. Throws FormatError when absent,
  // pickled, or when the view does not fit the bytes.
  Payload tensor(const std::string& name);
  // Custom objects are pickles, which we carry and never open: puts their bytes into `passthrough`.
  void keep_pickled_objects(Passthrough& passthrough) const;

 private:
  struct Meta {
    std::string path;
    bool pickled = false;
    bool is_tensor = false;
    TensorMeta meta;
  };
  void read_config(json::Element root);
  std::shared_ptr<Storage> storage(const ZipEntry& entry);
  const ZipEntry& entry_of(const std::string& name, const Meta& meta) const;

  const ZipReader& zip_;
  std::string folder_;
  std::string config_path_;
  bool verify_;
  std::unordered_map<std::string, Meta> config_;
  FlatMap<const ZipEntry*, std::shared_ptr<Storage>> storages_;
};

// Parses a stored JSON entry, its checksum compared, and calls fn(root). A json::Error becomes a FormatError that names
// file, entry, byte offset and JSON path.
void read_json_entry(const ZipReader& zip, const ZipEntry& entry, const std::function<void(json::Element)>& fn);
const ZipEntry& require_entry(const ZipReader& zip, std::string_view name);  // FormatError when absent

}  // namespace qdq::pt2
