#include "cli/random_inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "cli/batches.h"

namespace qdq::cli {
namespace {

const TensorMeta& meta_of(const Node& input) {
  if (const TensorMeta* meta = input.type.tensor()) return *meta;
  throw InvalidArgumentError(
      fmt::format("input '{}' is no tensor of known sizes: give its values with --input", input.name()));
}

Tensor random_tensor(DType dtype, const Shape& sizes, std::mt19937& generator) {
  Tensor values = Tensor::empty(is_floating_point(dtype) ? DType::float32 : DType::int64, sizes);
  if (is_floating_point(dtype)) {
    std::normal_distribution<float> normal;
    std::generate_n(values.data<float>(), values.numel(), [&] { return normal(generator); });
  } else if (dtype == DType::bool_) {
    std::fill_n(values.data<std::int64_t>(), values.numel(), 1);
  } else {
    std::generate_n(values.data<std::int64_t>(), values.numel(),
                    [&] { return static_cast<std::int64_t>(generator() % 2); });
  }
  return values.to(dtype);
}

}  // namespace

RandomInputs random_inputs(const Program& program, std::optional<std::int64_t> batch) {
  const std::vector<const Node*> nodes = input_nodes(program);
  // The symbol that counts the samples: the first dimension of the first input that has one.
  std::optional<SymInt> first;
  for (const Node* node : nodes)
    if (const TensorMeta& meta = meta_of(*node); !first && !meta.sizes.empty()) first = meta.sizes[0];
  if (first && !first->is_symbolic() && batch && *batch != first->value)
    throw InvalidArgumentError(
        fmt::format("the program was exported for batches of {}, not of {}", first->value, *batch));

  RandomInputs result;
  std::mt19937 generator;  // seeded by default, the same numbers in every run
  for (const Node* node : nodes) {
    Shape sizes;
    for (const SymInt& size : meta_of(*node).sizes) {
      if (first && size.is_symbolic() && size.expr == first->expr) {
        sizes.push_back(batch.value_or(1));
      } else if (size.is_symbolic() && !size.has_hint) {
        throw InvalidArgumentError(
            fmt::format("input '{}' has a size that the file does not tell: give values with --input", node->name()));
      } else {
        sizes.push_back(size.value);
      }
    }
    if (result.inputs.empty() && !sizes.empty()) result.samples = sizes[0];
    result.inputs.push_back(random_tensor(meta_of(*node).dtype, sizes, generator));
  }
  return result;
}

}  // namespace qdq::cli
