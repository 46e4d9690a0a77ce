#include <algorithm>
#include <bit>

#include "qdq/graph_text.h"

namespace qdq {
namespace {

bool same_bits(double a, double b) { return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b); }

// Compares step by step and keeps the first difference as a sentence.
class Comparison {
 public:
  std::string difference;

  bool graphs(const Graph& a, const Graph& b) {
    const Node* x = a.first();
    const Node* y = b.first();
    for (; x && y; x = x->next(), y = y->next())
      if (!nodes(*x, *y)) return false;
    if (x || y) return differ("one graph ends before '" + (x ? x : y)->name() + "'");
    if (a.is_single_tensor_return != b.is_single_tensor_return) return differ("is_single_tensor_return");
    const auto same_note = [](const Graph::Note& m, const Graph::Note& n) {
      return m.node == n.node && m.pass == n.pass && m.reason == n.reason;
    };
    if (!std::equal(a.notes().begin(), a.notes().end(), b.notes().begin(), b.notes().end(), same_note))
      return differ("notes");
    return true;
  }

  bool programs(const Program& a, const Program& b) {
    return graphs(a.graph(), b.graph()) && signatures(a, b) && attributes(a.attributes, b.attributes);
  }

 private:
  bool differ(std::string what) {
    difference = std::move(what);
    return false;
  }

  bool nodes(const Node& a, const Node& b) {
    if (to_text(a) != to_text(b) || a.name() != b.name())
      return differ("'" + to_text(a) + "' against '" + to_text(b) + "'");
    const std::string who = "'" + a.name() + "': ";
    if (a.kind() != b.kind())
      return differ(who + std::string(name(a.kind())) + " against " + std::string(name(b.kind())));
    if (a.target() != b.target()) return differ(who + "target " + a.target() + " against " + b.target());
    if (!lists(a.args(), b.args())) return differ(who + "arguments (" + difference + ")");
    if (!dicts(a.kwargs(), b.kwargs())) return differ(who + "keyword arguments (" + difference + ")");
    if (!(a.type == b.type)) return differ(who + "type " + to_text(a.type) + " against " + to_text(b.type));
    if (!(a.meta == b.meta)) return differ(who + "metadata");
    if (a.arg_names != b.arg_names) return differ(who + "argument names");
    if (a.is_hop_single_tensor_return != b.is_hop_single_tensor_return)
      return differ(who + "is_hop_single_tensor_return");
    return true;
  }

  bool lists(const Argument::List& a, const Argument::List& b) {
    if (a.size() != b.size())
      return differ(std::to_string(a.size()) + " against " + std::to_string(b.size()) + " arguments");
    for (std::size_t i = 0; i < a.size(); ++i)
      if (!arguments(a[i], b[i])) return false;
    return true;
  }

  bool dicts(const Argument::Dict& a, const Argument::Dict& b) {
    if (a.size() != b.size())
      return differ(std::to_string(a.size()) + " against " + std::to_string(b.size()) + " entries");
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (a[i].first != b[i].first) return differ("'" + a[i].first + "' against '" + b[i].first + "'");
      if (!arguments(a[i].second, b[i].second)) return false;
    }
    return true;
  }

  bool arguments(const Argument& a, const Argument& b) {
    if (a.variant().index() == b.variant().index() && same_value(a, b)) return true;
    if (difference.empty()) difference = to_text(a) + " against " + to_text(b);
    return false;
  }

  bool same_value(const Argument& a, const Argument& b) {
    if (a.node()) return a.node()->name() == b.node()->name();
    if (a.list()) return lists(*a.list(), *b.list());
    if (const auto* dict = a.get_if<Argument::Dict>()) return dicts(*dict, *b.get_if<Argument::Dict>());
    if (const auto* number = a.get_if<double>()) return same_bits(*number, *b.get_if<double>());
    if (const auto* c = a.get_if<std::complex<double>>()) {
      const auto* d = b.get_if<std::complex<double>>();
      return same_bits(c->real(), d->real()) && same_bits(c->imag(), d->imag());
    }
    if (const auto* sub = a.get_if<Argument::Subgraph>()) {
      const auto* other = b.get_if<Argument::Subgraph>();
      if (sub->name != other->name || !sub->graph != !other->graph) return false;
      return !sub->graph || graphs(*sub->graph, *other->graph);
    }
    return a == b;
  }

  bool signatures(const Program& a, const Program& b) {
    const auto same_input = [&](const InputSpec& s, const InputSpec& t) {
      return s.kind == t.kind && s.name == t.name && arguments(s.constant, t.constant);
    };
    const auto same_output = [](const OutputSpec& s, const OutputSpec& t) {
      return s.kind == t.kind && s.target == t.target;
    };
    const auto same_range = [](const auto& s, const auto& t) {
      return s.first == t.first && s.second.min == t.second.min && s.second.max == t.second.max;
    };
    if (!std::equal(a.inputs.begin(), a.inputs.end(), b.inputs.begin(), b.inputs.end(), same_input))
      return differ("input specs");
    if (!std::equal(a.outputs.begin(), a.outputs.end(), b.outputs.begin(), b.outputs.end(), same_output))
      return differ("output specs");
    if (!std::equal(a.range_constraints.begin(), a.range_constraints.end(), b.range_constraints.begin(),
                    b.range_constraints.end(), same_range))
      return differ("range constraints");
    return a.passthrough == b.passthrough || differ("passthrough");
  }

  bool attributes(const Attributes& a, const Attributes& b) {
    auto y = b.begin();
    for (auto x = a.begin(); x != a.end(); ++x, ++y) {
      if (y == b.end()) return differ("attribute '" + x->name + "' is only in one program");
      if (x->name != y->name) return differ("attribute '" + x->name + "' against '" + y->name + "'");
      const std::string who = "attribute '" + x->name + "': ";
      if (x->kind != y->kind || x->persistent != y->persistent || x->requires_grad != y->requires_grad ||
          x->lifted_name != y->lifted_name)
        return differ(who + "kind, persistence, requires_grad or lifted name");
      if (!tensors(x->value, y->value)) return differ(who + difference);
    }
    return y == b.end() || differ("attribute '" + y->name + "' is only in one program");
  }

  bool tensors(const Tensor& a, const Tensor& b) {
    if (a.defined() != b.defined() || a.is_meta() != b.is_meta()) return differ("only one has values");
    if (!a.defined()) return true;
    if (a.dtype() != b.dtype() || a.sizes() != b.sizes() || a.strides() != b.strides())
      return differ("dtype, sizes or strides");
    return a.is_meta() || bit_equal(a, b) || differ("values");
  }
};

}  // namespace

bool equal(const Graph& a, const Graph& b, std::string* difference) {
  Comparison comparison;
  const bool same = comparison.graphs(a, b);
  if (difference) *difference = comparison.difference;
  return same;
}

bool equal(const Program& a, const Program& b, std::string* difference) {
  Comparison comparison;
  const bool same = comparison.programs(a, b);
  if (difference) *difference = comparison.difference;
  return same;
}

}  // namespace qdq
