// Protobuf to the structures of model.h. protozero walks a message without recursion of its own and without allocating;
// what we allocate is proportional to the bytes that ask for it.
#include <simdjson.h>

#include <protozero/pbf_message.hpp>

#include "formats/onnx/read/model.h"

namespace qdq::onnx {
namespace {

using protozero::pbf_wire_type;

constexpr std::size_t kMaxRank = 64;

// Field and wire type in one number, for switch statements: a field of another wire type is skipped like an unknown one.
template <typename Field>
constexpr std::uint32_t key(Field field, pbf_wire_type type) {
  return protozero::tag_and_type(static_cast<std::uint32_t>(field), type);
}

std::string_view view(protozero::data_view data) { return {data.data(), data.size()}; }

class Parser {
 public:
  explicit Parser(InModel& model) : model_(model) {}

  void run() {
    const auto* begin = reinterpret_cast<const char*>(model_.file->data());
    try {
      read_model(protozero::pbf_reader(begin, model_.file->size()));
    } catch (const protozero::exception& error) {
      throw model_.error(offset_, std::string("broken protobuf (") + error.what() + ")");
    }
    if (!found_graph_) throw model_.error(0, "expected an ONNX model, found no graph");
    if (model_.opset == 0) throw model_.error(0, "the model does not say which version of the operators it uses");
    if (model_.opset < kOldestRead || model_.opset > kNewestRead)
      throw model_.error(0, "opset " + std::to_string(model_.opset) + ": expected " + std::to_string(kOldestRead) +
                                " to " + std::to_string(kNewestRead) + "; onnx.version_converter changes it");
  }

 private:
  std::size_t offset_of(std::string_view bytes) const {
    return static_cast<std::size_t>(bytes.data() - reinterpret_cast<const char*>(model_.file->data()));
  }

  // A sub-message; errors inside name its place.
  protozero::pbf_reader enter(protozero::pbf_reader& message) {
    const std::string_view bytes = view(message.get_view());
    offset_ = offset_of(bytes);
    return protozero::pbf_reader(bytes.data(), bytes.size());
  }

  void read_model(protozero::pbf_reader message) {
    while (message.next()) switch (message.tag_and_type()) {
        case key(ModelField::graph, pbf_wire_type::length_delimited):
          if (found_graph_) throw model_.error(offset_of(view(message.data())), "a second graph");
          found_graph_ = true;
          read_graph(enter(message));
          break;
        case key(ModelField::opset_import, pbf_wire_type::length_delimited): read_opset(enter(message)); break;
        case key(ModelField::functions, pbf_wire_type::length_delimited):
          throw model_.error(
              offset_of(view(message.data())),
              "the model defines functions, which we do not read; onnx.inliner replaces them by their nodes");
        default: message.skip();
      }
  }

  void read_opset(protozero::pbf_reader message) {
    std::string_view domain;
    std::int64_t version = 0;
    while (message.next()) switch (message.tag_and_type()) {
        case key(OpsetField::domain, pbf_wire_type::length_delimited): domain = view(message.get_view()); break;
        case key(OpsetField::version, pbf_wire_type::varint): version = message.get_int64(); break;
        default: message.skip();
      }
    if (domain.empty() || domain == "ai.onnx") model_.opset = version;
  }

  void read_graph(protozero::pbf_reader message) {
    while (message.next()) switch (message.tag_and_type()) {
        case key(GraphField::node, pbf_wire_type::length_delimited):
          model_.nodes.push_back(read_node(enter(message)));
          break;
        case key(GraphField::initializer, pbf_wire_type::length_delimited):
          model_.initializers.push_back(read_tensor(enter(message)));
          break;
        case key(GraphField::input, pbf_wire_type::length_delimited):
          model_.inputs.push_back(read_value(enter(message)));
          break;
        case key(GraphField::output, pbf_wire_type::length_delimited):
          model_.outputs.push_back(read_value(enter(message)));
          break;
        case key(GraphField::sparse_initializer, pbf_wire_type::length_delimited):
          throw model_.error(offset_of(view(message.data())), "sparse initializers are not read");
        default: message.skip();
      }
  }

