#include "runtime/onednn/primitive.h"

#include "qdq/error.h"

namespace qdq::runtime::onednn {

WeightCache::WeightCache() : impl_(std::make_unique<Impl>()) {}
WeightCache::~WeightCache() = default;

const dnnl::engine& cpu_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::stream& cpu_stream() {
  thread_local dnnl::stream stream(cpu_engine());
  return stream;
}

dnnl::memory::dims dims_of(std::span<const std::int64_t> values) { return {values.begin(), values.end()}; }

dnnl::memory::desc describe(const Tensor& tensor) {
  if (tensor.dtype() != DType::float32) throw InternalError("oneDNN step on " + std::string(name(tensor.dtype())));
  // oneDNN recognises channels-last and the like by their strides; torch leaves those of dimensions of size 1 free.
  return {dims_of(tensor.sizes()), dnnl::memory::data_type::f32, dims_of(tensor.strides())};
}

dnnl::memory::desc any_layout(dnnl::memory::dims dims) {
  return {std::move(dims), dnnl::memory::data_type::f32, dnnl::memory::format_tag::any};
}

namespace {

void append(dnnl::post_ops& list, const Activation& activation) {
  using Kind = Activation::Kind;
  const auto eltwise = [&](dnnl::algorithm algorithm, float alpha = 0.0f, float beta = 0.0f) {
    list.append_eltwise(algorithm, alpha, beta);
  };
  switch (activation.kind) {
    case Kind::relu: return eltwise(dnnl::algorithm::eltwise_relu);
    case Kind::clamp: return eltwise(dnnl::algorithm::eltwise_clip, activation.alpha, activation.beta);
    case Kind::leaky_relu: return eltwise(dnnl::algorithm::eltwise_relu, activation.alpha);
    case Kind::hardswish: return eltwise(dnnl::algorithm::eltwise_hardswish, 1.0f / 6.0f, 0.5f);
    case Kind::hardsigmoid: return eltwise(dnnl::algorithm::eltwise_hardsigmoid, 1.0f / 6.0f, 0.5f);
    case Kind::sigmoid: return eltwise(dnnl::algorithm::eltwise_logistic);
    case Kind::silu: return eltwise(dnnl::algorithm::eltwise_swish, 1.0f);
    case Kind::tanh: return eltwise(dnnl::algorithm::eltwise_tanh);
    case Kind::gelu_erf: return eltwise(dnnl::algorithm::eltwise_gelu_erf);
    case Kind::gelu_tanh: return eltwise(dnnl::algorithm::eltwise_gelu_tanh);
  }
}

void append(dnnl::post_ops& list, const ElementwisePostOp& op) {
  const bool adds = op.kind == ElementwisePostOp::Kind::add;
  list.append_binary(adds ? dnnl::algorithm::binary_add : dnnl::algorithm::binary_mul, describe(op.operand));
}

}  // namespace

dnnl::primitive_attr attributes_with(const std::vector<PostOp>& post_ops) {
  dnnl::post_ops list;
  for (const PostOp& post_op : post_ops) std::visit([&](const auto& op) { append(list, op); }, post_op);
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(list);
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

dnnl::memory packed_weights(WeightCache& cache, const Tensor& source, const dnnl::memory::desc& from,
                            const dnnl::memory::desc& wanted) {
  const WeightCache::Impl::Key key{source.storage()->data(), source.storage_offset()};
  const auto [first, last] = cache.impl().packed.equal_range(key);
  for (auto it = first; it != last; ++it)
    if (it->second.memory.get_desc() == wanted && it->second.from == from) return it->second.memory;
  dnnl::memory plain(from, cpu_engine(), source.raw_data());
  if (from == wanted) {
    cache.impl().packed.emplace(key, WeightCache::Impl::Packed{plain, from, source});
    return plain;
  }
  dnnl::memory packed(wanted, cpu_engine());
  dnnl::reorder(plain, packed).execute(cpu_stream(), plain, packed);
  cpu_stream().wait();
  cache.impl().packed.emplace(key, WeightCache::Impl::Packed{packed, from, source});
  return packed;
}

void add_weights(PrimitiveStep& step, int id, const Tensor& source, const dnnl::memory::desc& from,
                 const dnnl::memory::desc& wanted, const Context& context) {
  if (context.is_constant(source)) {
    step.constants.emplace_back(id, packed_weights(context.weights, source, from, wanted));
  } else if (from == wanted) {
    step.reads.push_back({id, from, source});
  } else {
    step.reorders.push_back({from, {id, wanted, context.scratch(wanted.get_size())}, source});
  }
}

void add_post_op_operands(PrimitiveStep& step, const std::vector<PostOp>& post_ops) {
  for (std::size_t i = 0; i < post_ops.size(); ++i)
    if (const Tensor operand = operand_of(post_ops[i]); operand.defined()) {
      step.reads.push_back(
          {DNNL_ARG_ATTR_MULTIPLE_POST_OP(static_cast<int>(i)) | DNNL_ARG_SRC_1, describe(operand), operand});
    }
}

void add_scratchpad(PrimitiveStep& step, const dnnl::memory::desc& desc, const Context& context) {
  if (desc.get_size() > 0) step.writes.push_back({DNNL_ARG_SCRATCHPAD, desc, context.scratch(desc.get_size())});
}

Step to_step(std::string name, std::string kind, PrimitiveStep primitive) {
  Step step;
  step.name = std::move(name);
  step.kind = std::move(kind);
  step.calls_onednn = true;
  for (const Argument& read : primitive.reads) step.reads.push_back(read.tensor);
  for (const auto& reorder : primitive.reorders) step.reads.push_back(reorder.source);
  for (const Argument& write : primitive.writes) step.writes.push_back(write.tensor);
  for (const auto& reorder : primitive.reorders) step.writes.push_back(reorder.to.tensor);
  step.bind = [primitive = std::move(primitive), label = step.name](std::span<const Tensor> operands) -> Kernel {
    struct Bound {
      dnnl::primitive primitive;
      std::vector<dnnl::memory> memories;
      std::vector<dnnl_exec_arg_t> arguments;
      std::vector<std::pair<dnnl::reorder, std::unordered_map<int, dnnl::memory>>> reorders;
    };
    const auto bound = std::make_shared<Bound>();
    bound->primitive = primitive.primitive;
    const auto add = [&](int id, dnnl::memory memory) {
      bound->memories.push_back(std::move(memory));
      bound->arguments.push_back({id, bound->memories.back().get()});
    };
    std::size_t at = 0;
    std::vector<dnnl::memory> sources;
    for (const Argument& read : primitive.reads)
      add(read.id, dnnl::memory(read.desc, cpu_engine(), operands[at++].raw_data()));
    for (const auto& reorder : primitive.reorders)
      sources.emplace_back(reorder.from, cpu_engine(), operands[at++].raw_data());
    for (const Argument& write : primitive.writes)
      add(write.id, dnnl::memory(write.desc, cpu_engine(), operands[at++].raw_data()));
    for (std::size_t i = 0; i < primitive.reorders.size(); ++i) {
      dnnl::memory to(primitive.reorders[i].to.desc, cpu_engine(), operands[at++].raw_data());
      bound->reorders.emplace_back(dnnl::reorder(sources[i], to), std::unordered_map<int, dnnl::memory>{
                                                                      {DNNL_ARG_FROM, sources[i]}, {DNNL_ARG_TO, to}});
      add(primitive.reorders[i].to.id, to);
    }
    for (const auto& [id, memory] : primitive.constants) add(id, memory);
    return [bound, label] {
      dnnl::stream& stream = cpu_stream();
      for (const auto& [reorder, arguments] : bound->reorders) reorder.execute(stream, arguments);
      const auto status = dnnl_primitive_execute(bound->primitive.get(), stream.get(),
                                                 static_cast<int>(bound->arguments.size()), bound->arguments.data());
      if (status != dnnl_success) throw InternalError("[run] '" + label + "': oneDNN status " + std::to_string(status));
    };
  };
  return step;
}

}  // namespace qdq::runtime::onednn
