#include "lower/specialise.h"

#include <algorithm>

#include "graph/observed_value.h"
#include "lower/fuse_attention.h"
#include "lower/fuse_post_ops.h"
#include "lower/int8_lowering.h"
#include "lower/kernel_list.h"
#include "lower/reference_step.h"
#include "ops/schema.h"
#include "reference/kernels.h"
#include "runtime/elementwise.h"

namespace qdq::lower {
namespace {

bool reads_channels_last(const Node& node) {
  for (const Node* user : node.users()) {
    if (user->kind() == NodeKind::call_module && reads_channels_last(*user)) return true;
    if (user->kind() != NodeKind::call_function) continue;
    if (user->target().starts_with("aten.conv")) return true;
  }
  return false;
}

class Specialiser {
 public:
  Specialiser(Shared& shared, const std::vector<Value>& inputs)
      : shared_(shared),
        emitter_(shared),
        int8_(emitter_, [this](const Node& node) -> const Value& { return values_.at(&node); }),
        attention_(emitter_),
        inputs_(inputs) {}

  Specialisation run() {
    for (const Node& node : shared_.program.graph().nodes()) {
      if (node.is_output()) continue;
      std::optional<Value> value = visit(node);
      if (!value) return {nullptr, not_planned(node)};
      keep(node, *value);
      values_[&node] = std::move(*value);
    }
    std::vector<std::pair<std::string, Tensor>> kept = std::move(kept_);
    for (const Tensor& result : result_tensors()) emitter_.materialise(result);
    // Results first: they may take part in the lifetimes of open steps' operands.
    runtime::PlanSpec spec = emitter_.finish();
    spec.inputs = std::move(input_tensors_);
    spec.kept = std::move(kept);
    add_results(spec);
    return {std::make_unique<runtime::Plan>(std::move(spec)), std::move(emitter_.notes())};
  }

 private:
  std::optional<Value> visit(const Node& node) {
    switch (node.kind()) {
      case NodeKind::placeholder: return visit_placeholder(node);
      case NodeKind::get_attr: return visit_attribute(node);
      case NodeKind::call_module: return visit_observer(node);
      case NodeKind::call_function: return visit_call(node);
      case NodeKind::output: break;
    }
    throw InternalError("output node visited");
  }

  Value visit_placeholder(const Node& node) {
    const Value& value = inputs_.at(next_input_++);
    input_tensors_.emplace_back();
    if (!value.tensor()) return value;
    const Tensor& given = *value.tensor();
    const bool channels_last = given.dim() >= 3 && reads_channels_last(node) && !shared_.aliases.needs_row_major(node);
    const Shape strides = channels_last ? channels_last_strides(given.sizes()) : contiguous_strides(given.sizes());
    input_tensors_.back() = emitter_.allocate(given.dtype(), given.sizes(), strides);
    return Value(input_tensors_.back());
  }

  Value visit_attribute(const Node& node) {
    const auto state = shared_.state.find(node.target());
    if (state != shared_.state.end()) return Value(state->second);
    const Attribute* attribute = shared_.program.attributes.find(node.target());
    if (!attribute || !attribute->value.defined()) return {};
    static_.insert(&node);
    return Value(attribute->value);
  }

  Value visit_observer(const Node& node) {
    Value value = node.input(0) ? computed(*node.input(0)) : Value();
    const Tensor* tensor = value.tensor();
    if (!tensor) return value;
    if (shared_.writable_observations && observed_value(node).kind() != NodeKind::get_attr) {
      emitter_.begin(node, {});
      const Tensor copy = emitter_.allocate_result(tensor->dtype(), tensor->sizes(), *tensor);
      emitter_.emit(runtime::copy_step(emitter_.name(), *tensor, copy));
      value = copy;
      tensor = value.tensor();
    }
    runtime::Step step{node.name(), "observe", {*tensor}, {}, nullptr};
    step.bind = [observe = &shared_.observe,
                 target = node.target()](std::span<const Tensor> operands) -> runtime::Kernel {
      return [observe, target, observed = operands[0]] {
        if (*observe) (*observe)(target, observed);
      };
    };
    emitter_.emit(std::move(step));
    return value;
  }

