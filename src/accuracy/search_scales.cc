#include "accuracy/search_scales.h"

#include <algorithm>
#include <array>
#include <limits>

#include "accuracy/round_with_feedback.h"

namespace qdq {

std::vector<float> search_scales(const LayerProblem& problem, Matmul& matmul) {
  // What changes nothing comes first, and keeps ties.
  constexpr std::array factors = {1.0F, 0.6F, 0.65F, 0.7F, 0.75F, 0.8F, 0.85F, 0.9F, 0.95F, 1.05F, 1.1F};
  const std::size_t blocks = problem.grid->blocks();
  std::vector<float> best(blocks, 1.0F);
  std::vector<double> least(blocks, std::numeric_limits<double>::infinity());
  for (const float factor : factors) {
    const WeightGrid grid = problem.grid->scaled(factor);
    LayerProblem candidate = problem;
    candidate.grid = &grid;
    const std::vector<double> losses = candidate.losses(round_with_feedback(candidate), matmul);
    std::vector<double> of_block(blocks);
    for (std::size_t row = 0; row < losses.size(); ++row)
      of_block[grid.block(static_cast<std::int64_t>(row) * problem.columns)] += losses[row];
    for (std::size_t i = 0; i < blocks; ++i)
      if (of_block[i] < least[i]) {
        least[i] = of_block[i];
        best[i] = factor;
      }
  }
  return best;
}

bool has_scale_of_rows(const LayerProblem& problem) {
  const WeightGrid& grid = *problem.grid;
  for (std::int64_t row = 0; row < problem.target.size(0); ++row)
    for (std::int64_t k = 1; k < problem.columns; ++k)
      if (grid.block(row * problem.columns + k) != grid.block(row * problem.columns)) return false;
  return true;
}

bool stretch_range(Observer& observer, const std::vector<float>& factors) {
  ObserverState state = observer.save_state();
  for (auto& [name, buffer] : state.buffers) {
    if (name == "eps") continue;
    const bool is_bound = name == "min_val" || name == "max_val";
    if (!is_bound || buffer.dtype() != DType::float32 || buffer.numel() != static_cast<std::int64_t>(factors.size()))
      return false;
    for (std::size_t i = 0; i < factors.size(); ++i) buffer.data<float>()[i] *= factors[i];
  }
  if (!state.find("min_val") || !state.find("max_val")) return false;
  observer.load_state(state);
  return true;
}

}  // namespace qdq
