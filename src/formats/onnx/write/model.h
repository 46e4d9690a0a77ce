#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "qdq/tensor.h"
#include "qdq/value_type.h"

namespace qdq::onnx {

// What is written, in ONNX's terms. Tensors stay where they are until their bytes go to the file.

using AttributeValue =
    std::variant<std::int64_t, double, std::string, std::vector<std::int64_t>, std::vector<std::string>>;
using NodeAttributes = std::vector<std::pair<std::string, AttributeValue>>;

struct OutNode {
  std::string op;
  std::vector<std::string> inputs;  // "": left out
  std::vector<std::string> outputs;
  NodeAttributes attributes;
  std::vector<std::pair<std::string, std::string>> metadata;
};

struct OutTensor {
  std::string name;
  DType dtype = DType::float32;  // int4 and uint4 are packed, two values to a byte, when they are written
  Shape sizes;
  std::function<Tensor()> make;  // called once, when the bytes are written; of plain_dtype(dtype)

  std::uint64_t nbytes() const;
};

struct OutValue {
  std::string name;
  TensorMeta type;
};

struct OutModel {
  std::int64_t opset = 0;
  std::vector<OutNode> nodes;
  std::vector<OutTensor> initializers;
  std::vector<OutValue> inputs;
  std::vector<OutValue> outputs;
};

// "s77", "2*s77", or the number.
std::string dim_text(const SymInt& size);

// Bytes beyond which a message cannot be read by protobuf.
constexpr std::uint64_t kMaxMessage = (std::uint64_t{1} << 31) - (std::uint64_t{1} << 20);

// Writes the file, atomically. Models of more than `max_message` bytes have tensors of 1 kB and more in "<file>.data"
// beside it. Needs memory for the nodes and for one tensor. Throws IoError.
void write_model(const OutModel& model, const std::filesystem::path& path, std::uint64_t max_message = kMaxMessage);

}  // namespace qdq::onnx
