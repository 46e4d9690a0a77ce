#pragma once
#include <complex>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "qdq/error.h"
#include "qdq/value_type.h"

namespace qdq {

class Graph;
class NameTable;
class Node;
class TargetTable;
struct QuantizationAnnotation;  // qdq/quantizer.h; the graph carries it and never looks inside

// One argument of a node: a node, a literal, or a list of arguments. Mirrors torch.fx arguments.
class Argument {
 public:
  struct None {
    friend bool operator==(None, None) = default;
  };
  using List = std::vector<Argument>;
  using Dict = std::vector<std::pair<std::string, Argument>>;
  // The body of a higher-order op (cond, scan, while_loop ...). `name` is the attribute that torch.export gave it.
  struct Subgraph {
    std::string name;
    std::shared_ptr<Graph> graph;
    friend bool operator==(const Subgraph&, const Subgraph&) = default;
  };
  // An operator passed as a value.
  struct Operator {
    std::string target;
    friend bool operator==(const Operator&, const Operator&) = default;
  };
  // Something that we only carry: `kind` is the schema's union tag, `json` its payload.
  struct Opaque {
    std::string kind;
    std::string json;
    friend bool operator==(const Opaque&, const Opaque&) = default;
  };
  using Variant = std::variant<None, Node*, std::int64_t, double, bool, std::string, DType, Layout, MemoryFormat,
                               SharedValue<Device>, std::complex<double>, List, Dict, SharedValue<Subgraph>, Operator,
                               SharedValue<Opaque>>;

  Argument() = default;
  Argument(None) {}
  Argument(Node* node) : v_(node) {}
  Argument(Node& node) : v_(&node) {}
  Argument(int value) : v_(std::int64_t{value}) {}
  Argument(std::int64_t value) : v_(value) {}
  Argument(double value) : v_(value) {}
  Argument(bool value) : v_(value) {}
  Argument(std::string value) : v_(std::move(value)) {}
  Argument(const char* value) : v_(std::string(value)) {}
  Argument(List value) : v_(std::move(value)) {}
  Argument(DType value) : v_(value) {}
  explicit Argument(Variant value) : v_(std::move(value)) {}

  bool is_none() const { return std::holds_alternative<None>(v_); }
  Node* node() const { return std::holds_alternative<Node*>(v_) ? std::get<Node*>(v_) : nullptr; }
  template <typename T>
  const T* get_if() const {
    if constexpr (std::is_same_v<T, Device> || std::is_same_v<T, Subgraph> || std::is_same_v<T, Opaque>) {
      const auto* shared = std::get_if<SharedValue<T>>(&v_);
      return shared ? shared->get() : nullptr;
    } else {
      return std::get_if<T>(&v_);
    }
  }
  template <typename T>
  T* get_if() {
    return std::get_if<T>(&v_);
  }
  template <typename Visitor>
  decltype(auto) visit(Visitor&& visitor) const {
    return visit_values(visitor, v_);
  }
  const List* list() const { return std::get_if<List>(&v_); }
  // Numbers: int, bool and double literals convert; throws InvalidArgumentError otherwise.
  std::int64_t to_int() const;
  double to_double() const;
  bool to_bool() const;
  // A list of int literals, or one int literal as a list of one.
  std::vector<std::int64_t> to_ints() const;

  const Variant& variant() const { return v_; }
  Variant& variant() { return v_; }
  friend bool operator==(const Argument&, const Argument&) = default;

 private:
  Variant v_;
};

// Calls fn(node) for every node inside `argument`, in order, duplicates included. Does not enter subgraphs.
template <typename Fn>
void for_each_node(const Argument& argument, Fn&& fn) {
  if (Node* node = argument.node()) {
    fn(*node);
  } else if (const auto* list = argument.list()) {
    for (const Argument& item : *list) for_each_node(item, fn);
  } else if (const auto* dict = argument.get_if<Argument::Dict>()) {
    for (const auto& [key, item] : *dict) for_each_node(item, fn);
  }
}

// String metadata in insertion order: "stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node", ...
// Copies share their entries until one of them is written to, and the texts even then: the nodes that a pass puts around
// another carry its traces.
class Metadata {
  struct Entry {
    SharedValue<std::string> key;
    SharedValue<std::string> value;
    friend bool operator==(const Entry&, const Entry&) = default;
  };

 public:
  class Iterator {
   public:
    explicit Iterator(const Entry* at) : at_(at) {}
    std::pair<const std::string&, const std::string&> operator*() const { return {*at_->key, *at_->value}; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    bool operator==(const Iterator&) const = default;

   private:
    const Entry* at_;
  };

