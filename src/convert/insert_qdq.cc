#include "convert/insert_qdq.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "graph/module_path.h"
#include "graph/text_names.h"
#include "observers/observer_table.h"
#include "passes/fuse_conv_bn_qat.h"
#include "passes/qdq_ops.h"
#include "qdq/annotation.h"

namespace qdq {
namespace {

bool is_static_dtype(DType dtype) {
  constexpr std::array supported = {DType::quint8,      DType::qint8,        DType::qint32, DType::uint8,
                                    DType::int8,        DType::uint16,       DType::int16,  DType::int32,
                                    DType::float8_e5m2, DType::float8_e4m3fn};
  return std::find(supported.begin(), supported.end(), dtype) != supported.end();
}

// What `explain` wants to know of the nodes that take the place of `call`.
Metadata record_of(const Node& call, const Node& value, const Observer& observer) {
  Metadata record;
  const std::string* before = value.meta.find(kQuantizationTensor);  // of an observer before this one
  record.set(kQuantizationTensor, before ? *before : value.name());
  record.set(kQuantizationObserver, std::string(observer.kind()));
  record.set(kQuantizationScheme, scheme_name(observer));
  if (const auto seen = observed_bounds(observer))
    record.set(kQuantizationObserved, text::bounds(seen->first, seen->second));
  if (const std::string* source = call.meta.find(kQuantizationSource)) record.set("from_node", *source);
  return record;
}

// "classifier" for a node of module "features.classifier": the prefix of per-channel buffers.
std::string scope_of(const Node& node) {
  if (is_scaled_weight(node)) return "";  // a weight has no scope; this one has borrowed its convolution's
  const std::string_view path = innermost_module_path(node);
  return std::string(path.substr(path.rfind('.') + 1));
}

ValueType with_dtype(const ValueType& type, DType dtype) {
  const TensorMeta* known = type.tensor();
  if (!known) return type;
  TensorMeta meta = *known;
  meta.dtype = dtype;
  meta.requires_grad = false;
  meta.storage_offset = 0;
  return {std::move(meta)};
}

TensorMeta one_element(DType dtype) {
  TensorMeta meta;
  meta.dtype = dtype;
  meta.sizes = {1};
  meta.strides = {1};
  return meta;
}

class Inserter {
 public:
  Inserter(Program& program, const std::map<std::string, std::shared_ptr<Observer>>& observers)
      : program_(program), graph_(program.graph()), observers_(observers) {}

  int run() {
    int replaced = 0;
    for (Node& node : graph_.nodes()) {
      if (node.kind() != NodeKind::call_module) continue;
      const Observer* observer = observers_.find(node.target());
      if (!observer) throw InvalidArgumentError("[convert] " + node.describe() + ": there is no observer of that name");
      replace(node, *observer);
      ++replaced;
    }
    return replaced;
  }

 private:
  void replace(Node& call, const Observer& observer) {
    Node& value = *call.input(0);
    Node* replacement = &value;
    auto at = graph_.inserting_before(call);
    if (observer.affine())
      replacement = &insert_affine(value, observer);
    else if (observer.is_dynamic())
      replacement = &insert_dynamic(value, observer);
    else if (is_static_dtype(observer.dtype()))
      replacement = &insert_static(call, value, observer);
    else if (observer.dtype() == DType::float16)
      replacement = &insert_float16(value);
    if (replacement != &value) {
      const Metadata record = record_of(call, value, observer);
      for (Node* node = replacement; node != &value; node = node->input(0)) node->meta = record;
    }
    call.replace_all_uses_with(*replacement);
    graph_.erase(call);
  }

  QParams qparams_of(const Observer& observer, const Node& value) const {
    try {
      return observer.calculate_qparams();
    } catch (const InvalidArgumentError& error) {
      throw InvalidArgumentError("[convert] " + value.describe() + ": " + error.what());
    }
  }

  // dequantize returns the dtype that was observed; float32 needs no mention.
  static Argument::Dict out_dtype(const Node& value) {
    const TensorMeta* meta = value.type.tensor();
    if (!meta || meta->dtype == DType::float32) return {};
    return {{"out_dtype", Argument(meta->dtype)}};
  }

  static DType observed_dtype(const Node& value) {
    const TensorMeta* meta = value.type.tensor();
    return meta ? meta->dtype : DType::float32;
  }

  // quantize and dequantize with the same trailing arguments.
  Node& insert_pair(std::string_view quantize_op, std::string_view dequantize_op, Node& value, const Observer& observer,
                    Argument::List qparams) {
    const DType dtype = plain_dtype(observer.dtype());
    Argument::List args = {Argument(value)};
    args.insert(args.end(), qparams.begin(), qparams.end());
    args.insert(args.end(), {Argument(observer.quant_min()), Argument(observer.quant_max()), Argument(dtype)});
    Node& q = graph_.call_function(quantize_op, args);
    q.type = with_dtype(value.type, dtype);
    args[0] = Argument(q);
    Node& dq = graph_.call_function(dequantize_op, std::move(args), out_dtype(value));
    dq.type = with_dtype(value.type, observed_dtype(value));
    return dq;
  }

  Node& insert_static(const Node& call, Node& value, const Observer& observer) {
    const QParams qparams = qparams_of(observer, value);
    if (!is_per_channel(observer.qscheme())) {
      const double scale = qparams.scale.item();
      const auto zero_point = static_cast<std::int64_t>(qparams.zero_point.item());
      return insert_pair(kQuantizePerTensor, kDequantizePerTensor, value, observer,
                         {Argument(scale), Argument(zero_point)});
    }
    if (!observer.ch_axis())
      throw InvalidArgumentError("[convert] " + call.describe() + ": a per-channel observer without ch_axis");
    const std::string scope = scope_of(value);
    Node& scale = add_buffer(scope + "_scale_", qparams.scale);
    Node& zero_point = add_buffer(scope + "_zero_point_", qparams.zero_point);
    return insert_pair(kQuantizePerChannel, kDequantizePerChannel, value, observer,
                       {Argument(scale), Argument(zero_point), Argument(*observer.ch_axis())});
  }

