#include "qdq/graph.h"

#include <algorithm>
#include <unordered_set>

#include "graph/copy_node.h"
#include "graph/name_table.h"
#include "graph/target_table.h"

namespace qdq {
namespace {

// Distance between neighbours when all nodes are numbered anew: room for 2^20 halvings before the next renumbering.
constexpr std::uint64_t kOrderGap = std::uint64_t{1} << 20;

void replace_node(Argument& argument, Node& from, Node& to) {
  if (argument.node() == &from) {
    argument = Argument(to);
  } else if (auto* list = argument.get_if<Argument::List>()) {
    for (Argument& item : *list) replace_node(item, from, to);
  } else if (auto* dict = argument.get_if<Argument::Dict>()) {
    for (auto& [key, item] : *dict) replace_node(item, from, to);
  }
}

}  // namespace

SymInt SymInt::symbolic(std::string expr, std::optional<std::int64_t> hint) {
  SymInt result;
  result.expr = std::move(expr);
  result.value = hint.value_or(0);
  result.has_hint = hint.has_value();
  return result;
}

std::int64_t Argument::to_int() const {
  if (const auto* i = std::get_if<std::int64_t>(&v_)) return *i;
  if (const auto* b = std::get_if<bool>(&v_)) return *b ? 1 : 0;
  if (const auto* d = std::get_if<double>(&v_); d && static_cast<double>(static_cast<std::int64_t>(*d)) == *d)
    return static_cast<std::int64_t>(*d);
  throw InvalidArgumentError("expected an int literal");
}

double Argument::to_double() const {
  if (const auto* d = std::get_if<double>(&v_)) return *d;
  if (const auto* i = std::get_if<std::int64_t>(&v_)) return static_cast<double>(*i);
  if (const auto* b = std::get_if<bool>(&v_)) return *b ? 1.0 : 0.0;
  throw InvalidArgumentError("expected a number literal");
}

bool Argument::to_bool() const {
  if (const auto* b = std::get_if<bool>(&v_)) return *b;
  if (const auto* i = std::get_if<std::int64_t>(&v_)) return *i != 0;
  throw InvalidArgumentError("expected a bool literal");
}

std::vector<std::int64_t> Argument::to_ints() const {
  if (const auto* items = list()) {
    std::vector<std::int64_t> result;
    result.reserve(items->size());
    for (const Argument& item : *items) result.push_back(item.to_int());
    return result;
  }
  return {to_int()};
}

std::string_view name(NodeKind kind) {
  switch (kind) {
    case NodeKind::placeholder: return "placeholder";
    case NodeKind::get_attr: return "get_attr";
    case NodeKind::call_function: return "call_function";
    case NodeKind::call_module: return "call_module";
    case NodeKind::output: return "output";
  }
  throw InternalError("unknown NodeKind");
}

Node::~Node() = default;

const Argument& Node::arg(std::size_t i) const {
  if (i >= args_.size())
    throw InternalError(describe() + ": argument " + std::to_string(i) + " asked for, has " +
                        std::to_string(args_.size()));
  return args_[i];
}

const Argument* Node::kwarg(std::string_view name) const {
  for (const auto& [key, value] : kwargs_)
    if (key == name) return &value;
  return nullptr;
}

Node* Node::input(std::size_t i) const { return i < args_.size() ? args_[i].node() : nullptr; }

namespace {

// Throws InvalidArgumentError for nodes of another graph among the arguments.
void check_own(const Node& node, const Argument& argument) {
  for_each_node(argument, [&](const Node& producer) {
    if (&producer.graph() != &node.graph())
      throw InvalidArgumentError(node.describe() + ": its argument '" + producer.name() + "' belongs to another graph");
  });
}

void check_own(const Node& node, const Argument::List& args) {
  for (const Argument& argument : args) check_own(node, argument);
}

void check_own(const Node& node, const Argument::Dict& kwargs) {
  for (const auto& [key, argument] : kwargs) check_own(node, argument);
}

}  // namespace

void Node::set_args(Argument::List args) {
  check_own(*this, args);
  drop_edges();
  args_ = std::move(args);
  make_edges();
}

void Node::set_kwargs(Argument::Dict kwargs) {
  check_own(*this, kwargs);
  drop_edges();
  kwargs_ = std::move(kwargs);
  make_edges();
}

void Node::set_arg(std::size_t i, Argument value) {
  arg(i);
  check_own(*this, value);
  drop_edges();
  args_[i] = std::move(value);
  make_edges();
}

void Node::set_target(std::string_view target) { target_ = &graph_->targets_->shared(target); }

void Node::drop_edges() {
  for (const Edge& edge : input_edges()) {
    Node& producer = *edge.producer;
    (edge.prev ? edge.prev->next : producer.first_user_) = edge.next;
    (edge.next ? edge.next->prev : producer.last_user_) = edge.prev;
    --producer.num_users_;
  }
  input_edges_.reset();
  num_input_edges_ = 0;
}

namespace {

// The distinct producers among a node's arguments, in order.
class Producers {
 public:
  void add(Node& producer) {
    if (!contains(producer)) nodes_.push_back(&producer);
  }
  const std::vector<Node*>& nodes() const { return nodes_; }

