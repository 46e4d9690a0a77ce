#include "ops/schema.h"

#include <algorithm>
#include <charconv>
#include <functional>

#include "base/flat_map.h"
#include "ops/family.h"

namespace qdq {
namespace {

// Walks over a schema text. Grammar, as torch prints it:
//   ns::name[.overload](arg, ..., [*, arg ...]) -> type | (type [name], ...)
//   arg: type[(alias)] name [= default]
class SchemaReader {
 public:
  explicit SchemaReader(std::string_view text) : text_(text) {}

  OpSchema read() {
    OpSchema schema;
    const std::size_t separator = text_.find("::");
    if (separator == std::string_view::npos) fail("no namespace");
    const std::string space(text_.substr(0, separator));
    at_ = separator + 2;
    schema.text = text_.substr(at_);
    std::string name(until("("));
    const bool has_overloads = space != "operator" && space != "_operator" && space != "math" && space != "torch";
    if (has_overloads && name.find('.') == std::string::npos) name += ".default";
    schema.target = space + "." + name;
    read_args(schema);
    expect("->");
    read_returns(schema);
    return schema;
  }

 private:
  void read_args(OpSchema& schema) {
    expect("(");
    bool keyword_only = false;
    while (!accept(")")) {
      if (accept("*")) {
        keyword_only = true;
      } else {
        ArgSchema arg = read_type();
        arg.keyword_only = keyword_only;
        arg.name = until("=,)");
        if (accept("=")) {
          arg.default_value = read_default(arg.type);
          arg.has_default = true;
        }
        schema.args.push_back(std::move(arg));
      }
      accept(",");
    }
  }

  void read_returns(OpSchema& schema) {
    if (!accept("(")) {
      schema.returns.push_back(read_type().type);
      return;
    }
    while (!accept(")")) {
      schema.returns.push_back(read_type().type);
      until(",)");  // a result's name is documentation
      accept(",");
    }
  }

  // "Tensor(a!)[]?" -> type "Tensor[]?", flags from the alias set.
  ArgSchema read_type() {
    skip_spaces();
    ArgSchema arg;
    while (at_ < text_.size() && text_[at_] != ' ' && text_[at_] != ',' && text_[at_] != ')') {
      if (text_[at_] == '(') {
        const std::string_view alias = until(")");
        arg.is_aliased = true;
        arg.is_written = alias.find('!') != std::string_view::npos;
        expect(")");
      } else {
        arg.type += text_[at_++];
      }
    }
    if (arg.type.empty()) fail("a type expected");
    skip_spaces();
    return arg;
  }

  Argument read_default(std::string_view type) {
    if (accept("[")) {
      Argument::List items;
      while (!accept("]")) {
        items.push_back(read_default(type));
        accept(",");
      }
      return items;
    }
    if (accept("\"")) {
      Argument text{std::string(until("\""))};
      expect("\"");
      return text;
    }
    const std::string_view word = until(",)]");
    if (word == "None") return Argument::None{};
    if (word == "True") return true;
    if (word == "False") return false;
    if (type.starts_with("ScalarType")) return word == "4" ? DType::int64 : DType::float32;  // torch's codes 4 and 6
    if (type.starts_with("MemoryFormat")) return Argument(Argument::Variant(MemoryFormat::contiguous));  // code 0
    const char* end = word.data() + word.size();
    std::int64_t integer = 0;
    if (const auto read = std::from_chars(word.data(), end, integer); read.ec == std::errc() && read.ptr == end)
      return integer;
    double number = 0;
    if (const auto read = std::from_chars(word.data(), end, number); read.ec == std::errc() && read.ptr == end)
      return number;
    fail("default '" + std::string(word) + "' not understood");
  }

