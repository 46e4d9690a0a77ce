#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/archive/mapped_file.h"
#include "formats/onnx/schema.h"
#include "qdq/error.h"
#include "qdq/tensor.h"

namespace qdq::onnx {

// A model as it is in the file; texts and bytes are views of the mapped file.

using Bytes = std::string_view;

struct InTensor {
  std::string_view name;
  std::int32_t data_type = 0;
  Shape dims;
  std::optional<Bytes> raw;  // little-endian, as raw_data says
  Bytes typed;               // values of a packed field, or what `loose` holds when they are not packed
  std::vector<Bytes> loose;
  TensorField typed_field = TensorField::raw_data;  // which one
  bool is_external = false;
  std::vector<std::pair<std::string_view, std::string_view>> external;
  std::size_t offset = 0;  // of the message in the file, for errors
};

struct InAttribute {
  std::string_view name;
  std::int32_t type = 0;  // 0: the file does not say
  float f = 0;
  std::int64_t i = 0;
  std::string_view s;
  std::optional<InTensor> t;
  bool has_graph = false;
  std::vector<float> floats;
  std::vector<std::int64_t> ints;
  std::vector<std::string_view> strings;
};

struct InNode {
  std::string_view op;
  std::string_view domain;
  std::string_view name;
  std::vector<std::string_view> inputs;  // "": left out
  std::vector<std::string_view> outputs;
  std::vector<InAttribute> attributes;
  std::vector<std::pair<std::string_view, std::string_view>> metadata;
  std::size_t offset = 0;

  const InAttribute* find(std::string_view attribute) const;
  std::string_view remark(std::string_view key) const;  // of the metadata, "" when absent
};

struct InDim {
  std::int64_t value = -1;  // negative: not known
  std::string_view param;   // its name, where it has one
};

struct InValue {
  std::string_view name;
  std::int32_t data_type = 0;  // 0: no tensor, or not known
  std::optional<std::vector<InDim>> dims;
  std::size_t offset = 0;
};

struct InModel {
  std::shared_ptr<MappedFile> file;
  std::int64_t opset = 0;  // of the default domain
  std::vector<InNode> nodes;
  std::vector<InTensor> initializers;
  std::vector<InValue> inputs;
  std::vector<InValue> outputs;

  // "[load] model.onnx: at byte 17: what"
  FormatError error(std::size_t offset, const std::string& what) const;
};

// Throws FormatError for bytes that are no model, or one that holds what we do not read (functions, sparse tensors).
InModel parse_model(std::shared_ptr<MappedFile> file);

// The values of a tensor: a view of the mapped file where its bytes are aligned for the dtype, else a copy. int4 and
// uint4 are unpacked to a value per byte. External data is opened beneath the folder of the model; links, absolute paths
// and ".." are refused. Throws FormatError when the bytes do not fit the sizes, before anything is allocated.
class TensorReader {
 public:
  explicit TensorReader(const InModel& model) : model_(model) {}
  Tensor read(const InTensor& tensor);

 private:
  struct Source {
    Bytes bytes;
    std::shared_ptr<MappedFile> file;
  };
  Source external(const InTensor& tensor);
  std::shared_ptr<MappedFile> open(const InTensor& tensor, std::string_view location);

  const InModel& model_;
  std::vector<std::pair<std::string, std::shared_ptr<MappedFile>>> files_;
};

}  // namespace qdq::onnx
