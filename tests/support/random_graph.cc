#include "support/random_graph.h"

#include <bit>
#include <limits>

namespace qdq::test {
namespace {

class Generator {
 public:
  explicit Generator(std::mt19937& random) : random_(random) {}

  std::unique_ptr<Graph> graph(int size, int depth) {
    auto result = std::make_unique<Graph>();
    std::vector<Node*> nodes;
    for (int i = 0; i < size; ++i) nodes.push_back(&node(*result, nodes, depth));
    Argument::List results;
    for (int i = below(3); i > 0; --i) results.emplace_back(*nodes[index(nodes.size())]);
    result->output(std::move(results));
    result->is_single_tensor_return = chance(4);
    if (chance(3)) result->note(*nodes[0], "some_pass", NoMatch("has a \"reason\"\n"));
    return result;
  }

  Program program(int size) {
    Program result;
    for (int i = below(5); i > 0; --i) result.attributes.add(attribute(i));
    result.set_graph(graph(size, 0));
    for (Node& node : result.graph().nodes()) {
      if (node.kind() == NodeKind::placeholder) result.inputs.push_back({InputSpec::Kind::user_input, node.name(), {}});
      if (node.kind() == NodeKind::get_attr && !result.attributes.contains(node.target())) {
        node.type = {};
        result.attributes.add({node.target(), AttributeKind::constant, Tensor::scalar(2.5f), true, false, ""});
      }
    }
    if (chance(2)) result.inputs.push_back({InputSpec::Kind::constant_input, "k", literal(2)});
    result.outputs.resize(result.graph().output_node()->arg(0).list()->size());
    if (!result.outputs.empty() && result.attributes.contains("a.1"))
      result.outputs[0] = {OutputSpec::Kind::buffer_mutation, "a.1"};
    if (chance(2)) result.range_constraints["s0"] = {2, std::nullopt};
    if (chance(2)) result.range_constraints["odd key"] = {std::nullopt, 7};
    if (chance(2)) result.passthrough["guards"] = "{\"a\": [1, \"x\\n\"]}";
    return result;
  }