 private:
  // Most nodes have a few inputs; one with thousands (cat) must not search linearly for each.
  bool contains(Node& producer) {
    constexpr std::size_t kFew = 8;
    if (nodes_.size() < kFew) return std::find(nodes_.begin(), nodes_.end(), &producer) != nodes_.end();
    if (many_.empty()) many_.insert(nodes_.begin(), nodes_.end());
    return !many_.insert(&producer).second;
  }

  std::vector<Node*> nodes_;
  std::unordered_set<Node*> many_;
};

}  // namespace

namespace {

bool has_body(const Argument& argument) {
  if (const auto* list = argument.list()) return std::any_of(list->begin(), list->end(), has_body);
  if (const auto* dict = argument.get_if<Argument::Dict>())
    return std::any_of(dict->begin(), dict->end(), [](const auto& item) { return has_body(item.second); });
  return argument.get_if<Argument::Subgraph>() != nullptr;
}

}  // namespace

void Node::make_edges() {
  graph_->may_have_bodies_ |=
      std::any_of(args_.begin(), args_.end(), has_body) ||
      std::any_of(kwargs_.begin(), kwargs_.end(), [](const auto& item) { return has_body(item.second); });
  Producers producers;
  auto add = [&](Node& producer) { producers.add(producer); };
  for (const Argument& argument : args_) for_each_node(argument, add);
  for (const auto& [key, argument] : kwargs_) for_each_node(argument, add);
  if (producers.nodes().empty()) return;

  num_input_edges_ = static_cast<std::uint32_t>(producers.nodes().size());
  input_edges_ = std::make_unique_for_overwrite<Edge[]>(num_input_edges_);
  for (std::size_t i = 0; i < num_input_edges_; ++i) {
    Node& producer = *producers.nodes()[i];
    Edge& edge = input_edges_[i];
    edge = {&producer, this, producer.last_user_, nullptr};
    (producer.last_user_ ? producer.last_user_->next : producer.first_user_) = &edge;
    producer.last_user_ = &edge;
    ++producer.num_users_;
  }
}

std::vector<Node*> Node::inputs() const {
  std::vector<Node*> result;
  result.reserve(num_input_edges_);
  for (const Edge& edge : input_edges()) result.push_back(edge.producer);
  return result;
}

std::vector<Node*> Node::users() const {
  std::vector<Node*> result;
  result.reserve(num_users_);
  for (Edge* edge = first_user_; edge; edge = edge->next) result.push_back(edge->consumer);
  return result;
}

bool Node::has_user(const Node& user) const {
  const std::span<const Edge> edges = user.input_edges();
  return std::any_of(edges.begin(), edges.end(), [&](const Edge& edge) { return edge.producer == this; });
}

void Node::replace_input_with(Node& from, Node& to) {
  check_own(*this, Argument(to));
  drop_edges();
  for (Argument& argument : args_) replace_node(argument, from, to);
  for (auto& [key, argument] : kwargs_) replace_node(argument, from, to);
  make_edges();
}

std::vector<Node*> Node::replace_all_uses_with(Node& replacement) {
  return replace_uses_with_if(replacement, [](const Node&) { return true; });
}

namespace {

// A line of a Python stack trace: File "model.py", line 12, in forward.
struct Frame {
  std::string_view file, line, function;
};

Frame parse_frame(std::string_view line) {
  constexpr std::string_view kFile = "File \"", kLine = "\", line ", kIn = ", in ";
  const auto at = line.find(kFile);
  if (at == std::string_view::npos) return {};
  line.remove_prefix(at + kFile.size());
  const auto quote = line.find(kLine);
  if (quote == std::string_view::npos) return {};
  const std::string_view rest = line.substr(quote + kLine.size());
  const auto comma = rest.find(kIn);
  return {line.substr(0, quote), rest.substr(0, comma),
          comma == std::string_view::npos ? std::string_view() : rest.substr(comma + kIn.size())};
}

// Code of the user: neither torch's, which has modules and exporters of its own in the trace, nor made by it ("<eval_with_key>.1").
bool is_users(const Frame& frame) {
  return frame.file.find("-packages/torch/") == std::string_view::npos && !frame.file.starts_with('<');
}

// The innermost frame of the user's code; else the first one.
Frame innermost_frame(std::string_view trace) {
  Frame first, found;
  while (!trace.empty()) {
    const auto end = std::min(trace.find('\n'), trace.size() - 1);
    std::string_view line = trace.substr(0, end + 1);
    if (line.ends_with('\n')) line.remove_suffix(1);
    trace.remove_prefix(end + 1);
    const Frame frame = parse_frame(line);
    if (frame.file.empty()) continue;
    if (first.file.empty()) first = frame;
    if (is_users(frame)) found = frame;
  }
  return found.file.empty() ? first : found;
}

}  // namespace

std::string Node::describe() const {
  std::string text = "'" + name_ + "'";
  if (kind_ == NodeKind::call_function || kind_ == NodeKind::call_module || kind_ == NodeKind::get_attr)
    text += " (" + *target_ + ")";
  else
    text += " (" + std::string(qdq::name(kind_)) + ")";
  const Frame frame = innermost_frame(meta.get("stack_trace"));
  if (!frame.file.empty()) text += " at " + std::string(frame.file) + ":" + std::string(frame.line);
  if (!frame.function.empty()) text += " in " + std::string(frame.function);
  return text;
}

Graph::Graph() : names_(std::make_unique<NameTable>()), targets_(std::make_unique<TargetTable>()) {}

Graph::~Graph() = default;

Node* Graph::find(std::string_view name) const { return names_->find(name); }

bool Graph::may_have_target(std::string_view target) const { return targets_->contains(target); }

std::vector<Node*> Graph::placeholders() const {
  std::vector<Node*> result;
  for (Node& node : nodes())
    if (node.kind() == NodeKind::placeholder) result.push_back(&node);
  return result;
}

std::string Graph::unique_name(std::string_view wanted) {
  std::string name = names_->free_name(wanted);
  names_->abandon(name);
  return name;
}

Node& Graph::create(NodeKind kind, std::string_view target, Argument::List args, Argument::Dict kwargs,
                    std::string_view name) {
  return add(kind, target, std::move(args), std::move(kwargs), names_->name_to_claim(name));
}

Node& Graph::add(NodeKind kind, std::string_view target, Argument::List args, Argument::Dict kwargs, std::string name) {
  std::unique_ptr<Node> made(new Node());
  Node& node = *made;
  node.graph_ = this;
  node.kind_ = kind;
  node.target_ = &targets_->shared(target);
  node.name_ = std::move(name);
  check_own(node, args);
  check_own(node, kwargs);
  storage_.push_back(std::move(made));
  names_->give(node.name_, node);
  link(node, insert_before_);
  node.args_ = std::move(args);
  node.kwargs_ = std::move(kwargs);
  node.make_edges();
  return node;
}

Node& Graph::placeholder(std::string_view name) {
  return add(NodeKind::placeholder, name, {}, {}, names_->free_name(snake_case(name)));
}

Node& Graph::get_attr(std::string_view target) {
  return add(NodeKind::get_attr, target, {}, {}, names_->free_name(snake_case(target)));
}

Node& Graph::call_function(std::string_view target, Argument::List args, Argument::Dict kwargs) {
  // The namespace is no part of the name: "aten.conv2d.default" becomes "conv2d_default".
  const auto dot = target.find('.');
  const std::string_view base = dot == std::string_view::npos ? target : target.substr(dot + 1);
  return add(NodeKind::call_function, target, std::move(args), std::move(kwargs), names_->free_name(snake_case(base)));
}

Node& Graph::call_module(std::string_view target, Argument::List args) {
  return add(NodeKind::call_module, target, std::move(args), {}, names_->free_name(snake_case(target)));
}

Node& Graph::output(Argument::List results) {
  return create(NodeKind::output, "output", {Argument(std::move(results))}, {}, "output");
}

void Graph::erase(Node& node) {
  if (node.graph_ != this) throw InternalError("erasing " + node.describe() + ", which belongs to another graph");
  if (node.erased_) throw InternalError("erasing " + node.describe() + ", which was erased before");
  if (node.num_users_ > 0)
    throw InternalError("erasing " + node.describe() + ", which '" + node.first_user_->consumer->name_ +
                        "' still uses");
  node.drop_edges();
  unlink(node);
  names_->orphan(node.name_);
  node.erased_ = true;
}

void Graph::move_before(Node& node, Node& position) {
  if (&node == &position) return;
  unlink(node);
  link(node, &position);
}

void Graph::rename(Node& node, std::string_view wanted) {
  if (node.name_ == wanted) return;
  const bool abandoned = names_->was_given(wanted) && !names_->find(wanted);
  std::string name = abandoned ? std::string(wanted) : names_->name_to_claim(wanted);
  names_->forget(node.name_);  // the text is about to move
  names_->abandon(std::exchange(node.name_, std::move(name)));
  if (abandoned) names_->forget(node.name_);
  names_->give(node.name_, node);
}

void Graph::rename_after_target(Node& node) { rename(node, snake_case(node.target())); }

void Graph::link(Node& node, Node* before) {
  node.next_ = before;
  node.prev_ = before ? before->prev_ : last_;
  (node.prev_ ? node.prev_->next_ : first_) = &node;
  (before ? before->prev_ : last_) = &node;
  ++size_;
  const std::uint64_t low = node.prev_ ? node.prev_->order_ : 0;
  const std::uint64_t high = before ? before->order_ : low + 2 * kOrderGap;
  node.order_ = low + (high - low) / 2;
  if (node.order_ == low) renumber();
}

void Graph::unlink(Node& node) {
  (node.prev_ ? node.prev_->next_ : first_) = node.next_;
  (node.next_ ? node.next_->prev_ : last_) = node.prev_;
  if (insert_before_ == &node) insert_before_ = node.next_;
  --size_;
}

void Graph::renumber() {
  std::uint64_t order = 0;
  for (Node* node = first_; node; node = node->next_) node->order_ = order += kOrderGap;
}

std::unique_ptr<Graph> Graph::clone(std::unordered_map<const Node*, Node*>* map) const {
  auto copy = std::make_unique<Graph>();
  std::unordered_map<const Node*, Node*> local;
  auto& mapping = map ? *map : local;
  const auto mapped = [&](Node& node) { return Argument(mapping.at(&node)); };
  for (Node& node : nodes()) mapping[&node] = &copy_node(*copy, node, mapped);
  copy->names_->copy_counts(*names_);
  copy->is_single_tensor_return = is_single_tensor_return;
  copy->notes_ = notes_;
  return copy;
}

void walk_subgraphs(Graph& graph, const std::function<void(Graph&)>& fn) {
  fn(graph);
  if (!graph.may_have_bodies()) return;
  auto visit = [&](const Argument& argument, auto&& self) -> void {
    if (const auto* sub = argument.get_if<Argument::Subgraph>()) walk_subgraphs(*sub->graph, fn);
    if (const auto* list = argument.list())
      for (const Argument& item : *list) self(item, self);
    if (const auto* dict = argument.get_if<Argument::Dict>())
      for (const auto& [key, item] : *dict) self(item, self);
  };
  for (Node& node : graph.nodes()) {
    for (const Argument& argument : node.args()) visit(argument, visit);
    for (const auto& [key, argument] : node.kwargs()) visit(argument, visit);
  }
}

}  // namespace qdq
