#include <gtest/gtest.h>

#include "accuracy/adaptive_rounding.h"
#include "accuracy/cholesky.h"
#include "accuracy/refine_rounding.h"
#include "accuracy/round_with_feedback.h"
#include "accuracy/search_scales.h"
#include "qdq/error.h"
#include "qdq/graph_text.h"

namespace qdq {
namespace {

const ExecutorOptions kReference = {.kind = ExecutorOptions::Kind::reference};

// Steps of 1 from -8 to 7 for a weight of these sizes.
WeightGrid whole_numbers(const Tensor& weight) {
  const auto observer =
      fixed_qparams_observer()({.dtype = DType::int8, .quant_min = -8, .quant_max = 7, .scale = 1, .zero_point = 0});
  return *WeightGrid::of(*observer, weight);
}

// Two inputs that nearly always are equal: what rounding one weight down costs, rounding the other up makes good.
LayerProblem correlated(const WeightGrid& grid, const Tensor& target) {
  LayerProblem problem;
  problem.rows = target.size(0);
  problem.columns = 2;
  problem.hessians = {Tensor::from<float>({1, 0.9F, 0.9F, 1}, {2, 2})};
  problem.target = target;
  problem.grid = &grid;
  return problem;
}

std::vector<float> values(const Tensor& tensor) {
  return {tensor.data<float>(), tensor.data<float>() + tensor.numel()};
}

TEST(LayerProblem, LossIsTheSquaredErrorOfTheResults) {
  const Tensor target = Tensor::from<float>({0.4F, 0.4F}, {1, 2});
  const WeightGrid grid = whole_numbers(target);
  Matmul matmul(kReference);
  const LayerProblem problem = correlated(grid, target);
  // e = (0.4, 0.4): 0.16 + 0.16 + 2 * 0.9 * 0.16. e = (0.4, -0.6): 0.16 + 0.36 - 2 * 0.9 * 0.24.
  EXPECT_NEAR(problem.losses(Tensor::from<float>({0, 0}, {1, 2}), matmul)[0], 0.608, 1e-6);
  EXPECT_NEAR(problem.losses(Tensor::from<float>({0, 1}, {1, 2}), matmul)[0], 0.088, 1e-6);
}

TEST(LayerProblem, IsMadeOfTheMomentsOfWhatALayerReads) {
  const Program program = parse_program(R"(graph(x: f32[2, 2], w: f32[1, 2]) {
  %linear = aten.linear.default(%x, %w)
  return (%linear)
})");
  const Tensor weight = Tensor::from<float>({0.4F, 0.75F}, {1, 2});
  const WeightGrid grid = whole_numbers(weight);
  Matmul matmul(kReference);
  // Rows (1, 2), (3, 4), (5, 0): means 3 and 2, squares 35 / 3 - 9 and 20 / 3 - 4, products 14 / 3 - 6.
  const std::vector<Tensor> inputs = {Tensor::from<float>({1, 2, 3, 4}, {2, 2}), Tensor::from<float>({5, 0}, {1, 2})};
  const LayerProblem problem =
      layer_problem(*program.graph().find("linear"), weight, grid, inputs, /*damping=*/0.5, matmul);
  EXPECT_EQ(problem.means, (std::vector<double>{3, 2}));
  const float* h = problem.hessians.front().data<float>();
  const float added = 0.5F * 8 / 3;  // half the mean of the diagonal, 8 / 3
  EXPECT_NEAR(h[0], 8.0F / 3 + added, 1e-5);
  EXPECT_NEAR(h[1], -4.0F / 3, 1e-5);
  EXPECT_NEAR(h[3], 8.0F / 3 + added, 1e-5);
  EXPECT_NEAR(mean_shift(problem, Tensor::from<float>({0, 1}, {1, 2}))[0], 0.4 * 3 - 0.25 * 2, 1e-6);
}

// One input, which is 1 and 3, with a weight of 1 and a bias of 1; 5 and 9 are wanted.
TEST(LayerProblem, AimsAtWhatIsWanted) {
  const Program program = parse_program(R"(graph(x: f32[2, 1], w: f32[1, 1]) {
  %linear = aten.linear.default(%x, %w)
  return (%linear)
})");
  const Node& layer = *program.graph().find("linear");
  const Tensor weight = Tensor::from<float>({1}, {1, 1});
  const WeightGrid grid = whole_numbers(weight);
  const std::vector<Tensor> inputs = {Tensor::from<float>({1}, {1, 1}), Tensor::from<float>({3}, {1, 1})};
  const std::vector<Tensor> wanted = {Tensor::from<float>({5}, {1, 1}), Tensor::from<float>({9}, {1, 1})};
  Matmul matmul(kReference);
  LayerProblem problem = layer_problem(layer, weight, grid, inputs, /*damping=*/0, matmul);
  aim_at(problem, layer, weight.sizes(), Tensor::from<float>({1}, {1}), inputs, wanted, matmul);
  // 3 and 5 are missing: their covariance with the inputs is 1, H is 1 and the ridge 1. Half of what is wanted remains:
  EXPECT_NEAR(problem.target.data<float>()[0], 1.5, 1e-6);
  // With 1.5 the mean is 3 + 1 of 7.
  EXPECT_NEAR(problem.missing[0], 3, 1e-6);
  EXPECT_NEAR(mean_shift(problem, weight)[0], 7 - (2 + 1), 1e-6);
  EXPECT_EQ(weight.data<float>()[0], 1);  // in memory of its own
}

