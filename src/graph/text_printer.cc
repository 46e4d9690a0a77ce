#include <algorithm>

#include "graph/symbol_text.h"
#include "graph/tensor_text.h"
#include "graph/text_names.h"
#include "qdq/graph_text.h"

namespace qdq {
namespace {

using text::at_name;
using text::bare_or_quoted;
using text::quoted;

template <typename... Fns>
struct Overloaded : Fns... {
  using Fns::operator()...;
};
template <typename... Fns>
Overloaded(Fns...) -> Overloaded<Fns...>;  // Clang deduces it from 17 on

template <typename Items, typename Fn>
std::string joined(const Items& items, Fn&& fn) {
  std::string result;
  for (const auto& item : items) result += (result.empty() ? "" : ", ") + fn(item);
  return result;
}

// Words that the parser reads as numbers.
std::string key_text(const std::string& key) {
  return key == "inf" || key == "nan" ? quoted(key) : bare_or_quoted(key);
}

class Printer {
 public:
  explicit Printer(const TextOptions& options) : options_(options) {}

  std::string take() { return std::move(out_); }

  void program(const Program& program) {
    if (options_.attributes)
      for (const Attribute& attribute : program.attributes) attribute_line(attribute);
    for (const auto& [symbol, range] : program.range_constraints)
      line("range " + bare_or_quoted(symbol) + ": " + bound(range.min) + ".." + bound(range.max));
    if (!has_default_inputs(program)) input_lines(program);
    if (!has_default_outputs(program)) output_lines(program);
    if (options_.passthrough)
      for (const auto& [key, json] : program.passthrough) line("passthrough " + quoted(key) + " " + quoted(json));
    indent();
    graph(program.graph());
    out_ += '\n';
  }

  // "graph(...) { ... }" at the current position, without a newline at the end.
  void graph(const Graph& graph) {
    out_ += "graph(";
    Node* first = graph.first();
    for (; first && is_parameter(*first); first = first->next()) {
      out_ += (first == graph.first() ? "" : ", ") + first->name() + type_suffix(*first);
    }
    out_ += graph.is_single_tensor_return ? ") single_tensor_return {\n" : ") {\n";
    ++depth_;
    for (Node* node = first; node; node = node->next()) {
      indent();
      node_line(*node);
      out_ += '\n';
      if (options_.metadata) metadata_lines(*node);
    }
    if (options_.metadata)
      for (const Graph::Note& note : graph.notes())
        line("note " + quoted(note.node) + " " + quoted(note.pass) + " " + quoted(note.reason));
    --depth_;
    indent();
    out_ += "}";
  }

  void node_line(const Node& node) {
    if (is_plain_return(node)) {
      out_ += "return (";
      items(*node.arg(0).list());
      out_ += ")";
      return;
    }
    out_ += "%" + node.name() + type_suffix(node) + " = ";
    bool needs_parentheses = false;
    switch (node.kind()) {
      case NodeKind::placeholder: out_ += "placeholder " + quoted(node.target()); break;
      case NodeKind::get_attr: out_ += "get_attr " + at_name(node.target()); break;
      case NodeKind::output: out_ += "output " + quoted(node.target()); break;
      case NodeKind::call_module:
        out_ += "call_module " + at_name(node.target());
        needs_parentheses = true;
        break;
      case NodeKind::call_function:
        out_ += is_keyword(node.target()) ? quoted(node.target()) : bare_or_quoted(node.target());
        needs_parentheses = true;
        break;
    }
    if (!needs_parentheses && node.args().empty() && node.kwargs().empty()) return;
    out_ += "(";
    items(node.args());
    bool separate = !node.args().empty();
    for (const auto& [key, value] : node.kwargs()) {
      out_ += (separate ? ", " : "") + key_text(key) + "=";
      argument(value);
      separate = true;
    }
    out_ += ")";
  }