  std::optional<Value> visit_call(const Node& node) {
    const OpSchema* schema = find_schema(node.target());
    if (!schema) return std::nullopt;  // a higher-order op, or one that only the reference can name as unsupported
    if (schema->traits.is_assertion) return Value();
    emitter_.begin(node, {});
    if (shared_.int8) {
      const Call call = bind(node, *schema, [&](const Node& producer) { return values_.at(&producer); });
      if (auto value = int8_.lower(call)) return value;
      if (int8_.defers(node)) return defer(node, call);
    }
    const Call call = bind(node, *schema, [&](const Node& producer) { return computed(producer); });
    if (can_fold(node, call)) return fold(node, call);
    // Arithmetic on sizes, which a plan knows.
    if (!schema->infer && !takes_tensors(call) && has_kernel(schema->target)) return evaluate_now(call);
    if (auto value = attention_.lower(call, [&](const Node& producer) -> const Value& { return computed(producer); }))
      return value;
    if (auto value = fuse(call)) return value;
    if (schema->mutates()) return visit_in_place(node, call);
    if (const LowerFn lower = find_kernel(node.target()))
      if (auto value = lower(call, emitter_)) return value;
    if (schema->infer && (schema->traits.is_view || !makes_tensors(*schema))) return as_one(call, schema->infer(call));
    return emit_reference(call, emitter_);
  }

  // Not computed until a step reads it that does not take the bytes.
  Value defer(const Node& node, const Call& call) {
    deferred_.emplace(&node, call);
    return call.schema().infer(call).at(0);
  }

  const Value& computed(const Node& node) {
    if (const auto deferred = deferred_.find(&node); deferred != deferred_.end()) {
      values_[&node] = fold(node, deferred->second);
      deferred_.erase(deferred);
    }
    return values_.at(&node);
  }

  std::optional<Value> fuse(const Call& call) {
    if (auto value = fold_batch_norm(call, emitter_)) return value;
    if (auto value = fuse_activation(call, emitter_)) return value;
    return fuse_addition(call, emitter_);
  }

  std::optional<Value> visit_in_place(const Node& node, const Call& call) {
    const Tensor* self = call.arg(call.schema().args.at(0).name).tensor();
    const std::string functional = functional_target(call.schema());
    const bool is_known = functional != node.target() && call.schema().args[0].is_written;
    const LowerFn lower = is_known ? find_kernel(functional) : nullptr;
    if (node.is("aten.copy_.default")) {
      emitter_.emit(runtime::copy_step(node.name(), runtime::broadcast_to(call.tensor("src"), self->sizes()), *self));
      return Value(*self);
    }
    if (!self || !lower) return emit_reference(call, emitter_);
    emitter_.begin(node, *self);
    const auto value = lower(call, emitter_);
    emitter_.begin(node, {});
    if (!value) return emit_reference(call, emitter_);
    const Tensor* result = value->tensor();
    const bool written = result && result->storage() == self->storage();
    if (result && !written) emitter_.emit(runtime::copy_step(node.name(), *result, *self));
    return Value(*self);
  }

  static bool takes_tensors(const Call& call) {
    const auto has_tensor = [](const auto& self, const Value& value) -> bool {
      if (const Tensor* tensor = value.tensor()) return tensor->defined();
      const Value::List* list = value.list();
      return list && std::any_of(list->begin(), list->end(), [&](const Value& item) { return self(self, item); });
    };
    const auto& args = call.schema().args;
    return std::any_of(args.begin(), args.end(),
                       [&](const ArgSchema& arg) { return has_tensor(has_tensor, call.arg(arg.name)); });
  }

  // What the interpreter runs instead, for readers who expect int8.
  std::vector<Graph::Note> not_planned(const Node& culprit) const {
    std::vector<Graph::Note> notes;
    if (!shared_.int8) return notes;
    for (const Node& node : shared_.program.graph().nodes())
      if (node.kind() == NodeKind::call_function && !node.target().starts_with("quantized_decomposed."))
        notes.push_back({node.name(), "int8",
                         "the plain interpreter runs the whole program, for no plan can hold " + culprit.describe()});
    return notes;
  }

  // A call on weights and literals only, whose value nobody writes to.
  bool can_fold(const Node& node, const Call& call) const {
    const OpSchema& schema = call.schema();
    if (schema.traits.is_random || schema.mutates() || schema.traits.is_view || shared_.aliases.is_mutated(node))
      return false;
    if (!schema.infer || !makes_tensors(schema)) return false;
    bool constant = true;
    for (const ArgSchema& arg : schema.args) {
      const auto check = [&](const auto& self, const Value& value) -> void {
        if (const Tensor* tensor = value.tensor(); tensor && tensor->defined()) {
          constant &= emitter_.is_constant(*tensor);
        } else if (const Value::List* list = value.list()) {
          for (const Value& item : *list) self(self, item);
        }
      };
      check(check, call.arg(arg.name));
    }
    return constant;
  }