  const std::string* find(std::string_view key) const;
  std::string_view get(std::string_view key) const;  // "" when absent
  void set(std::string_view key, std::string value);
  void copy_entry(std::string_view key, const Metadata& from);  // absent there: absent here
  void erase(std::string_view key);
  Iterator begin() const { return Iterator(entries_ ? entries_->data() : nullptr); }
  Iterator end() const { return Iterator(entries_ ? entries_->data() + entries_->size() : nullptr); }
  bool empty() const { return begin() == end(); }
  friend bool operator==(const Metadata& a, const Metadata& b);

 private:
  const Entry* find_entry(std::string_view key) const;
  void set(std::string_view key, SharedValue<std::string> value);
  std::vector<Entry>& own_entries();

  std::shared_ptr<std::vector<Entry>> entries_;  // null: none
};

enum class NodeKind : std::uint8_t {
  placeholder,    // an input of the program; target is its name
  get_attr,       // a parameter, buffer or constant; target is its dotted name
  call_function,  // target is an operator: "aten.conv2d.default", "operator.getitem"
  call_module,    // an observer (between prepare and convert); target names it
  output,         // the return; args()[0] is the list of results
};

std::string_view name(NodeKind kind);

// One operation. Nodes live in a Graph, keep their address for the Graph's life and know who uses them.
class Node {
 public:
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node();

  NodeKind kind() const { return kind_; }
  const std::string& name() const { return name_; }
  const std::string& target() const { return *target_; }
  bool is(std::string_view target) const { return kind_ == NodeKind::call_function && *target_ == target; }
  Graph& graph() const { return *graph_; }
  bool erased() const { return erased_; }
  bool is_output() const { return kind_ == NodeKind::output; }

  const Argument::List& args() const { return args_; }
  const Argument::Dict& kwargs() const { return kwargs_; }
  const Argument& arg(std::size_t i) const;            // throws InternalError when absent
  const Argument* kwarg(std::string_view name) const;  // null when absent
  Node* input(std::size_t i) const;                    // args()[i] as a node, null if it is absent or a literal
  void set_args(Argument::List args);
  void set_kwargs(Argument::Dict kwargs);
  void set_arg(std::size_t i, Argument value);
  void set_target(std::string_view target);

  // Distinct producers of this node, in argument order; distinct consumers, in the order in which torch.fx keeps them:
  // a consumer moves to the end whenever its arguments are set.
  std::vector<Node*> inputs() const;
  std::vector<Node*> users() const;
  std::size_t num_users() const { return num_users_; }
  bool has_user(const Node& user) const;

  // Every occurrence of `from` among this node's arguments becomes `to`.
  void replace_input_with(Node& from, Node& to);
  // All users (or those for which keep(user) is false) read `replacement` instead. Returns those that changed.
  std::vector<Node*> replace_all_uses_with(Node& replacement);
  template <typename Predicate>
  std::vector<Node*> replace_uses_with_if(Node& replacement, Predicate&& wanted) {
    std::vector<Node*> changed;
    for (Node* user : users())
      if (wanted(*user)) {
        user->replace_input_with(*this, replacement);
        changed.push_back(user);
      }
    return changed;
  }

  Node* next() const { return next_; }  // null at the end
  Node* prev() const { return prev_; }
  bool is_before(const Node& other) const { return order_ < other.order_; }

  ValueType type;  // what is known about the value
  Metadata meta;
  std::shared_ptr<QuantizationAnnotation> annotation;
  // Names of the positional arguments as the file gave them; for ops that ops/ does not know.
  std::vector<std::string> arg_names;
  // torch.export's flag on higher-order ops: a single tensor rather than a list of one.
  std::optional<bool> is_hop_single_tensor_return;

  // "conv2d_3 (aten.conv2d.default), model.py:12 in forward": for messages.
  std::string describe() const;

 private:
  friend class Graph;
  // One distinct (producer, consumer) pair, linked into the producer's list of users.
  struct Edge {
    Node* producer;
    Node* consumer;
    Edge* prev;
    Edge* next;
  };
  Node() = default;
  std::span<Edge> input_edges() const { return {input_edges_.get(), num_input_edges_}; }
  void drop_edges();
  void make_edges();

  // What a walk over the graph asks every node lies together: graphs of many nodes do not fit the caches.
  Node* next_ = nullptr;
  const std::string* target_ = nullptr;  // the graph's
  Argument::List args_;
  std::unique_ptr<Edge[]> input_edges_;
  Edge* first_user_ = nullptr;
  std::uint32_t num_input_edges_ = 0;
  std::uint32_t num_users_ = 0;
  NodeKind kind_ = NodeKind::call_function;
  bool erased_ = false;

