// Reads what prepare and convert left in the graph: observers, or quantize and dequantize nodes, and the metadata.
#include "qdq/explain.h"

#include <algorithm>

#include "convert/insert_qdq.h"
#include "graph/text_names.h"
#include "passes/qdq_ops.h"
#include "pipeline/quantized_ops.h"
#include "qdq/annotation.h"

namespace qdq {
namespace {

std::vector<double> doubles(const Tensor& tensor) {
  if (!tensor.defined()) return {};
  const Tensor values = tensor.to(DType::float64).contiguous();
  return {values.data<double>(), values.data<double>() + values.numel()};
}

class Explainer {
 public:
  explicit Explainer(const Program& program, const PreparedProgram* prepared = nullptr)
      : program_(program), prepared_(prepared), quantized_(program, [this](const Node& call) {
          const Observer* observer = observer_of(call);
          return observer && becomes_dequantize(*observer);
        }) {}

  std::vector<ExplainedOp> run() const {
    std::vector<ExplainedOp> ops;
    for (const Node& node : program_.graph().nodes())
      if (is_op(node)) ops.push_back(explain(node));
    return ops;
  }

 private:
  ExplainedOp explain(const Node& node) const {
    ExplainedOp op;
    op.node = &node;
    op.quantized = quantized_.contains(node);
    op.rule = node.meta.get(kQuantizationRule);
    for (const Node* input : node.inputs())
      if (auto tensor = quantized_tensor(*input)) op.inputs.push_back(std::move(*tensor));
    add_outputs(node, op.outputs);
    op.why_not = why_not(node, op);
    return op;
  }

  std::string why_not(const Node& node, const ExplainedOp& op) const {
    if (const std::string* recorded = node.meta.find(kQuantizationWhyNot)) return *recorded;
    if (op.quantized) return "";
    const Node* input = quantized_.float_input(node);
    return input ? "its input '" + input->name() + "' is in float" : "no floating-point values go in";
  }

  // The results of ops that return a tuple are the elements that are picked from it.
  void add_outputs(const Node& node, std::vector<QuantizedTensor>& outputs) const {
    for (const Node* user : node.users()) {
      if (user->is("operator.getitem"))
        add_outputs(*user, outputs);
      else if (is_quantize(*user) || user->kind() == NodeKind::call_module || is_cast(*user))
        if (auto tensor = quantized_tensor(*user)) outputs.push_back(std::move(*tensor));
    }
  }

  const Observer* observer_of(const Node& node) const {
    if (node.kind() != NodeKind::call_module || !prepared_) return nullptr;
    const auto found = prepared_->observers().find(node.target());
    return found == prepared_->observers().end() ? nullptr : found->second.get();
  }

  static bool is_cast(const Node& node) {
    return node.is(kConvertElementType) && node.meta.find(kQuantizationObserver);
  }

  bool is_step(const Node& node) const {
    return is_quantize(node) || is_dequantize(node) || is_cast(node) || node.kind() == NodeKind::call_module;
  }

  // What `step` does to the value that it takes; nothing for a node that quantizes nothing.
  std::optional<QuantizedTensor> quantized_tensor(const Node& step) const {
    if (!is_step(step)) return std::nullopt;
    QuantizedTensor tensor;
    const Node* value = &step;
    while (is_step(*value) && value->input(0)) value = value->input(0);
    tensor.name = value->name();
    if (step.kind() == NodeKind::call_module) {
      const Observer* observer = observer_of(step);
      if (!observer || (!becomes_dequantize(*observer) && observer->dtype() != DType::float16)) return std::nullopt;
      read_observer(*observer, tensor);
    } else {
      read_step(step, tensor);
    }
    return tensor;
  }

