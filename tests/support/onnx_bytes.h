#pragma once
// ONNX models byte by byte, honest and lying ones.
#include <cstdint>
#include <cstring>
#include <fstream>
#include <initializer_list>
#include <protozero/pbf_builder.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/onnx/schema.h"

namespace qdq::onnx {

// A message under construction: fields in the order of the calls.
class Message {
 public:
  template <typename Field>
  Message& text(Field field, std::string_view value) {
    add_key(field, 2);
    protozero::add_varint_to_buffer(&bytes_, value.size());
    bytes_.append(value);
    return *this;
  }
  template <typename Field>
  Message& integer(Field field, std::int64_t value) {
    add_key(field, 0);
    protozero::add_varint_to_buffer(&bytes_, static_cast<std::uint64_t>(value));
    return *this;
  }
  template <typename Field>
  Message& number(Field field, float value) {
    add_key(field, 5);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  template <typename Field>
  Message& message(Field field, const Message& inside) {
    return text(field, inside.bytes_);
  }
  // A length that is not that of what follows.
  template <typename Field>
  Message& lie(Field field, std::uint64_t length, std::string_view value) {
    add_key(field, 2);
    protozero::add_varint_to_buffer(&bytes_, length);
    bytes_.append(value);
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  template <typename Field>
  void add_key(Field field, std::uint32_t wire_type) {
    protozero::add_varint_to_buffer(&bytes_, (static_cast<std::uint32_t>(field) << 3U) | wire_type);
  }
  std::string bytes_;
};

inline Message entry(std::string_view key, std::string_view value) {
  return Message().text(EntryField::key, key).text(EntryField::value, value);
}

inline Message node(std::string_view op, std::initializer_list<std::string_view> inputs,
                    std::initializer_list<std::string_view> outputs, std::initializer_list<Message> attributes = {}) {
  Message result;
  for (const std::string_view input : inputs) result.text(NodeField::input, input);
  for (const std::string_view output : outputs) result.text(NodeField::output, output);
  result.text(NodeField::op_type, op);
  for (const Message& attribute : attributes) result.message(NodeField::attribute, attribute);
  return result;
}

inline Message attribute(std::string_view name, std::int64_t value) {
  return Message()
      .text(AttributeField::name, name)
      .integer(AttributeField::i, value)
      .integer(AttributeField::type, static_cast<std::int64_t>(AttributeType::i));
}
inline Message attribute(std::string_view name, std::initializer_list<std::int64_t> values) {
  Message result;
  result.text(AttributeField::name, name);
  for (const std::int64_t value : values) result.integer(AttributeField::ints, value);
  return result.integer(AttributeField::type, static_cast<std::int64_t>(AttributeType::ints));
}

// `dims` below zero are symbols: "n", "n1" ...
inline Message value(std::string_view name, std::int32_t type, std::initializer_list<std::int64_t> dims) {
  Message shape;
  int symbols = 0;
  for (const std::int64_t dim : dims) {
    Message size;
    if (dim >= 0)
      size.integer(DimField::value, dim);
    else
      size.text(DimField::param, symbols++ == 0 ? "n" : "n" + std::to_string(symbols - 1));
    shape.message(ShapeField::dim, size);
  }
  const Message tensor = Message().integer(TensorTypeField::elem_type, type).message(TensorTypeField::shape, shape);
  return Message()
      .text(ValueInfoField::name, name)
      .message(ValueInfoField::type, Message().message(TypeField::tensor_type, tensor));
}

template <typename T>
Message tensor(std::string_view name, std::int32_t type, std::initializer_list<std::int64_t> dims,
               const std::vector<T>& values) {
  Message result;
  for (const std::int64_t dim : dims) result.integer(TensorField::dims, dim);
  result.integer(TensorField::data_type, type).text(TensorField::name, name);
  return result.text(TensorField::raw_data, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)});
}

struct ModelParts {
  std::vector<Message> nodes;
  std::vector<Message> inputs;
  std::vector<Message> outputs;
  std::vector<Message> initializers = {};
};

inline std::string model(const ModelParts& parts, std::int64_t opset = 21) {
  Message graph;
  for (const Message& each : parts.nodes) graph.message(GraphField::node, each);
  for (const Message& each : parts.initializers) graph.message(GraphField::initializer, each);
  for (const Message& each : parts.inputs) graph.message(GraphField::input, each);
  for (const Message& each : parts.outputs) graph.message(GraphField::output, each);
  const Message version = Message().text(OpsetField::domain, "").integer(OpsetField::version, opset);
  return Message()
      .integer(ModelField::ir_version, 10)
      .message(ModelField::opset_import, version)
      .message(ModelField::graph, graph)
      .bytes();
}

constexpr std::int32_t kFloat = 1;
constexpr std::int32_t kUint8 = 2;
constexpr std::int32_t kInt8 = 3;
constexpr std::int32_t kInt64 = 7;

}  // namespace qdq::onnx
