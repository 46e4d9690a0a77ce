#pragma once
#include <map>
#include <oneapi/dnnl/dnnl.hpp>
#include <utility>

#include "runtime/onednn/onednn.h"

namespace qdq::runtime::onednn {

const dnnl::engine& cpu_engine();
dnnl::stream& cpu_stream();

dnnl::memory::dims dims_of(std::span<const std::int64_t> values);
// The description of a float32 tensor with its strides.
dnnl::memory::desc describe(const Tensor& tensor);
dnnl::memory::desc any_layout(dnnl::memory::dims dims);

dnnl::primitive_attr attributes_with(const std::vector<PostOp>& post_ops);

struct WeightCache::Impl {
  struct Key {
    const std::byte* data;
    std::int64_t offset;
    auto operator<=>(const Key&) const = default;
  };
  struct Packed {
    dnnl::memory memory;
    dnnl::memory::desc from;
    Tensor source;  // keeps the address taken
  };
  std::multimap<Key, Packed> packed;
};

// `source` reordered to `wanted`, from the cache or made now.
dnnl::memory packed_weights(WeightCache& cache, const Tensor& source, const dnnl::memory::desc& from,
                            const dnnl::memory::desc& wanted);

// A step that runs `primitive` on tensors. Arguments are (DNNL_ARG_..., memory description, operand), outputs last.
struct Argument {
  int id;
  dnnl::memory::desc desc;
  Tensor tensor;
};
struct PrimitiveStep {
  dnnl::primitive primitive;
  std::vector<Argument> reads;
  std::vector<Argument> writes;
  std::vector<std::pair<int, dnnl::memory>> constants;  // packed weights, biases
  // Weights that are computed while running: reordered from the first description to the second before each run.
  struct Reorder {
    dnnl::memory::desc from;
    Argument to;  // its tensor is scratch
    Tensor source;
  };
  std::vector<Reorder> reorders;
};
Step to_step(std::string name, std::string kind, PrimitiveStep primitive);

// Weights as an argument of `step`: packed now if constant, else reordered in each run.
void add_weights(PrimitiveStep& step, int id, const Tensor& source, const dnnl::memory::desc& from,
                 const dnnl::memory::desc& wanted, const Context& context);
void add_post_op_operands(PrimitiveStep& step, const std::vector<PostOp>& post_ops);
void add_scratchpad(PrimitiveStep& step, const dnnl::memory::desc& desc, const Context& context);

// Rethrows a dnnl::error as InternalError that names the step.
template <typename Fn>
auto guarded(const std::string& name, Fn&& fn) {
  try {
    return fn();
  } catch (const dnnl::error& error) {
    throw InternalError("[run] '" + name + "': oneDNN: " + error.what());
  }
}

}  // namespace qdq::runtime::onednn