  Node& insert_dynamic(Node& value, const Observer& observer) {
    const DType dtype = plain_dtype(observer.dtype());
    if (dtype != DType::int8 && dtype != DType::uint8)
      throw InvalidArgumentError("[convert] " + value.describe() +
                                 ": dynamic quantization is to int8 or uint8, found " +
                                 std::string(name(observer.dtype())));
    const bool symmetric = observer.qscheme() == QScheme::per_tensor_symmetric;
    Node& chosen = graph_.call_function(symmetric ? kChooseQParamsSymmetric : kChooseQParams,
                                        {Argument(value), Argument(observer.quant_min()),
                                         Argument(observer.quant_max()), Argument(observer.eps()), Argument(dtype)});
    const TensorMeta scale_meta = one_element(DType::float64);
    const TensorMeta zero_point_meta = one_element(DType::int64);
    chosen.type.v = ValueType::List{ValueType{scale_meta}, ValueType{zero_point_meta}};
    Node& scale = graph_.call_function("operator.getitem", {Argument(chosen), Argument(0)});
    scale.type.v = scale_meta;
    Node& zero_point = graph_.call_function("operator.getitem", {Argument(chosen), Argument(1)});
    zero_point.type.v = zero_point_meta;
    return insert_pair(kQuantizePerTensorDynamic, kDequantizePerTensorDynamic, value, observer,
                       {Argument(scale), Argument(zero_point)});
  }

  // The block of the values that were observed; of the value's own sizes when none was (a placeholder before any run).
  static Argument block_size_of_value(const AffineConfig& config, const Node& value) {
    std::optional<Shape> block = config.block_size;
    const TensorMeta* meta = value.type.tensor();
    if (!block && meta) {
      Shape sizes;
      for (const SymInt& size : meta->sizes)
        if (!size.is_symbolic()) sizes.push_back(size.value);
      if (sizes.size() == meta->sizes.size()) block = block_size_of(config.granularity, sizes);
    }
    if (!block)
      throw InvalidArgumentError("[convert] " + value.describe() +
                                 ": its block size depends on sizes that no run has shown yet; calibrate first");
    Argument::List sizes;
    for (const std::int64_t size : *block) sizes.emplace_back(size);
    return Argument(std::move(sizes));
  }

  template <typename T>
  static Argument or_none(const std::optional<T>& value) {
    return value ? Argument(*value) : Argument();
  }

  std::pair<Argument, Argument> choose_affine(Node& value, const AffineConfig& config, const Argument& block_size) {
    Node& chosen = graph_.call_function(
        kChooseQParamsAffine, {Argument(value), Argument(std::string(name(config.mapping_type))), block_size,
                               Argument(config.target_dtype), or_none(config.quant_min), or_none(config.quant_max),
                               or_none(config.eps), or_none(config.scale_dtype), or_none(config.zero_point_dtype)});
    Node& scale = graph_.call_function("operator.getitem", {Argument(chosen), Argument(0)});
    Node& zero_point = graph_.call_function("operator.getitem", {Argument(chosen), Argument(1)});
    return {Argument(scale), Argument(zero_point)};
  }

  // A scale for each block. The targets are op packets, as torchao writes them.
  Node& insert_affine(Node& value, const Observer& observer) {
    const AffineConfig& config = *observer.affine();
    const Argument block_size = block_size_of_value(config, value);
    Argument scale, zero_point;
    if (observer.is_dynamic()) {
      std::tie(scale, zero_point) = choose_affine(value, config, block_size);
    } else {
      const QParams qparams = qparams_of(observer, value);
      scale = Argument(add_buffer("_scale", qparams.scale));
      if (qparams.zero_point.defined()) zero_point = Argument(add_buffer("_zero_point", qparams.zero_point));
    }
    Argument::List args = {Argument(value),
                           block_size,
                           scale,
                           zero_point,
                           Argument(config.target_dtype),
                           or_none(config.quant_min),
                           or_none(config.quant_max)};
    Node& q = graph_.call_function(kQuantizeAffine, args);
    q.type = with_dtype(value.type, config.target_dtype);
    args[0] = Argument(q);
    Node& dq =
        graph_.call_function(kDequantizeAffine, std::move(args), {{"output_dtype", Argument(observed_dtype(value))}});
    dq.type = with_dtype(value.type, observed_dtype(value));
    return dq;
  }

  Node& insert_float16(Node& value) {
    Node& half = graph_.call_function(kConvertElementType, {Argument(value), Argument(DType::float16)});
    half.type = with_dtype(value.type, DType::float16);
    Node& back = graph_.call_function(kConvertElementType, {Argument(half), Argument(DType::float32)});
    back.type = with_dtype(value.type, DType::float32);
    return back;
  }

  Node& add_buffer(const std::string& prefix, const Tensor& value) {
    Attribute buffer;
    buffer.name = program_.attributes.unused_name(prefix);
    buffer.kind = AttributeKind::buffer;
    buffer.value = value.clone();
    return program_.add_attribute(std::move(buffer));
  }

  Program& program_;
  Graph& graph_;
  const ObserverTable observers_;
};

}  // namespace

bool becomes_dequantize(const Observer& observer) {
  return observer.affine() || observer.is_dynamic() || is_static_dtype(observer.dtype());
}

int insert_qdq(Program& program, const std::map<std::string, std::shared_ptr<Observer>>& observers) {
  return Inserter(program, observers).run();
}

}  // namespace qdq
