#include "formats/onnx/write/model.h"

#include <optional>
#include <protozero/pbf_builder.hpp>

#include "formats/archive/atomic_file.h"
#include "formats/onnx/schema.h"
#include "graph/symbol_text.h"
#include "qdq/error.h"
#include "qdq/version.h"

namespace qdq::onnx {
namespace {

// Tensors of at least this size leave the message first.
constexpr std::uint64_t kSmallTensor = 1024;
constexpr std::uint64_t kPage = 4096;     // external tensors begin at a page so that readers may map them
constexpr std::uint64_t kAlignment = 64;  // of the others in the file, for the same reason

template <typename Message>
void add_entry(protozero::pbf_builder<Message>& to, Message field, std::string_view key, std::string_view value) {
  protozero::pbf_builder<EntryField> entry(to, field);
  entry.add_string(EntryField::key, key.data(), key.size());
  entry.add_string(EntryField::value, value.data(), value.size());
}

void add_attribute(protozero::pbf_builder<NodeField>& node, const std::string& name, const AttributeValue& value) {
  protozero::pbf_builder<AttributeField> out(node, NodeField::attribute);
  out.add_string(AttributeField::name, name);
  AttributeType type{};
  if (const auto* i = std::get_if<std::int64_t>(&value)) {
    out.add_int64(AttributeField::i, *i);
    type = AttributeType::i;
  } else if (const auto* f = std::get_if<double>(&value)) {
    out.add_float(AttributeField::f, static_cast<float>(*f));
    type = AttributeType::f;
  } else if (const auto* s = std::get_if<std::string>(&value)) {
    out.add_bytes(AttributeField::s, *s);
    type = AttributeType::s;
  } else if (const auto* ints = std::get_if<std::vector<std::int64_t>>(&value)) {
    for (const std::int64_t each : *ints) out.add_int64(AttributeField::ints, each);
    type = AttributeType::ints;
  } else {
    for (const std::string& each : std::get<std::vector<std::string>>(value))
      out.add_bytes(AttributeField::strings, each);
    type = AttributeType::strings;
  }
  out.add_enum(AttributeField::type, static_cast<std::int32_t>(type));
}

std::string encode(const OutNode& node) {
  std::string bytes;
  protozero::pbf_builder<NodeField> out(bytes);
  for (const std::string& name : node.inputs) out.add_string(NodeField::input, name);
  for (const std::string& name : node.outputs) out.add_string(NodeField::output, name);
  out.add_string(NodeField::name, node.outputs.at(0));
  out.add_string(NodeField::op_type, node.op);
  for (const auto& [name, value] : node.attributes) add_attribute(out, name, value);
  for (const auto& [key, value] : node.metadata) add_entry(out, NodeField::metadata_props, key, value);
  return bytes;
}

std::string encode(const OutValue& value) {
  std::string bytes;
  protozero::pbf_builder<ValueInfoField> out(bytes);
  out.add_string(ValueInfoField::name, value.name);
  protozero::pbf_builder<TypeField> type(out, ValueInfoField::type);
  protozero::pbf_builder<TensorTypeField> tensor(type, TypeField::tensor_type);
  tensor.add_int32(TensorTypeField::elem_type, data_type(value.type.dtype).value());
  std::string sizes;  // written even when it is empty: a 0-dim tensor has a shape
  protozero::pbf_builder<ShapeField> shape(sizes);
  for (const SymInt& size : value.type.sizes) {
    protozero::pbf_builder<DimField> dim(shape, ShapeField::dim);
    if (size.is_symbolic())
      dim.add_string(DimField::param, dim_text(size));
    else
      dim.add_int64(DimField::value, size.value);
  }
  tensor.add_message(TensorTypeField::shape, sizes);
  return bytes;
}

// Where the bytes of an external tensor are.
struct Place {
  std::string file;
  std::uint64_t offset;
};

std::string encode_type(const OutTensor& tensor) {
  std::string bytes;
  protozero::pbf_builder<TensorField> out(bytes);
  for (const std::int64_t size : tensor.sizes) out.add_int64(TensorField::dims, size);
  out.add_int32(TensorField::data_type, data_type(tensor.dtype).value());
  out.add_string(TensorField::name, tensor.name);
  return bytes;
}

// The tag and length in front of a message.
template <typename Field>
std::string prefix(Field field, std::uint64_t length) {
  std::string bytes;
  protozero::add_varint_to_buffer(&bytes, (static_cast<std::uint32_t>(field) << 3U) | 2U);
  protozero::add_varint_to_buffer(&bytes, length);
  return bytes;
}

// All of an external tensor's message.
std::string encode_external(const OutTensor& tensor, const Place& place) {
  std::string bytes = encode_type(tensor);
  protozero::pbf_builder<TensorField> out(bytes);
  add_entry(out, TensorField::external_data, "location", place.file);
  add_entry(out, TensorField::external_data, "offset", std::to_string(place.offset));
  add_entry(out, TensorField::external_data, "length", std::to_string(tensor.nbytes()));
  out.add_enum(TensorField::data_location, kExternal);
  return prefix(GraphField::initializer, bytes.size()) + bytes;
}

// All of a tensor's message but its values, which come last and begin at a multiple of kAlignment bytes: an empty
// description of the right length stands before them. `position` is where the message begins in the file.
std::string encode_head(const OutTensor& tensor, std::uint64_t position) {
  const std::string type = encode_type(tensor);
  const std::string values = prefix(TensorField::raw_data, tensor.nbytes());
  std::uint64_t padding = 0;
  const auto head = [&] {
    std::string bytes = type;
    if (tensor.nbytes() >= kSmallTensor) bytes += prefix(TensorField::doc_string, padding) + std::string(padding, ' ');
    bytes += values;
    return prefix(GraphField::initializer, bytes.size() + tensor.nbytes()) + bytes;
  };
  if (tensor.nbytes() >= kSmallTensor)
    while ((position + head().size()) % kAlignment != 0) ++padding;
  return head();
}

// The same in kLengthPrefix bytes whatever the length, so that what follows has its place before the length is known.
constexpr std::size_t kLengthPrefix = 6;
std::string long_prefix(ModelField field, std::uint64_t length) {
  std::string bytes(1, static_cast<char>((static_cast<std::uint32_t>(field) << 3U) | 2U));
  for (std::size_t i = 1; i < kLengthPrefix; ++i) {
    const bool last = i + 1 == kLengthPrefix;
    bytes += static_cast<char>((length & 0x7FU) | (last ? 0U : 0x80U));
    length >>= 7U;
  }
  return bytes;
}

template <typename Field>
void append(std::string& to, Field field, const std::string& message) {
  to += prefix(field, message.size());
  to += message;
}

// Low nibble first.
Tensor packed(const OutTensor& tensor, const Tensor& values) {
  const IntegerLimits limits = integer_limits(tensor.dtype);
  const auto* in = reinterpret_cast<const std::uint8_t*>(values.raw_data());
  Tensor result = Tensor::empty(DType::uint8, {(values.numel() + 1) / 2});
  auto* out = result.data<std::uint8_t>();
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    const int value = tensor.dtype == DType::int4 ? static_cast<std::int8_t>(in[i]) : in[i];
    if (value < limits.min || value > limits.max)
      throw FormatError("[save] tensor '" + tensor.name + "' holds " + std::to_string(value) +
                        ", which is beyond its levels from " + std::to_string(limits.min) + " to " +
                        std::to_string(limits.max));
    out[i / 2] = static_cast<std::uint8_t>(out[i / 2] | ((in[i] & 0xF) << (i % 2 == 0 ? 0 : 4)));
  }
  return result;
}

bool is_packed(DType dtype) { return dtype == DType::int4 || dtype == DType::uint4; }

void write_bytes(const OutTensor& tensor, ByteSink& to) {
  Tensor value = tensor.make().contiguous();
  if (is_packed(tensor.dtype)) value = packed(tensor, value);
  if (value.nbytes() != tensor.nbytes()) throw InternalError("initializer '" + tensor.name + "' changed its size");
  if (value.nbytes() > 0) to.write(std::span<const std::byte>(value.raw_data(), value.nbytes()));
}

}  // namespace