  static void read_observer(const Observer& observer, QuantizedTensor& tensor) {
    tensor.dtype = plain_dtype(observer.dtype());
    tensor.scheme = scheme_name(observer);
    tensor.is_dynamic = observer.is_dynamic();
    tensor.observer = observer.kind();
    tensor.observed = observed_bounds(observer);
    if (!becomes_dequantize(observer)) return;
    if (is_per_channel(observer.qscheme())) tensor.ch_axis = observer.ch_axis();
    tensor.quant_min = observer.quant_min();
    tensor.quant_max = observer.quant_max();
    if (observer.is_dynamic() || !observer.has_observed()) return;
    try {
      const QParams qparams = observer.calculate_qparams();
      tensor.scale = doubles(qparams.scale);
      tensor.zero_point = doubles(qparams.zero_point);
    } catch (const InvalidArgumentError&) {  // derived from observers that have seen nothing yet
    }
  }

  // Quantize and dequantize end in the same arguments. A file may hold fewer of them, or others.
  void read_step(const Node& step, QuantizedTensor& tensor) const {
    if (const std::string* name = step.meta.find(kQuantizationTensor)) tensor.name = *name;
    tensor.observer = step.meta.get(kQuantizationObserver);
    tensor.scheme = step.meta.get(kQuantizationScheme);
    tensor.observed = text::find_bounds(step.meta.get(kQuantizationObserved));
    if (is_cast(step)) {
      tensor.dtype = DType::float16;
      return;
    }
    const bool affine = step.is(kQuantizeAffine) || step.is(kDequantizeAffine);
    const bool per_channel = step.is(kQuantizePerChannel) || step.is(kDequantizePerChannel);
    const std::size_t first = affine ? 2 : 1;
    tensor.scale = numbers(step, first);
    tensor.zero_point = numbers(step, first + 1);
    tensor.is_dynamic = tensor.scale.empty();
    std::size_t next = first + 2;
    if (per_channel) tensor.ch_axis = integer(step, next++);
    const std::size_t dtype = affine ? next++ : next + 2;
    if (dtype < step.args().size())
      if (const DType* found = step.arg(dtype).get_if<DType>()) tensor.dtype = *found;
    tensor.quant_min = integer(step, next);
    tensor.quant_max = integer(step, next + 1);
  }

  // The elements of a constant argument; none for one that is computed in each run.
  std::vector<double> numbers(const Node& step, std::size_t position) const {
    if (position >= step.args().size()) return {};
    const Argument& argument = step.arg(position);
    if (const Node* node = argument.node()) {
      const Attribute* attribute =
          node->kind() == NodeKind::get_attr ? program_.attributes.find(node->target()) : nullptr;
      return attribute ? doubles(attribute->value) : std::vector<double>();
    }
    if (const double* number = argument.get_if<double>()) return {*number};
    if (const std::int64_t* number = argument.get_if<std::int64_t>()) return {static_cast<double>(*number)};
    return {};
  }

  static std::optional<std::int64_t> integer(const Node& step, std::size_t position) {
    if (position >= step.args().size()) return std::nullopt;
    const std::int64_t* number = step.arg(position).get_if<std::int64_t>();
    return number ? std::optional(*number) : std::nullopt;
  }

  const Program& program_;
  const PreparedProgram* prepared_;
  QuantizedOps quantized_;
};

}  // namespace

std::optional<std::pair<double, double>> QuantizedTensor::range() const {
  if (scale.empty() || !quant_min || !quant_max) return std::nullopt;
  std::pair<double, double> range = {0, 0};
  for (std::size_t i = 0; i < scale.size(); ++i) {
    const double zero = i < zero_point.size() ? zero_point[i] : 0;
    const double low = (static_cast<double>(*quant_min) - zero) * scale[i];
    const double high = (static_cast<double>(*quant_max) - zero) * scale[i];
    range = i == 0 ? std::pair(low, high) : std::pair(std::min(range.first, low), std::max(range.second, high));
  }
  return range;
}

std::vector<ExplainedOp> explain(const Program& program) { return Explainer(program).run(); }

std::vector<ExplainedOp> explain(const PreparedProgram& prepared) {
  return Explainer(prepared.program(), &prepared).run();
}

}  // namespace qdq