// 2.55 is 3 steps of 0.85, and no multiple of any other step that is tried.
TEST(SearchScales, FindsTheStepThatFits) {
  const Tensor target = Tensor::from<float>({2.55F}, {1, 1});
  const WeightGrid grid = whole_numbers(target);
  LayerProblem problem{
      .rows = 1, .columns = 1, .hessians = {Tensor::full(DType::float32, {1, 1}, 1.0)}, .target = target};
  problem.grid = &grid;
  Matmul matmul(kReference);
  EXPECT_EQ(search_scales(problem, matmul), (std::vector<float>{0.85F}));
}

TEST(SearchScales, KeepsAStepThatFits) {
  const Tensor target = Tensor::from<float>({3}, {1, 1});
  const WeightGrid grid = whole_numbers(target);
  LayerProblem problem{
      .rows = 1, .columns = 1, .hessians = {Tensor::full(DType::float32, {1, 1}, 1.0)}, .target = target};
  problem.grid = &grid;
  Matmul matmul(kReference);
  EXPECT_EQ(search_scales(problem, matmul), (std::vector<float>{1}));
}

TEST(SearchScales, ChoosesOneForAllChannelsThatShareIt) {
  // 9 is beyond 7 steps of 1; 7 of 1.1 come nearest to it, and cost the other channel, whose inputs are small, little.
  const Tensor target = Tensor::from<float>({9, 3}, {2, 1});
  const WeightGrid grid = whole_numbers(target);
  LayerProblem problem{
      .rows = 1,
      .columns = 1,
      .hessians = {Tensor::full(DType::float32, {1, 1}, 1.0), Tensor::full(DType::float32, {1, 1}, 0.01)},
      .target = target};
  problem.grid = &grid;
  Matmul matmul(kReference);
  EXPECT_EQ(search_scales(problem, matmul), (std::vector<float>{1.1F}));
}

TEST(SearchScales, ServesScalesOfWholeChannels) {
  const auto is_served = [](const char* observer, const Granularity& granularity) {
    const Tensor target = Tensor::from<float>({1, 2, 3, 4}, {2, 2});
    const auto seen = observer_by_name(observer)({.dtype = DType::int8,
                                                  .qscheme = QScheme::per_channel_symmetric,
                                                  .quant_min = -8,
                                                  .quant_max = 7,
                                                  .ch_axis = 0,
                                                  .mapping_type = MappingType::symmetric,
                                                  .granularity = granularity});
    const auto grid = WeightGrid::of(*seen, target);
    return has_scale_of_rows({.rows = 2, .columns = 2, .target = target, .grid = &*grid});
  };
  EXPECT_TRUE(is_served("PerChannelMinMaxObserver", PerTensor()));
  EXPECT_TRUE(is_served("AffineQuantizedMinMaxObserver", PerGroup{2}));
  EXPECT_FALSE(is_served("AffineQuantizedMinMaxObserver", PerGroup{1}));
}

TEST(StretchRange, MultipliesTheScales) {
  const auto observer = observer_by_name("PerChannelMinMaxObserver")(
      {.dtype = DType::int8, .qscheme = QScheme::per_channel_symmetric, .quant_min = -8, .quant_max = 7, .ch_axis = 0});
  observer->observe(Tensor::from<float>({1, -15, 30, 2}, {2, 2}));
  EXPECT_TRUE(stretch_range(*observer, {0.5F, 1}));
  EXPECT_EQ(values(observer->calculate_qparams().scale), (std::vector<float>{1, 4}));
}