std::uint64_t OutTensor::nbytes() const {
  const auto count = static_cast<std::uint64_t>(numel(sizes));
  return is_packed(dtype) ? (count + 1) / 2 : count * element_size(dtype);
}

std::string dim_text(const SymInt& size) {
  SymInt without_hint = size;
  if (size.is_symbolic()) without_hint.has_hint = false;
  return text::to_text(without_hint);
}

void write_model(const OutModel& model, const std::filesystem::path& path, std::uint64_t max_message) {
  std::string graph_begin, graph_end;
  for (const OutNode& node : model.nodes) append(graph_begin, GraphField::node, encode(node));
  append(graph_begin, GraphField::name, "main_graph");
  for (const OutValue& value : model.inputs) append(graph_end, GraphField::input, encode(value));
  for (const OutValue& value : model.outputs) append(graph_end, GraphField::output, encode(value));

  std::uint64_t inside = graph_begin.size() + graph_end.size();
  for (const OutTensor& tensor : model.initializers) inside += tensor.nbytes() + tensor.name.size() + 64;
  const bool is_external = inside > max_message;
  const std::filesystem::path data_path = path.string() + ".data";
  std::optional<AtomicFile> data;
  if (is_external) data.emplace(data_path);

  std::string begin;
  protozero::pbf_builder<ModelField> out(begin);
  out.add_int64(ModelField::ir_version, ir_version(model.opset));
  out.add_string(ModelField::producer_name, "qdq");
  out.add_string(ModelField::producer_version, QDQ_VERSION);
  {
    protozero::pbf_builder<OpsetField> opset(out, ModelField::opset_import);
    opset.add_string(OpsetField::domain, "");
    opset.add_int64(OpsetField::version, model.opset);
  }

  // Heads first, since the graph's length stands in front of it.
  std::vector<std::string> heads;
  std::uint64_t length = graph_begin.size() + graph_end.size();
  std::uint64_t position = begin.size() + kLengthPrefix + graph_begin.size();
  std::uint64_t end = 0;
  const auto goes_out = [&](const OutTensor& tensor) { return is_external && tensor.nbytes() >= kSmallTensor; };
  for (const OutTensor& tensor : model.initializers) {
    if (goes_out(tensor)) {
      end = (end + kPage - 1) / kPage * kPage;
      heads.push_back(encode_external(tensor, {data_path.filename().string(), end}));
      end += tensor.nbytes();
    } else {
      heads.push_back(encode_head(tensor, position));
    }
    const std::uint64_t size = heads.back().size() + (goes_out(tensor) ? 0 : tensor.nbytes());
    length += size;
    position += size;
  }

  AtomicFile file(path);
  file.write(begin + long_prefix(ModelField::graph, length) + graph_begin);
  for (std::size_t i = 0; i < model.initializers.size(); ++i) {
    const OutTensor& tensor = model.initializers[i];
    file.write(heads[i]);
    if (!goes_out(tensor)) {
      write_bytes(tensor, file);
      continue;
    }
    data->write(std::string((kPage - data->position() % kPage) % kPage, '\0'));
    write_bytes(tensor, *data);
  }
  file.write(graph_end);
  if (data) data->commit();
  file.commit();
}

}  // namespace qdq::onnx