  InNode read_node(protozero::pbf_reader message) {
    InNode node;
    node.offset = offset_;
    while (message.next()) switch (message.tag_and_type()) {
        case key(NodeField::input, pbf_wire_type::length_delimited):
          node.inputs.push_back(view(message.get_view()));
          break;
        case key(NodeField::output, pbf_wire_type::length_delimited):
          node.outputs.push_back(view(message.get_view()));
          break;
        case key(NodeField::name, pbf_wire_type::length_delimited): node.name = view(message.get_view()); break;
        case key(NodeField::op_type, pbf_wire_type::length_delimited): node.op = view(message.get_view()); break;
        case key(NodeField::domain, pbf_wire_type::length_delimited): node.domain = view(message.get_view()); break;
        case key(NodeField::attribute, pbf_wire_type::length_delimited):
          node.attributes.push_back(read_attribute(enter(message)));
          break;
        case key(NodeField::metadata_props, pbf_wire_type::length_delimited):
          node.metadata.push_back(read_entry(enter(message)));
          break;
        default: message.skip();
      }
    if (node.op.empty() || node.outputs.empty()) throw model_.error(node.offset, "a node without operator or output");
    if (node.domain == "ai.onnx") node.domain = "";
    return node;
  }

  InAttribute read_attribute(protozero::pbf_reader message) {
    InAttribute attribute;
    const std::size_t offset = offset_;
    while (message.next()) switch (message.tag_and_type()) {
        case key(AttributeField::name, pbf_wire_type::length_delimited):
          attribute.name = view(message.get_view());
          break;
        case key(AttributeField::ref_attr_name, pbf_wire_type::length_delimited):
          throw model_.error(offset, "an attribute that refers to a function's");
        case key(AttributeField::type, pbf_wire_type::varint): attribute.type = message.get_int32(); break;
        case key(AttributeField::f, pbf_wire_type::fixed32): attribute.f = message.get_float(); break;
        case key(AttributeField::i, pbf_wire_type::varint): attribute.i = message.get_int64(); break;
        case key(AttributeField::s, pbf_wire_type::length_delimited): attribute.s = view(message.get_view()); break;
        case key(AttributeField::t, pbf_wire_type::length_delimited): attribute.t = read_tensor(enter(message)); break;
        case key(AttributeField::g, pbf_wire_type::length_delimited):
          attribute.has_graph = true;
          message.skip();
          break;
        case key(AttributeField::floats, pbf_wire_type::fixed32):
          attribute.floats.push_back(message.get_float());
          break;
        case key(AttributeField::floats, pbf_wire_type::length_delimited):
          for (const float value : message.get_packed_float()) attribute.floats.push_back(value);
          break;
        case key(AttributeField::ints, pbf_wire_type::varint): attribute.ints.push_back(message.get_int64()); break;
        case key(AttributeField::ints, pbf_wire_type::length_delimited):
          for (const std::int64_t value : message.get_packed_int64()) attribute.ints.push_back(value);
          break;
        case key(AttributeField::strings, pbf_wire_type::length_delimited):
          attribute.strings.push_back(view(message.get_view()));
          break;
        default: message.skip();
      }
    if (attribute.name.empty()) throw model_.error(offset, "an attribute without a name");
    return attribute;
  }

  InTensor read_tensor(protozero::pbf_reader message) {
    InTensor tensor;
    tensor.offset = offset_;
    const auto values = [&](TensorField field) {
      tensor.typed_field = field;
      if (message.wire_type() == pbf_wire_type::length_delimited) {
        tensor.typed = view(message.get_view());
        return;
      }
      const char* begin = message.data().data();
      message.skip();
      tensor.loose.push_back({begin, static_cast<std::size_t>(message.data().data() - begin)});
    };
    while (message.next()) switch (message.tag_and_type()) {
        case key(TensorField::dims, pbf_wire_type::varint): add_dim(tensor, message.get_int64()); break;
        case key(TensorField::dims, pbf_wire_type::length_delimited):
          for (const std::int64_t dim : message.get_packed_int64()) add_dim(tensor, dim);
          break;
        case key(TensorField::data_type, pbf_wire_type::varint): tensor.data_type = message.get_int32(); break;
        case key(TensorField::name, pbf_wire_type::length_delimited): tensor.name = view(message.get_view()); break;
        case key(TensorField::raw_data, pbf_wire_type::length_delimited): tensor.raw = view(message.get_view()); break;
        case key(TensorField::float_data, pbf_wire_type::length_delimited):
        case key(TensorField::float_data, pbf_wire_type::fixed32): values(TensorField::float_data); break;
        case key(TensorField::int32_data, pbf_wire_type::length_delimited):
        case key(TensorField::int32_data, pbf_wire_type::varint): values(TensorField::int32_data); break;
        case key(TensorField::int64_data, pbf_wire_type::length_delimited):
        case key(TensorField::int64_data, pbf_wire_type::varint): values(TensorField::int64_data); break;
        case key(TensorField::double_data, pbf_wire_type::length_delimited):
        case key(TensorField::double_data, pbf_wire_type::fixed64): values(TensorField::double_data); break;
        case key(TensorField::uint64_data, pbf_wire_type::length_delimited):
        case key(TensorField::uint64_data, pbf_wire_type::varint): values(TensorField::uint64_data); break;
        case key(TensorField::external_data, pbf_wire_type::length_delimited):
          tensor.external.push_back(read_entry(enter(message)));
          break;
        case key(TensorField::data_location, pbf_wire_type::varint):
          tensor.is_external = message.get_int32() == kExternal;
          break;
        case key(TensorField::segment, pbf_wire_type::length_delimited):
          throw model_.error(tensor.offset, "tensors in segments are not read");
        default: message.skip();
      }
    return tensor;
  }