  Value fold(const Node& node, const Call& call) {
    // Values that follow from weights alone are the same for all sizes.
    const auto inputs = node.inputs();
    const bool is_static =
        std::all_of(inputs.begin(), inputs.end(), [&](const Node* input) { return static_.contains(input); });
    if (is_static) static_.insert(&node);
    auto& folded = shared_.constants->folded;
    const auto known = folded.find(&node);
    if (is_static && known != folded.end()) return known->second;
    Value value = evaluate_now(call);
    if (is_static) folded[&node] = value;
    return value;
  }

  // Others give symbolic ints, or pick from a list (getitem): their infer function is all there is to do.
  static bool makes_tensors(const OpSchema& schema) {
    return !schema.returns.empty() && schema.returns[0].starts_with("Tensor");
  }

  void keep(const Node& node, const Value& value) {
    if (!shared_.kept.contains(node.name()) || !value.tensor()) return;
    Tensor tensor = *value.tensor();
    if (shared_.aliases.is_mutated(node)) {  // as it is now, not as later ops leave it
      const Tensor copy = emitter_.allocate(tensor.dtype(), tensor.sizes());
      emitter_.emit(runtime::copy_step(node.name() + ".kept", tensor, copy));
      tensor = copy;
    }
    emitter_.materialise(tensor);
    kept_.emplace_back(node.name(), tensor);
  }

  Tensor result_tensor(const Argument& argument) const {
    if (const Node* node = argument.node()) {
      const Value& value = values_.at(node);
      if (const Tensor* tensor = value.tensor()) return *tensor;
      if (const auto* i = std::get_if<std::int64_t>(&value.v)) return Tensor::scalar(*i);
      if (const auto* d = std::get_if<double>(&value.v)) return Tensor::scalar(*d);
      return {};
    }
    if (const auto* i = argument.get_if<std::int64_t>()) return Tensor::scalar(*i);
    return {};
  }

  std::vector<Tensor> result_tensors() const {
    const Node* output = shared_.program.graph().output_node();
    if (!output || output->args().empty()) return {};
    const Argument::List* list = output->arg(0).list();
    std::vector<Tensor> tensors;
    for (const Argument& result : list ? *list : Argument::List{output->arg(0)})
      tensors.push_back(result_tensor(result));
    return tensors;
  }

  void add_results(runtime::PlanSpec& spec) const {
    const std::vector<Tensor> results = result_tensors();
    for (std::size_t i = 0; i < results.size(); ++i) {
      const OutputSpec output_spec = i < shared_.program.outputs.size() ? shared_.program.outputs[i] : OutputSpec{};
      if (output_spec.kind == OutputSpec::Kind::user_output) {
        spec.results.push_back(results[i]);
      } else if (output_spec.kind == OutputSpec::Kind::buffer_mutation) {
        spec.write_backs.emplace_back(shared_.state.at(output_spec.target), results[i]);
      }
    }
  }

  Shared& shared_;
  Emitter emitter_;
  Int8Lowering int8_;
  AttentionFusion attention_;
  std::unordered_map<const Node*, Call> deferred_;  // weights whose readers may not need their float values
  const std::vector<Value>& inputs_;
  std::size_t next_input_ = 0;
  std::vector<Tensor> input_tensors_;
  std::unordered_map<const Node*, Value> values_;
  std::unordered_set<const Node*> static_;
  std::vector<std::pair<std::string, Tensor>> kept_;
};

}  // namespace

Specialisation specialise(Shared& shared, const std::vector<Value>& inputs) {
  const std::lock_guard lock(shared.constants->planning);
  return Specialiser(shared, inputs).run();
}

void prepare_state(Shared& shared) {
  const auto add = [&](const std::string& name) {
    if (shared.state.contains(name)) return;
    const Tensor copy = shared.program.attributes.tensor(name).clone();
    shared.state[name] = copy;
    shared.state_storages.insert(copy.storage().get());
  };
  for (const OutputSpec& output : shared.program.outputs)
    if (output.kind == OutputSpec::Kind::buffer_mutation) add(output.target);
  for (const Node& node : shared.program.graph().nodes())
    if (node.kind() == NodeKind::get_attr && shared.aliases.is_mutated(node)) add(node.target());
}

}  // namespace qdq::lower