TEST(StretchRange, LeavesHistogramsAlone) {
  const auto observer = observer_by_name("HistogramObserver")({.dtype = DType::int8});
  observer->observe(Tensor::from<float>({1, -15, 30, 2}, {2, 2}));
  const Tensor before = observer->calculate_qparams().scale;
  EXPECT_FALSE(stretch_range(*observer, {0.5F}));
  EXPECT_EQ(values(observer->calculate_qparams().scale), values(before));
}

TEST(RoundWithFeedback, MakesUpForWhatItRoundedBefore) {
  const Tensor target = Tensor::from<float>({0.4F, 0.4F, 2.5F, -9.6F}, {2, 2});
  const WeightGrid grid = whole_numbers(target);
  // Row 0: 0.4 becomes 0, the other 0.4 + 0.9 * 0.4 = 0.76 becomes 1.
  // Row 1: 2.5 becomes 2 (ties to even), -9.6 + 0.9 * 0.5 = -9.15 is below the grid and becomes -8.
  EXPECT_EQ(values(round_with_feedback(correlated(grid, target))), (std::vector<float>{0, 1, 2, -8}));
}

TEST(RoundWithFeedback, BeginsWithTheInputThatCountsMost) {
  const Tensor target = Tensor::from<float>({0.4F, 0.4F}, {1, 2});
  const WeightGrid grid = whole_numbers(target);
  LayerProblem problem = correlated(grid, target);
  problem.hessians = {Tensor::from<float>({1, 0.9F, 0.9F, 2}, {2, 2})};
  // The second: 0. The first: 0.4 + 0.4 * 0.9 / 1 = 0.76.
  EXPECT_EQ(values(round_with_feedback(problem)), (std::vector<float>{1, 0}));
}

TEST(RoundAdaptively, FindsTheRoundingThatNearestMisses) {
  const Tensor target = Tensor::from<float>({0.45F, 0.4F, -3.6F, 1.2F}, {2, 2});
  const WeightGrid grid = whole_numbers(target);
  Matmul matmul(kReference);
  const LayerProblem problem = correlated(grid, target);
  const Tensor found = round_adaptively(problem, {.iterations = 2000, .executor = kReference}, matmul);
  // Of the four roundings of each row, by hand: (1, 0) has the least error of the first; (-4, 1) of the second, where
  // e = (0.4, 0.2) costs 0.344, (-0.6, 0.2) 0.184, (0.4, -0.8) 0.224 and (-0.6, -0.8) 1.864.
  EXPECT_EQ(values(found), (std::vector<float>{1, 0, -3, 1}));
}

TEST(RoundAdaptively, KeepsWeightsThatAreOnTheGrid) {
  const Tensor target = Tensor::from<float>({3, -8, 7, 0}, {2, 2});
  const WeightGrid grid = whole_numbers(target);
  Matmul matmul(kReference);
  EXPECT_EQ(values(round_adaptively(correlated(grid, target), {.iterations = 100, .executor = kReference}, matmul)),
            values(target));
}

TEST(RefineRounding, ChangesWeightsUntilNoneIsBetterAlone) {
  const Tensor target = Tensor::from<float>({0.4F, 0.4F, 2.2F, -1.3F}, {2, 2});
  const WeightGrid grid = whole_numbers(target);
  Matmul matmul(kReference);
  const Tensor weight = Tensor::from<float>({0, 0, 2, -1}, {2, 2});
  refine_rounding(correlated(grid, target), weight, 4, matmul);
  // Row 0: given 0 for the second, 0 - (-0.4 - 0.36) = 0.76 becomes 1; given that, 0 - (-0.4 + 0.54) stays 0.
  // Row 1: 2 - (-0.2 + 0.27) stays 2, -1 - (0.3 - 0.18) stays -1.
  EXPECT_EQ(values(weight), (std::vector<float>{1, 0, 2, -1}));
}

TEST(Cholesky, FactorsAMatrix) {
  const std::vector<double> lower = cholesky({4, 2, 2, 10}, 2);
  EXPECT_EQ(lower, (std::vector<double>{2, 0, 1, 3}));
  EXPECT_THROW(cholesky({1, 2, 2, 1}, 2), InvalidArgumentError);
}

}  // namespace
}  // namespace qdq