  void argument(const Argument& value) {
    value.visit(Overloaded{
        [&](Argument::None) { out_ += "none"; },
        [&](Node* node) { out_ += "%" + node->name(); },
        [&](std::int64_t i) { out_ += std::to_string(i); },
        [&](double d) { out_ += text::number(d); },
        [&](bool b) { out_ += b ? "true" : "false"; },
        [&](const std::string& s) { out_ += quoted(s); },
        [&](DType dtype) { out_ += short_name(dtype); },
        [&](Layout layout) { (out_ += "layout.") += text::name_of(layout); },
        [&](MemoryFormat format) { (out_ += "memory_format.") += text::name_of(format); },
        [&](const Device& device) { out_ += device_text(device); },
        [&](std::complex<double> c) {
          out_ += "complex(" + text::number(c.real()) + ", " + text::number(c.imag()) + ")";
        },
        [&](const Argument::List& list) {
          out_ += "[";
          items(list);
          out_ += "]";
        },
        [&](const Argument::Dict& dict) { dictionary(dict); },
        [&](const Argument::Subgraph& sub) {
          out_ += "subgraph " + quoted(sub.name) + " ";
          sub.graph ? graph(*sub.graph) : void(out_ += "none");
        },
        [&](const Argument::Operator& op) { out_ += "op " + bare_or_quoted(op.target); },
        [&](const Argument::Opaque& opaque) {
          const bool wildcard = opaque.json.empty() && (opaque.kind == "_" || opaque.kind == "...");
          out_ += wildcard ? opaque.kind : "opaque(" + quoted(opaque.kind) + ", " + quoted(opaque.json) + ")";
        },
    });
  }

  static std::string type(const ValueType& value) {
    return visit_values(
        Overloaded{
            [](std::monostate) { return std::string("unknown"); },
            [](const TensorMeta& meta) { return tensor_type(meta); },
            [](const ValueType::SymIntValue& i) { return "symint(" + text::to_text(i.value) + ")"; },
            [](const ValueType::SymBoolValue& b) {
              return "symbool(" + quoted(b.expr, '`') + (b.hint ? (*b.hint ? ":true" : ":false") : "") + ")";
            },
            [](const ValueType::SymFloatValue& f) {
              return "symfloat(" + quoted(f.expr, '`') + (f.hint ? ":" + text::number(*f.hint) : "") + ")";
            },
            [](const ValueType::CustomObject& object) { return "object(" + quoted(object.class_fqn) + ")"; },
            [](const ValueType::List& list) {
              return "(" + joined(list, [](const ValueType& t) { return type(t); }) + ")";
            },
        },
        value.v);
  }

 private:
  static std::string tensor_type(const TensorMeta& meta) {
    const auto sizes = [](const std::vector<SymInt>& s) {
      return "[" + joined(s, [](const SymInt& size) { return text::to_text(size); }) + "]";
    };
    std::string result = std::string(short_name(meta.dtype)) + sizes(meta.sizes);
    if (meta.strides != text::default_strides(meta.sizes)) result += " strides " + sizes(meta.strides);
    if (meta.storage_offset != SymInt(0)) result += " offset " + text::to_text(meta.storage_offset);
    if (meta.requires_grad) result += " requires_grad";
    if (meta.device != Device()) result += " " + device_text(meta.device);
    if (meta.layout != Layout::strided) (result += " layout.") += text::name_of(meta.layout);
    return result;
  }

  static std::string device_text(const Device& device) {
    return "device(" + quoted(device.type) + (device.index ? ", " + std::to_string(*device.index) : "") + ")";
  }

  static std::string type_suffix(const Node& node) { return node.type.known() ? ": " + type(node.type) : ""; }
  static std::string bound(std::optional<std::int64_t> value) { return value ? std::to_string(*value) : "_"; }

  static bool is_keyword(std::string_view target) {
    return target == "get_attr" || target == "call_module" || target == "placeholder" || target == "output";
  }

  static bool is_plain_return(const Node& node) {
    return node.is_output() && node.name() == "output" && node.target() == "output" && !node.type.known() &&
           node.args().size() == 1 && node.arg(0).list() && node.kwargs().empty();
  }

  // Inputs print in the head of the graph, unless something of them has no place there.
  bool is_parameter(const Node& node) const {
    const bool has_details = !node.meta.empty() || !node.arg_names.empty() || node.is_hop_single_tensor_return;
    return node.kind() == NodeKind::placeholder && node.target() == node.name() && node.args().empty() &&
           node.kwargs().empty() && !(options_.metadata && has_details);
  }