  Graph* graph_ = nullptr;
  std::string name_;
  Argument::Dict kwargs_;
  Edge* last_user_ = nullptr;
  Node* prev_ = nullptr;
  std::uint64_t order_ = 0;
};

// A list of nodes in execution order, with unique names. Whoever keeps a node beyond its program (a Python object does)
// keeps its graph: shared_from_this().
class Graph : public std::enable_shared_from_this<Graph> {
 public:
  Graph();
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  // Walks the nodes in order. Erasing the current node or inserting anywhere is safe while walking.
  class Iterator {
   public:
    explicit Iterator(Node* node) : node_(node) {}
    Node& operator*() const { return *node_; }
    Iterator& operator++() {
      do node_ = node_->next();
      while (node_ && node_->erased());
      return *this;
    }
    bool operator==(const Iterator&) const = default;

   private:
    Node* node_;
  };
  struct Nodes {
    Node* first;
    Iterator begin() const { return Iterator(first); }
    Iterator end() const { return Iterator(nullptr); }
  };
  Nodes nodes() const { return {first_}; }
  std::size_t size() const { return size_; }
  Node* first() const { return first_; }
  Node* last() const { return last_; }
  Node* find(std::string_view name) const;  // null when absent
  Node* output_node() const { return last_ && last_->is_output() ? last_ : nullptr; }
  std::vector<Node*> placeholders() const;

  // New nodes go before the insertion point: the end of the graph unless an InsertPoint says otherwise.
  Node& placeholder(std::string_view name);
  Node& get_attr(std::string_view target);
  Node& call_function(std::string_view target, Argument::List args, Argument::Dict kwargs = {});
  Node& call_module(std::string_view target, Argument::List args);
  Node& output(Argument::List results);
  // The general form: `name` is taken as it is when it is free and an identifier, else made unique.
  Node& create(NodeKind kind, std::string_view target, Argument::List args, Argument::Dict kwargs,
               std::string_view name);

  // Throws InternalError while the node has users.
  void erase(Node& node);
  void move_before(Node& node, Node& position);
  void rename(Node& node, std::string_view wanted);  // the name of an erased node may be taken over; else made unique
  void rename_after_target(Node& node);              // to the name that a new node of its target would get
  std::string unique_name(std::string_view candidate);  // torch.fx's rule; the name is taken from then on

  // Where new nodes go while the object lives.
  class InsertPoint {
   public:
    InsertPoint(const InsertPoint&) = delete;
    InsertPoint& operator=(const InsertPoint&) = delete;
    ~InsertPoint() { graph_.insert_before_ = saved_; }

   private:
    friend class Graph;
    InsertPoint(Graph& graph, Node* before) : graph_(graph), saved_(graph.insert_before_) {
      graph_.insert_before_ = before;
    }
    Graph& graph_;
    Node* saved_;
  };
  [[nodiscard]] InsertPoint inserting_before(Node& node) { return InsertPoint(*this, &node); }
  [[nodiscard]] InsertPoint inserting_after(Node& node) { return InsertPoint(*this, node.next()); }

  // A copy. `map`, if given, receives old node -> new node. Annotations are shared, not copied: they name nodes of the
  // old graph; whoever copies an annotated graph redirects them.
  std::unique_ptr<Graph> clone(std::unordered_map<const Node*, Node*>* map = nullptr) const;

  // Why a pass left a node alone, kept for `explain`.
  struct Note {
    std::string node;
    std::string pass;
    std::string reason;
  };
  void note(const Node& node, std::string_view pass, const NoMatch& why) {
    add_note({node.name(), std::string(pass), why.reason()});
  }
  void add_note(Note note) { notes_.push_back(std::move(note)); }
  const std::vector<Note>& notes() const { return notes_; }

  // False: no node ever had a body, and whoever looks for bodies need not look at the nodes.
  bool may_have_bodies() const { return may_have_bodies_; }
  // False: no node ever had this target, and whoever looks for it need not look at the nodes.
  bool may_have_target(std::string_view target) const;

  // torch.export keeps this flag for bodies of higher-order ops.
  bool is_single_tensor_return = false;

 private:
  friend class Node;
  void link(Node& node, Node* before);
  void unlink(Node& node);
  void renumber();
  Node& add(NodeKind kind, std::string_view target, Argument::List args, Argument::Dict kwargs, std::string name);

  std::vector<std::unique_ptr<Node>> storage_;  // erased nodes too: a dangling reference must find a name to report
  Node* first_ = nullptr;
  Node* last_ = nullptr;
  Node* insert_before_ = nullptr;
  std::size_t size_ = 0;
  std::unique_ptr<NameTable> names_;
  std::unique_ptr<TargetTable> targets_;
  bool may_have_bodies_ = false;
  std::vector<Note> notes_;
};

// Visits the nodes of `graph` and of every subgraph below it.
void walk_subgraphs(Graph& graph, const std::function<void(Graph&)>& fn);

}  // namespace qdq