  void add_dim(InTensor& tensor, std::int64_t dim) {
    if (tensor.dims.size() >= kMaxRank) throw model_.error(tensor.offset, "a tensor of more than 64 dimensions");
    tensor.dims.push_back(dim);
  }

  std::pair<std::string_view, std::string_view> read_entry(protozero::pbf_reader message) {
    std::pair<std::string_view, std::string_view> entry;
    while (message.next()) switch (message.tag_and_type()) {
        case key(EntryField::key, pbf_wire_type::length_delimited): entry.first = view(message.get_view()); break;
        case key(EntryField::value, pbf_wire_type::length_delimited): entry.second = view(message.get_view()); break;
        default: message.skip();
      }
    return entry;
  }

  InValue read_value(protozero::pbf_reader message) {
    InValue value;
    value.offset = offset_;
    while (message.next()) switch (message.tag_and_type()) {
        case key(ValueInfoField::name, pbf_wire_type::length_delimited): value.name = view(message.get_view()); break;
        case key(ValueInfoField::type, pbf_wire_type::length_delimited): read_type(enter(message), value); break;
        default: message.skip();
      }
    return value;
  }

  void read_type(protozero::pbf_reader message, InValue& value) {
    while (message.next()) switch (message.tag_and_type()) {
        case key(TypeField::tensor_type, pbf_wire_type::length_delimited): {
          protozero::pbf_reader tensor = enter(message);
          while (tensor.next()) switch (tensor.tag_and_type()) {
              case key(TensorTypeField::elem_type, pbf_wire_type::varint): value.data_type = tensor.get_int32(); break;
              case key(TensorTypeField::shape, pbf_wire_type::length_delimited):
                read_shape(enter(tensor), value);
                break;
              default: tensor.skip();
            }
          break;
        }
        default: message.skip();
      }
  }

  void read_shape(protozero::pbf_reader message, InValue& value) {
    value.dims.emplace();
    while (message.next()) switch (message.tag_and_type()) {
        case key(ShapeField::dim, pbf_wire_type::length_delimited): {
          if (value.dims->size() >= kMaxRank) throw model_.error(value.offset, "a value of more than 64 dimensions");
          InDim& dim = value.dims->emplace_back();
          protozero::pbf_reader inside = enter(message);
          while (inside.next()) switch (inside.tag_and_type()) {
              case key(DimField::value, pbf_wire_type::varint): dim.value = inside.get_int64(); break;
              case key(DimField::param, pbf_wire_type::length_delimited): dim.param = view(inside.get_view()); break;
              default: inside.skip();
            }
          break;
        }
        default: message.skip();
      }
  }

  InModel& model_;
  std::size_t offset_ = 0;  // of the innermost message
  bool found_graph_ = false;
};

}  // namespace

const InAttribute* InNode::find(std::string_view attribute) const {
  for (const InAttribute& each : attributes)
    if (each.name == attribute) return &each;
  return nullptr;
}

std::string_view InNode::remark(std::string_view wanted) const {
  for (const auto& [entry, value] : metadata)
    if (entry == wanted) return value;
  return "";
}

// Names in messages come from the file: what is no UTF-8 is written out, so that every reader of the message can show it.
FormatError InModel::error(std::size_t offset, const std::string& what) const {
  const bool is_text = simdjson::validate_utf8(what);
  std::string shown;
  for (const char c : what) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && (byte < 0x7F || (byte >= 0x80 && is_text))) {
      shown += c;
      continue;
    }
    constexpr std::string_view digits = "0123456789abcdef";
    shown += "\\x";
    shown += digits[byte / 16];
    shown += digits[byte % 16];
  }
  return FormatError("[load] " + file->path().string() + ": at byte " + std::to_string(offset) + ": " + shown);
}

InModel parse_model(std::shared_ptr<MappedFile> file) {
  InModel model;
  model.file = std::move(file);
  Parser(model).run();
  return model;
}

}  // namespace qdq::onnx