  void skip_spaces() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool accept(std::string_view token) {
    skip_spaces();
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  void expect(std::string_view token) {
    if (!accept(token)) fail("'" + std::string(token) + "' expected");
  }
  std::string_view until(std::string_view stops) {
    const std::size_t end = std::min(text_.find_first_of(stops, at_), text_.size());
    const std::string_view found = text_.substr(at_, end - at_);
    at_ = end;
    return found;
  }
  [[noreturn]] void fail(const std::string& why) const {
    throw InternalError("schema '" + std::string(text_) + "', character " + std::to_string(at_) + ": " + why);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

struct Table {
  std::vector<const OpSchema*> in_order;
  FlatMap<std::string_view, const OpSchema*> by_target;
  std::vector<std::unique_ptr<OpSchema>> storage;

  Table() {
    for (const OpFamily& family : all_families())
      for (const OpRow& row : family) {
        auto schema = std::make_unique<OpSchema>(parse_schema(row.text));
        schema->infer = row.infer;
        schema->traits = row.traits;
        if (!by_target.emplace(schema->target, schema.get()).second)
          throw InternalError("operator '" + schema->target + "' has two rows");
        in_order.push_back(schema.get());
        storage.push_back(std::move(schema));
      }
  }
};

const Table& table() {
  static const Table the_table;
  return the_table;
}

Value value_from(const Argument& argument, const Node& node, const std::function<Value(const Node&)>& value_of) {
  return argument.visit([&](const auto& item) -> Value {
    using T = std::decay_t<decltype(item)>;
    if constexpr (std::is_same_v<T, Node*>) {
      return value_of(*item);
    } else if constexpr (std::is_same_v<T, Argument::List>) {
      Value::List list;
      for (const Argument& element : item) list.push_back(value_from(element, node, value_of));
      return list;
    } else if constexpr (std::is_same_v<T, Argument::None> || std::is_same_v<T, Layout> ||
                         std::is_same_v<T, MemoryFormat> || std::is_same_v<T, Device>) {
      return {};  // all tensors are strided and on the CPU; results may have any memory order
    } else if constexpr (std::is_constructible_v<Value, T> && !std::is_same_v<T, std::complex<double>> &&
                         !std::is_same_v<T, Argument::Dict> && !std::is_same_v<T, Argument::Subgraph> &&
                         !std::is_same_v<T, Argument::Operator> && !std::is_same_v<T, Argument::Opaque>) {
      return item;
    } else {
      throw InvalidArgumentError("[run] " + node.describe() + ": an argument is of a kind that we cannot compute with");
    }
  });
}

}  // namespace

OpSchema parse_schema(std::string_view text) { return SchemaReader(text).read(); }

bool OpSchema::mutates() const {
  return std::any_of(args.begin(), args.end(), [](const ArgSchema& arg) { return arg.is_written; });
}

const ArgSchema* OpSchema::find_arg(std::string_view name) const {
  const auto found = std::find_if(args.begin(), args.end(), [&](const ArgSchema& arg) { return arg.name == name; });
  return found == args.end() ? nullptr : &*found;
}

const OpSchema* find_schema(std::string_view target) {
  const auto& rows = table().by_target;
  if (const auto found = rows.find(target); found != rows.end()) return found->second;
  // An op packet, as graphs made in Python may call it: "torchao.quantize_affine".
  if (std::count(target.begin(), target.end(), '.') != 1) return nullptr;
  const auto found = rows.find(std::string(target) + ".default");
  return found == rows.end() ? nullptr : found->second;
}

std::string functional_target(const OpSchema& schema) {
  std::string target = schema.target;
  const std::size_t underscore = target.find("_.");
  if (schema.mutates() && underscore != std::string::npos) target.erase(underscore, 1);
  return target;
}

std::vector<const OpSchema*> all_schemas() { return table().in_order; }

Call bind(const Node& node, const OpSchema& schema, const std::function<Value(const Node&)>& value_of) {
  const auto refuse = [&](const std::string& why) {
    throw InvalidArgumentError("[bind] " + node.describe() + ": " + why);
  };
  std::vector<const Argument*> given(schema.args.size(), nullptr);
  if (node.args().size() > schema.args.size())
    refuse(std::to_string(node.args().size()) + " arguments, the operator takes " + std::to_string(schema.args.size()));
  for (std::size_t i = 0; i < node.args().size(); ++i) given[i] = &node.args()[i];
  for (const auto& [name, argument] : node.kwargs()) {
    const ArgSchema* arg = schema.find_arg(name);
    if (!arg) refuse("the operator has no argument '" + name + "'");
    auto& slot = given[static_cast<std::size_t>(arg - schema.args.data())];
    if (slot) refuse("argument '" + name + "' is given twice");
    slot = &argument;
  }
  std::vector<Value> values;
  for (std::size_t i = 0; i < schema.args.size(); ++i) {
    const ArgSchema& arg = schema.args[i];
    if (!given[i] && !arg.has_default) refuse("argument '" + arg.name + "' is missing");
    values.push_back(value_from(given[i] ? *given[i] : arg.default_value, node, value_of));
  }
  return Call(node, schema, std::move(values));
}

}  // namespace qdq