 private:
  int below(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  std::size_t index(std::size_t n) { return random_() % n; }
  bool chance(int one_in) { return below(one_in) == 0; }

  std::string word() {
    static const char* const words[] = {"aten.add.Tensor", "conv", "",    "0.weight",  "get_attr", "a b",
                                        "é\"\\",           "nan",  "x=1", "\x01\x7f\n"};
    return words[below(10)];
  }

  double real() {
    static const double values[] = {0.0,
                                    -0.0,
                                    1.0,
                                    1e-300,
                                    0.1,
                                    -2.5e20,
                                    std::numeric_limits<double>::infinity(),
                                    -std::numeric_limits<double>::infinity(),
                                    std::numeric_limits<double>::quiet_NaN(),
                                    std::bit_cast<double>(0xfff8000000000001u),
                                    std::numeric_limits<double>::denorm_min()};
    return chance(3) ? std::bit_cast<double>((std::uint64_t{random_()} << 32) | random_()) : values[below(11)];
  }

  std::int64_t integer() {
    static const std::int64_t values[] = {0, 1, -1, std::numeric_limits<std::int64_t>::max(),
                                          std::numeric_limits<std::int64_t>::min()};
    return chance(2) ? below(100) : values[below(5)];
  }

  DType dtype() { return static_cast<DType>(below(23)); }

  Device device() { return chance(2) ? Device{"cuda", below(2)} : Device{"meta", std::nullopt}; }

  Argument literal(int depth) {
    using V = Argument::Variant;
    switch (below(depth > 2 ? 12 : 15)) {
      case 0: return Argument();
      case 1: return Argument(integer());
      case 2: return Argument(real());
      case 3: return Argument(chance(2));
      case 4: return Argument(word());
      case 5: return Argument(dtype());
      case 6: return Argument(V(static_cast<Layout>(below(7))));
      case 7: return Argument(V(static_cast<MemoryFormat>(below(4))));
      case 8: return Argument(V(device()));
      case 9: return Argument(V(std::complex<double>(real(), real())));
      case 10: return Argument(V(Argument::Operator{word()}));
      case 11: return Argument(V(Argument::Opaque{word(), "{\"x\": 1}"}));
      case 12: {
        Argument::List list;
        for (int i = below(4); i > 0; --i) list.push_back(literal(depth + 1));
        return Argument(std::move(list));
      }
      case 13: {
        Argument::Dict dict;
        for (int i = below(3); i > 0; --i) dict.emplace_back(word() + std::to_string(i), literal(depth + 1));
        return Argument(V(std::move(dict)));
      }
      default: return Argument(V(Argument::Subgraph{word(), graph(3, depth + 2)}));
    }
  }

  Argument argument(const std::vector<Node*>& nodes, int depth) {
    if (!nodes.empty() && chance(2)) return Argument(*nodes[index(nodes.size())]);
    if (!nodes.empty() && chance(4))
      return Argument(Argument::List{*nodes[index(nodes.size())], literal(depth), *nodes[0]});
    return literal(depth);
  }

  SymInt size() {
    static const char* const expressions[] = {
        "Symbol('s77', positive=True, integer=True)",
        "Symbol('u0', integer=True)",
        "Symbol('u0', positive=True, integer=True)",
        "Mul(Integer(2), Symbol('s0', positive=True, integer=True))",
        "Add(Mul(Integer(-1), Symbol('s0', positive=True, integer=True)), Integer(3))",
        "Mul(Add(Symbol('s0', positive=True, integer=True), Integer(1)), Pow(Symbol('s1', positive=True, "
        "integer=True), Integer(2)))",
        "Max(Integer(1), FloorDiv(Symbol('u0', integer=True), Integer(8)))",
        "s0 + `odd`",
        "Integer(4)",
        "Add(Symbol('s0', positive=True, integer=True))"};
    if (chance(2)) return below(9);
    return SymInt::symbolic(expressions[below(10)], chance(2) ? std::optional<std::int64_t>(below(50)) : std::nullopt);
  }

  TensorMeta tensor_type() {
    TensorMeta meta;
    meta.dtype = dtype();
    for (int i = below(4); i > 0; --i) meta.sizes.push_back(size());
    for (int i = below(4); i > 0; --i) meta.strides.push_back(size());
    if (chance(3)) meta.storage_offset = size();
    meta.requires_grad = chance(4);
    if (chance(4)) meta.device = device();
    if (chance(5)) meta.layout = static_cast<Layout>(below(7));
    return meta;
  }

  ValueType type(int depth) {
    ValueType result;
    switch (below(depth > 2 ? 6 : 7)) {
      case 0: break;
      case 1: result.v = ValueType::SymIntValue{size()}; break;
      case 2: result.v = ValueType::SymBoolValue{word(), chance(2) ? std::optional(chance(2)) : std::nullopt}; break;
      case 3: result.v = ValueType::SymFloatValue{word(), chance(2) ? std::optional(0.5) : std::nullopt}; break;
      case 4: result.v = ValueType::CustomObject{word()}; break;
      case 5: result.v = tensor_type(); break;
      default: {
        ValueType::List list;
        for (int i = below(3); i > 0; --i) list.push_back(type(depth + 1));
        result.v = std::move(list);
      }
    }
    return result;
  }

  Node& node(Graph& graph, const std::vector<Node*>& nodes, int depth) {
    Argument::List args;
    Argument::Dict kwargs;
    const int kind = below(8);
    if (kind > 1) {
      for (int i = below(4); i > 0; --i) args.push_back(argument(nodes, depth));
      if (chance(4)) kwargs.emplace_back(word(), argument(nodes, depth));
    }
    Node& made = kind == 0   ? graph.placeholder("x")
                 : kind == 1 ? graph.get_attr("a." + std::to_string(below(5)))
                 : kind == 2 ? graph.call_module("observer " + word(), std::move(args))
                             : graph.call_function(chance(3) ? word() + "w" : "aten.op.default", std::move(args),
                                                   std::move(kwargs));
    if (kind != 1) made.type = type(0);
    if (chance(4)) made.meta.set("stack_trace", "File \"m.py\", line 3\n" + word());
    if (chance(9)) made.meta.set(word(), word());
    if (chance(9)) made.arg_names = {"input", word()};
    if (chance(9)) made.is_hop_single_tensor_return = chance(2);
    return made;
  }

  Attribute attribute(int i) {
    Tensor value;
    switch (below(6)) {
      case 0: value = Tensor::from<float>({1.0f, -0.0f, std::numeric_limits<float>::quiet_NaN(), 0.1f}, {2, 2}); break;
      case 1: value = Tensor::from<std::uint64_t>({std::numeric_limits<std::uint64_t>::max(), 1}, {2}); break;
      case 2: value = Tensor::full(DType::bfloat16, {5, 7}, 0.3); break;
      case 3: value = Tensor::empty(DType::complex64, {3}); break;
      case 4: {
        value = Tensor::empty(DType::float32, {6, 5});
        for (int k = 0; k < 30; ++k) value.data<float>()[k] = static_cast<float>(real());
        const std::int64_t order[] = {1, 0};
        value = value.permute(order);
        break;
      }
      default: break;
    }
    return {"a." + std::to_string(i),      static_cast<AttributeKind>(below(4)), value, chance(2), chance(2),
            chance(3) ? "p_" + word() : ""};
  }

  std::mt19937& random_;
};

}  // namespace

Program random_program(std::mt19937& random, int size) { return Generator(random).program(size); }

}  // namespace qdq::test
