#include <algorithm>
#include <array>
#include <string_view>
#include <variant>

#include "runtime/onednn/primitive.h"
#include "runtime/parallel.h"

namespace qdq::runtime::onednn {
namespace {

// The weights as [in, out]; the bias as one row, or undefined.
Tensor transposed_weight(const Linear& linear) { return linear.weight.permute(std::array<std::int64_t, 2>{1, 0}); }

Tensor bias_row(const Linear& linear) {
  const Tensor& bias = linear.bias;
  if (!bias.defined()) return bias;
  return bias.as_strided({1, bias.size(0)}, {bias.size(0), bias.strides()[0]}, bias.storage_offset());
}

// Where a block of results begins and how large it is.
struct Block {
  std::int64_t row, column, rows, columns;
};

// Blocks of [m, n] that depend on nothing else, at most 64 of them.
std::vector<Block> blocks_of(std::int64_t m, std::int64_t n) {
  constexpr std::int64_t kLeastRows = 128, kLeastColumns = 96, kPerSide = 8, kLanes = 16;
  const auto size = [](std::int64_t whole, std::int64_t least) {
    const std::int64_t part = (whole + kPerSide - 1) / kPerSide;
    return std::max(least, (part + kLanes - 1) / kLanes * kLanes);
  };
  const std::int64_t rows = size(m, kLeastRows), columns = size(n, kLeastColumns);
  std::vector<Block> blocks;
  for (std::int64_t row = 0; row < m; row += rows)
    for (std::int64_t column = 0; column < n; column += columns)
      blocks.push_back({row, column, std::min(rows, m - row), std::min(columns, n - column)});
  return blocks;
}

// A view of what a block sees of a matrix that has its rows, its columns, or both.
Tensor part(const Tensor& matrix, const Block* rows, const Block* columns) {
  Tensor result = matrix;
  if (rows) result = result.narrow(0, rows->row, rows->rows);
  return columns ? result.narrow(1, columns->column, columns->columns) : result;
}

// The same product in blocks, each on one thread. The GEMM that oneDNN falls back to where it has no AVX-512 cuts its loops by the
// number of threads, and adds up in another order for each.
Step linear_in_blocks_step(std::string name, const Linear& linear) {
  struct Piece {
    Block block;
    dnnl::matmul primitive;
  };
  Step step;
  step.name = std::move(name);
  step.kind = "linear:blocks";
  step.calls_onednn = true;
  step.operations = 2 * linear.dst.numel() * linear.weight.size(1);
  step.reads = {linear.src, transposed_weight(linear)};
  std::vector<int> arguments = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS};
  if (const Tensor bias = bias_row(linear); bias.defined()) {
    step.reads.push_back(bias);
    arguments.push_back(DNNL_ARG_BIAS);
  }
  PrimitiveStep whole;
  add_post_op_operands(whole, linear.post_ops);
  for (const Argument& operand : whole.reads) {
    step.reads.push_back(operand.tensor);
    arguments.push_back(operand.id);
  }
  step.writes = {linear.dst};
  arguments.push_back(DNNL_ARG_DST);