  static bool has_default_inputs(const Program& program) {
    const auto placeholders = program.graph().placeholders();
    return std::equal(placeholders.begin(), placeholders.end(), program.inputs.begin(), program.inputs.end(),
                      [](const Node* node, const InputSpec& spec) {
                        return spec.kind == InputSpec::Kind::user_input && spec.name == node->name() &&
                               spec.constant.is_none();
                      });
  }

  static bool has_default_outputs(const Program& program) {
    const Node* output = program.graph().output_node();
    const auto* results = output && !output->args().empty() ? output->arg(0).list() : nullptr;
    return program.outputs.size() == (results ? results->size() : 0) &&
           std::all_of(program.outputs.begin(), program.outputs.end(), [](const OutputSpec& spec) {
             return spec.kind == OutputSpec::Kind::user_output && spec.target.empty();
           });
  }

  void attribute_line(const Attribute& attribute) {
    std::string head = "attribute " + at_name(attribute.name) + ": " + std::string(text::name_of(attribute.kind));
    if (attribute.value.defined()) {
      TensorMeta meta = meta_of(attribute.value);
      meta.storage_offset = 0;  // where it lies in a file is no property of the program
      head += " " + tensor_type(meta);
    }
    if (attribute.requires_grad) head += " requires_grad";
    if (!attribute.persistent) head += " non_persistent";
    if (!attribute.lifted_name.empty()) head += " lifted " + quoted(attribute.lifted_name);
    const std::string values = text::values_to_text(attribute.value, options_.data);
    line(values.empty() ? head : head + " = " + values);
  }

  void input_lines(const Program& program) {
    if (program.inputs.empty()) line("inputs none");
    for (const InputSpec& spec : program.inputs) {
      indent();
      ((out_ += "input ") += text::name_of(spec.kind)) += " " + quoted(spec.name);
      if (!spec.constant.is_none()) {
        out_ += " = ";
        argument(spec.constant);
      }
      out_ += '\n';
    }
  }

  void output_lines(const Program& program) {
    if (program.outputs.empty()) line("outputs none");
    for (const OutputSpec& spec : program.outputs)
      line("output " + std::string(text::name_of(spec.kind)) + (spec.target.empty() ? "" : " " + quoted(spec.target)));
  }

  void metadata_lines(const Node& node) {
    ++depth_;
    for (const auto& [key, value] : node.meta) line(at_name(key) + " " + quoted(value));
    if (!node.arg_names.empty())
      line("arg_names [" + joined(node.arg_names, [](const std::string& n) { return quoted(n); }) + "]");
    if (node.is_hop_single_tensor_return)
      line(std::string("hop_single_tensor_return ") + (*node.is_hop_single_tensor_return ? "true" : "false"));
    --depth_;
  }

  void items(const Argument::List& list) {
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (i) out_ += ", ";
      argument(list[i]);
    }
  }

  void dictionary(const Argument::Dict& dict) {
    out_ += "{";
    for (std::size_t i = 0; i < dict.size(); ++i) {
      out_ += (i ? ", " : "") + quoted(dict[i].first) + ": ";
      argument(dict[i].second);
    }
    out_ += "}";
  }

  void indent() { out_.append(depth_ * 2, ' '); }
  void line(const std::string& content) {
    indent();
    out_ += content + '\n';
  }

  const TextOptions& options_;
  std::string out_;
  std::size_t depth_ = 0;
};

}  // namespace

std::string to_text(const Graph& graph, const TextOptions& options) {
  Printer printer(options);
  printer.graph(graph);
  return printer.take() + "\n";
}

std::string to_text(const Program& program, const TextOptions& options) {
  Printer printer(options);
  printer.program(program);
  return printer.take();
}

std::string to_text(const Node& node) {
  const TextOptions options;
  Printer printer(options);
  printer.node_line(node);
  return printer.take();
}

std::string to_text(const ValueType& type) { return type.known() ? Printer::type(type) : ""; }

std::string to_text(const Argument& argument) {
  const TextOptions options;
  Printer printer(options);
  printer.argument(argument);
  return printer.take();
}

}  // namespace qdq