  // What each argument has: the rows of the results, their columns.
  const auto view = [](const Tensor& operand, int argument, const Block& block) {
    const bool has_rows = argument != DNNL_ARG_WEIGHTS && argument != DNNL_ARG_BIAS;
    return part(operand, has_rows ? &block : nullptr, argument != DNNL_ARG_SRC ? &block : nullptr);
  };
  const auto attributes = [&](const Block& block) {
    std::vector<PostOp> post_ops = linear.post_ops;
    for (PostOp& post_op : post_ops)
      if (auto* elementwise = std::get_if<ElementwisePostOp>(&post_op))
        elementwise->operand = part(elementwise->operand, &block, &block);
    dnnl::primitive_attr made = attributes_with(post_ops);
    made.set_scratchpad_mode(dnnl::scratchpad_mode::library);  // one for each thread
    return made;
  };
  std::vector<Piece> pieces;
  for (const Block& block : blocks_of(linear.dst.size(0), linear.dst.size(1))) {
    const auto described = [&](const Tensor& operand, int argument) {
      return describe(view(operand, argument, block));
    };
    const auto bias = linear.bias.defined() ? described(step.reads[2], DNNL_ARG_BIAS) : dnnl::memory::desc();
    pieces.push_back({block, dnnl::matmul({cpu_engine(), described(step.reads[0], DNNL_ARG_SRC),
                                           described(step.reads[1], DNNL_ARG_WEIGHTS), bias,
                                           described(linear.dst, DNNL_ARG_DST), attributes(block)})});
  }
  step.bind = [pieces = std::move(pieces), arguments = std::move(arguments), view,
               label = step.name](std::span<const Tensor> operands) -> Kernel {
    struct Bound {
      dnnl::matmul primitive;
      std::vector<dnnl::memory> memories;
      std::vector<dnnl_exec_arg_t> arguments;
    };
    std::vector<Bound> bound;
    for (const Piece& piece : pieces) {
      Bound& to = bound.emplace_back(Bound{piece.primitive, {}, {}});
      for (std::size_t i = 0; i < arguments.size(); ++i) {
        const Tensor operand = view(operands[i], arguments[i], piece.block);
        to.memories.emplace_back(describe(operand), cpu_engine(), operand.raw_data());
        to.arguments.push_back({arguments[i], to.memories.back().get()});
      }
    }
    return [bound = std::make_shared<const std::vector<Bound>>(std::move(bound)), label] {
      parallel_for(static_cast<std::int64_t>(bound->size()), 1, [&](std::int64_t begin, std::int64_t end) {
        const ThreadScope one(1, nullptr);
        for (std::int64_t i = begin; i < end; ++i) {
          const Bound& piece = (*bound)[static_cast<std::size_t>(i)];
          const auto status = dnnl_primitive_execute(piece.primitive.get(), cpu_stream().get(),
                                                     static_cast<int>(piece.arguments.size()), piece.arguments.data());
          if (status != dnnl_success)
            throw InternalError("[run] '" + label + "': oneDNN status " + std::to_string(status));
        }
      });
    };
  };
  return step;
}

}  // namespace

Step linear_step(std::string name, const Linear& linear, const Context& context) {
  return guarded(name, [&] {
    const std::int64_t k = linear.weight.size(1);
    const std::int64_t n = linear.weight.size(0);
    const Tensor weight = transposed_weight(linear);
    const auto src = describe(linear.src);
    const auto dst = describe(linear.dst);
    const Tensor bias = bias_row(linear);
    const auto bias_desc = bias.defined() ? describe(bias) : dnnl::memory::desc();
    const dnnl::matmul::primitive_desc pd(cpu_engine(), src, any_layout({k, n}), bias_desc, dst,
                                          attributes_with(linear.post_ops));
    if (std::string_view(pd.impl_info_str()).starts_with("gemm")) return linear_in_blocks_step(name, linear);
    PrimitiveStep step;
    step.primitive = dnnl::matmul(pd);
    step.reads.push_back({DNNL_ARG_SRC, src, linear.src});
    if (bias.defined()) step.reads.push_back({DNNL_ARG_BIAS, bias_desc, bias});
    add_weights(step, DNNL_ARG_WEIGHTS, weight, describe(weight), pd.weights_desc(), context);
    add_post_op_operands(step, linear.post_ops);
    step.writes.push_back({DNNL_ARG_DST, dst, linear.dst});
    add_scratchpad(step, pd.scratchpad_desc(), context);
    Step made = to_step(name, std::string("linear:") + pd.impl_info_str(), std::move(step));
    made.operations = 2 * linear.dst.numel() * k;
    return made;
  });
}

}  // namespace qdq::runtime::onednn
